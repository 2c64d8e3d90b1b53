"""The report: as JSON and back, by its schema, and as text."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from netdoctor.errors import BadInput
from netdoctor.model import Confidence, Diagnosis, Evidence, Finding, Outcome, Report, Result, Severity, Subject
from netdoctor.output.console import console
from netdoctor.output.report_json import from_json, to_json
from netdoctor.output.report_sections import cause_entries, report_document
from netdoctor.output.report_text import Detail, render
from tests.conftest import ROOT
from tests.worlds import catalogue

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
UPDATE = os.environ.get("NETDOCTOR_UPDATE_SNAPSHOTS") == "1"

COMMAND = re.compile(r"  (fix|why|see|   ) ")  # stays on one line, so that it can be pasted
ON_N1 = Subject(node="n1")
CAUSE = Finding(
    "net.ipv4.ip_forward is 0: the node drops all pod traffic that leaves the pods' own bridge",
    (
        Evidence("/proc/sys/net/ipv4/ip_forward", "0", "1"),
        Evidence("pod default/client-7d9-abcde -> 8.8.8.8:53/udp", "no answer within 1.5 s", "an answer"),
    ),
    ON_N1, confidence=Confidence.CONFIRMED, since="2026-11-24 10:00", probe="ip-forward-disabled",
)  # fmt: skip
SYMPTOM = Finding(
    "2 of 2 pods get no answer from outside, and the host does, and this sentence goes on until it has to be wrapped "
    "into a second line", (Evidence("a", "b", "c"),), ON_N1, confidence=Confidence.CONFIRMED,
    probe="pod-to-outside-blocked",
)  # fmt: skip
ALONE = Finding(
    "2 of 3 connections between pods are not answered",
    (Evidence("x", "y", "z"),),
    confidence=Confidence.CONFIRMED,
    probe="pod-to-pod-blocked",
)
WARNING = Finding(
    "1 of CoreDNS's 2 upstream resolvers answer nobody", (Evidence("host -> 8.8.8.8:53/udp", "refused", "an answer"),),
    Subject(upstream="8.8.8.8:53"), Severity.WARNING, Confidence.LIKELY, probe="coredns-upstream-dead",
)  # fmt: skip
FAULTY = Report(
    results=(
        Result("ip-forward-disabled", Outcome.FAIL, (CAUSE,), seconds=0.25),
        Result("pod-to-outside-blocked", Outcome.FAIL, (SYMPTOM,)),
        Result("pod-to-pod-blocked", Outcome.FAIL, (ALONE,)),
        Result("cni-config-unusable", Outcome.PASS),
        Result("corefile-invalid", Outcome.UNKNOWN, reason="API server https://192.0.2.10:8443: connection refused"),
        Result("postgres-login-refused", Outcome.BLOCKED, reason="Postgres does not accept connections",
               blocked_by=("postgres-unreachable",)),
        Result("firewalld-rejects-pods", Outcome.NOT_APPLICABLE, reason="firewalld does not run"),
    ),
    diagnoses=(Diagnosis(CAUSE, (SYMPTOM,)), Diagnosis(ALONE, (), unexplained=True), Diagnosis(WARNING)),
    node="n1", vantage_points=("host", "test pod"), started="2026-11-24T10:00:00Z", seconds=1.5,
    tool="netdoctor 0.1.0", notices=("not root: what only root may read is unknown; run it with sudo",),
)  # fmt: skip
HEALTHY = Report((Result("cni-config-unusable", Outcome.PASS),), (), "n1", ("host",), "", 0.5, "netdoctor 0.1.0")
UNKNOWN = Report(
    (Result("corefile-invalid", Outcome.UNKNOWN, reason="no API server"), Result("cni-config-unusable", Outcome.PASS)),
    (), "n1", (), "", 0.5, "netdoctor 0.1.0",
)  # fmt: skip
NO_NODE = Report((Result("corefile-invalid", Outcome.UNKNOWN, reason="kubeconfig: none that can be read"),), (), "n1",
                 (), "", 0.5, "netdoctor 0.1.0")  # fmt: skip
REPORTS = {"faulty": FAULTY, "healthy": HEALTHY, "could-not-tell": UNKNOWN, "no-node": NO_NODE}


def text_of(report: Report, width: int = 80, detail: Detail = Detail.SUMMARY) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(render(report, catalogue(), detail))
    return out.getvalue()


@pytest.mark.parametrize("detail", list(Detail))
@pytest.mark.parametrize("name", list(REPORTS))
def test_text(name: str, detail: Detail) -> None:
    stored = SNAPSHOTS / f"{name}-{detail.value}.txt"
    text = text_of(REPORTS[name], detail=detail)
    if UPDATE:
        stored.write_text(text)
    assert text == stored.read_text(), "NETDOCTOR_UPDATE_SNAPSHOTS=1 accepts the new text"


@pytest.mark.parametrize("width", [40, 80, 110, 200])
def test_lines_do_not_end_in_spaces_and_fit(width: int) -> None:
    for report, detail in itertools.product(REPORTS.values(), Detail):
        lines = text_of(report, width, detail).splitlines()
        assert [line for line in lines if line != line.rstrip()] == []
        assert [line for line in lines if len(line) > width and not COMMAND.match(line)] == []


def test_the_verdict_comes_last() -> None:
    assert text_of(HEALTHY).splitlines()[-1].startswith("HEALTHY  ")
    assert text_of(HEALTHY, detail=Detail.ALL).splitlines()[-1].startswith("HEALTHY  ")
    lines = text_of(FAULTY, detail=Detail.ALL).splitlines()
    assert [line for line in lines[-20:] if line.startswith("CAUSE  ")] == [
        "CAUSE  net.ipv4.ip_forward is 0: the node drops all pod traffic that"
    ]


def test_a_cause_without_a_remedy_says_what_to_type() -> None:
    commands = ("sudo nft delete rule inet corp guard handle 2", "sudo grep -rn 5432 /etc/nftables*")
    cause = replace(CAUSE, probe="packets-dropped-by-rule", by_hand=commands)
    report = replace(FAULTY, diagnoses=(Diagnosis(cause),))
    assert [line[9:] for line in text_of(report).splitlines() if line[9:].startswith("sudo ")] == list(commands)
    page = replace(FAULTY, diagnoses=(Diagnosis(replace(cause, by_hand=())),))
    assert "  fix    by hand: `nft " in text_of(page)


def test_nobody_repairs_the_machine_on_which_a_recording_is_judged() -> None:
    repairable = replace(FAULTY, diagnoses=(Diagnosis(CAUSE, remedies=("enable-ip-forward",)),))
    assert "  fix    sudo netdoctor fix --dry-run" in text_of(repairable)
    assert "  fix    on the node: sudo netdoctor fix --dry-run" in text_of(replace(repairable, recorded=True))


def test_piped_text_is_not_wrapped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    console().print(render(FAULTY, catalogue()))
    assert f"CAUSE  {CAUSE.summary}\n" in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "60")
    console().print(render(FAULTY, catalogue()))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60


def test_no_escape_codes_off_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    console().print(render(FAULTY, catalogue()))
    assert "\x1b" not in capsys.readouterr().out


def test_no_color_is_obeyed_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def colours() -> bool:
        out = io.StringIO()
        Console(file=out, width=110, force_terminal=True, highlight=False, color_system="truecolor").print(
            render(FAULTY, catalogue())
        )
        return "\x1b[1;31m" in out.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours()


@pytest.mark.parametrize("name", list(REPORTS))
def test_json_and_back(name: str) -> None:
    assert from_json(to_json(REPORTS[name])) == report_document(REPORTS[name])


@pytest.mark.parametrize("name", list(REPORTS))
def test_a_report_of_version_1_is_read(name: str) -> None:
    old = json.dumps({**asdict(REPORTS[name]), "schema_version": 1})
    assert from_json(old) == report_document(REPORTS[name])


def test_a_stored_report_of_version_1_is_read() -> None:
    document = from_json((Path(__file__).parent / "report_version_1.json").read_text())
    (cause,) = document.causes
    assert (cause.id, cause.explains) == ("packets-dropped-by-rule", ("postgres-unreachable",))
    assert [finding.id for finding in document.findings] == ["postgres-unreachable"]
    assert (document.verdict, document.exit_code) == ("faulty", 1)
    assert len(document.experiments) == 1


def test_each_finding_stands_in_the_report_once() -> None:
    again = replace(SYMPTOM, summary="and once more")
    results = (Result("pod-to-outside-blocked", Outcome.FAIL, (SYMPTOM, again)), *FAULTY.results)
    report = replace(
        FAULTY, results=results, diagnoses=(Diagnosis(CAUSE, (SYMPTOM, again)), Diagnosis(ALONE, (again,)))
    )
    document = report_document(report)
    assert [cause.id for cause in document.causes] == ["ip-forward-disabled", "pod-to-pod-blocked"]
    assert [finding.id for finding in document.findings] == ["pod-to-outside-blocked", "pod-to-outside-blocked#2"]
    assert document.causes[0].explains == ("pod-to-outside-blocked", "pod-to-outside-blocked#2")
    assert document.causes[1].explains == ("pod-to-outside-blocked#2",)


def test_the_verdict_and_its_sentence_come_first() -> None:
    for report in REPORTS.values():
        assert list(json.loads(to_json(report)))[:3] == ["verdict", "exit_code", "summary"]
    told = json.loads(to_json(FAULTY))
    assert list(told).index("causes") < list(told).index("outcomes")
    assert told["summary"] == f"{CAUSE.summary} (and 1 more)"
    assert json.loads(to_json(HEALTHY))["summary"] == "1 check passed"
    assert json.loads(to_json(UNKNOWN))["summary"] == "no fault was found, but 1 of 2 checks could not be made"
    warned = replace(HEALTHY, diagnoses=(Diagnosis(WARNING),))
    assert json.loads(to_json(warned))["summary"] == "1 check passed; 1 warning"


def test_a_cause_says_what_to_type_next_and_where_its_page_is() -> None:
    repaired = Diagnosis(CAUSE, remedies=("enable-ip-forward",), see="default/client 8.8.8.8 53")
    cause = json.loads(to_json(replace(FAULTY, diagnoses=(repaired,))))["causes"][0]
    assert cause["next"] == {
        "fix": ["sudo netdoctor fix --dry-run"],
        "why": "netdoctor explain ip-forward-disabled",
        "see": "sudo netdoctor trace default/client 8.8.8.8 53",
    }
    by_hand = Diagnosis(replace(CAUSE, by_hand=("sudo true",)))
    assert json.loads(to_json(replace(FAULTY, diagnoses=(by_hand,))))["causes"][0]["next"]["fix"] == ["sudo true"]
    for probe in catalogue().probes.values():
        (entry,) = cause_entries((Diagnosis(replace(CAUSE, probe=probe.name)),))
        assert (ROOT / entry.page).is_file()


def test_what_copies_showed_is_no_evidence_of_a_report_unless_it_is_all() -> None:
    copied = Evidence("copy of the node, a -> b", "it passes with this changed", "it passes as it is")
    for evidence, shown in (((*CAUSE.evidence, copied), len(CAUSE.evidence)), ((copied,), 1)):
        report = replace(FAULTY, diagnoses=(Diagnosis(replace(CAUSE, evidence=evidence), proof="on a copy"),))
        cause = report_document(report).causes[0]
        assert (len(cause.evidence), cause.proof) == (shown, "on a copy")


def test_nothing_empty_is_written() -> None:
    def empty(value: object) -> bool:
        if isinstance(value, dict):
            return any(item in ("", None, [], {}) or empty(item) for item in value.values())
        return isinstance(value, list) and any(map(empty, value))

    told = json.loads(to_json(FAULTY))
    assert not empty(told)


@pytest.mark.parametrize(("name", "status"), [("faulty", 1), ("healthy", 0), ("could-not-tell", 3)])
def test_exit_status(name: str, status: int) -> None:
    assert REPORTS[name].exit_code == status


def test_a_warning_alone_is_healthy() -> None:
    results = (Result("coredns-upstream-dead", Outcome.FAIL, (WARNING,)),)
    assert Report(results, (Diagnosis(WARNING),), "n1", (), "", 0, "t").exit_code == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 1}', "null", "\x00"])
def test_what_is_no_report(text: str) -> None:
    with pytest.raises(BadInput, match="not a report of netdoctor: ") as caught:
        from_json(text)
    assert "\n" not in str(caught.value)


def test_wrong_types_name_their_place() -> None:
    damaged = json.loads(to_json(FAULTY))
    damaged["causes"][0]["severity"] = "perhaps"
    with pytest.raises(BadInput, match=r"causes\.0\.severity"):
        from_json(json.dumps(damaged))


def test_checks_that_do_not_apply_for_the_same_reason_stand_in_one_line() -> None:
    names = ("firewalld-rejects-pods", "direct-rules-flush-iptables", "postgres-tls-broken")
    reasons = ("firewalld does not run", "firewalld does not run", "no Postgres")
    results = [Result(name, Outcome.NOT_APPLICABLE, reason=why) for name, why in zip(names, reasons, strict=True)]
    shown = text_of(replace(HEALTHY, results=(*HEALTHY.results, *results)), 200, Detail.ALL)
    together = "firewalld does not run: 2 checks  (firewalld-rejects-pods, direct-rules-flush-iptables)"
    assert f"– node: does not apply: {together}" in shown
    assert "– postgres: does not apply: no Postgres  (postgres-tls-broken)" in shown
