"""The report as JUnit XML: well-formed whatever is in it, counted right, and red exactly where the node is faulty."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from netdoctor.model import Outcome, Report, Result, Severity
from netdoctor.output.report_junit import failed, render
from tests.output.reports import HOSTILE, RECORDINGS, hostile, report_of
from tests.output.test_report import FAULTY, HEALTHY, NO_NODE, UNKNOWN
from tests.worlds import catalogue

OUTCOMES = ("failure", "error", "skipped")
# what Jenkins, GitLab and GitHub's reporters read
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message", "type"},
    "property": {"name", "value"},
}
CHILDREN = {
    "testsuites": {"testsuite"}, "testsuite": {"properties", "testcase"}, "properties": {"property"},
    "testcase": {*OUTCOMES, "system-out"},
}  # fmt: skip


def root_of(report: Report) -> Element:
    return ElementTree.fromstring(render(report, catalogue()))


def check(root: Element) -> None:
    """Raise AssertionError unless it is as JUnit's readers want it."""
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set()), element.tag
        assert set(element.attrib) <= ATTRIBUTES.get(element.tag, set()), element.tag
    for group in (root, *root.iter("testsuite")):
        cases = list(group.iter("testcase"))
        assert int(group.get("tests", "-1")) == len(cases)
        for kind, attribute in zip(OUTCOMES, ("failures", "errors", "skipped"), strict=True):
            assert int(group.get(attribute, "-1")) == sum(case.find(kind) is not None for case in cases)
    for case in root.iter("testcase"):
        assert len(case) <= 1
        assert case.get("name")


def case_of(root: Element, probe: str) -> Element:
    (found,) = (case for case in root.iter("testcase") if str(case.get("classname")).endswith(f".{probe}"))
    return found


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_is_valid_and_has_a_test_for_each_check(name: str) -> None:
    report, root = report_of(name), root_of(report_of(name))
    check(root)
    classes = sorted(str(case.get("classname")) for case in root.iter("testcase"))
    assert classes == sorted(f"netdoctor.{catalogue().probes[r.probe].area}.{r.probe}" for r in report.results)


@pytest.mark.parametrize("report", [FAULTY, HEALTHY, UNKNOWN, NO_NODE, *map(report_of, RECORDINGS)])
def test_it_is_red_where_the_exit_status_is_not_zero(report: Report) -> None:
    root = root_of(report)
    check(root)
    assert (root.get("failures") != "0") == (report.exit_code == 1)
    assert (root.get("failures"), root.get("errors")) == ("0", "0") or report.exit_code != 0


def test_what_each_outcome_becomes() -> None:
    root = root_of(FAULTY)
    fault = case_of(root, "ip-forward-disabled")
    assert (fault.get("name"), fault.get("time")) == ("IPv4 forwarding is on", "0.250")
    assert str(fault[0].get("message")).startswith("net.ipv4.ip_forward is 0: the node drops")
    assert fault[0].get("type") == "confirmed"
    assert "/proc/sys/net/ipv4/ip_forward: 0 (expected: 1)" in str(fault[0].text)
    assert len(case_of(root, "cni-config-unusable")) == 0
    told = {
        probe: (case_of(root, probe)[0].tag, case_of(root, probe)[0].get("message"))
        for probe in ("corefile-invalid", "postgres-login-refused", "firewalld-rejects-pods")
    }
    assert told == {
        "corefile-invalid": ("error", "API server https://192.0.2.10:8443: connection refused"),
        "postgres-login-refused": ("skipped", "Postgres does not accept connections"),
        "firewalld-rejects-pods": ("skipped", "firewalld does not run"),
    }
    values = {item.get("name"): item.get("value") for item in root.iter("property")}
    assert (values["node"], values["by"]) == ("n1", "netdoctor 0.1.0")


def test_a_warning_fails_no_test() -> None:
    warnings = tuple(d.cause for d in FAULTY.diagnoses if d.cause.severity is Severity.WARNING)
    root = root_of(Report((Result("coredns-upstream-dead", Outcome.FAIL, warnings),), (), "n1", (), "", 0.5, "x"))
    check(root)
    assert root.get("failures") == "0"
    assert "warning: 1 of CoreDNS's 2 upstream" in str(case_of(root, "coredns-upstream-dead")[0].text)


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_nothing_foreign_is_more_than_text(kind: str) -> None:
    root = root_of(hostile(HOSTILE[kind]))
    check(root)
    text = ElementTree.tostring(root, encoding="unicode")
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    assert len(list(root.iter("testcase"))) == 7


def test_no_secret_gets_out() -> None:
    text = render(hostile("password=hunter2hunter2 Authorization: Bearer abcdefghijklmnopqrstuvwx"), catalogue())
    assert "hunter2" not in text


def test_an_error_is_a_document_too() -> None:
    root = ElementTree.fromstring(failed("no such file: <x> & \x00"))
    check(root)
    (case,) = root.iter("testcase")
    assert case[0].get("message") == "no such file: <x> & �"
