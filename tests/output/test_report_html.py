"""The HTML report as text: nothing that a pod or a node wrote is an element, and nothing is fetched or run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from netdoctor.diagnosis.traced_cause import AskedPods, TracedCause, traced_or_reason
from netdoctor.errors import CannotRead
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.model import Report
from netdoctor.output.node_picture import draw_node
from netdoctor.output.report_html import render
from netdoctor.output.report_words import told as evidence_told
from netdoctor.output.svg import LETTER
from netdoctor.system.output_gate import passed
from netdoctor.tracing.ends import FlowEnd
from tests.output.reports import HOSTILE, RECORDINGS, hostile, looked_at, report_of
from tests.twin.network import real
from tests.twin.walks import CLIENT, DNS, node_state, rejected, to_service
from tests.worlds import catalogue

VOID = {"meta", "rect", "path", "circle"}  # the last three close themselves
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "main", "footer", "section", "article", "h1", "h2",
    "h3", "h4", "p", "span", "b", "ul", "li", "dl", "dt", "dd", "code", "pre", "details", "summary", "div", "figure",
    "figcaption", "svg", "rect", "path", "circle", "text", "ol",
}  # fmt: skip
HEADINGS = ["Causes", "The path of a failing flow", "Areas", "Checks: ", "This run"]


class Page(HTMLParser):
    """The elements of a page, each closed in turn, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)


def traced(name: str = "nft-table-drops-postgres") -> TracedCause:
    found = traced_or_reason(looked_at(name), catalogue())
    assert isinstance(found, TracedCause), found
    return found


def page_of(report: Report, path: TracedCause | str = "no flow failed") -> Page:
    return Page(render(report, catalogue(), path))


def hostile_path(value: str) -> TracedCause:
    """Both pictures, with this value as every name in them."""
    before, after = (
        replace(walk(), source=FlowEnd(value, "10.244.0.9"), target=FlowEnd(value, "10.244.0.7", 53), node=value,
                lacking=(value,))
        for walk in (rejected, to_service)
    )  # fmt: skip
    diagnosis = report_of("ip-forward-zero").diagnoses[0]
    return TracedCause(diagnosis, value, before, after, (value, value))


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_has_every_part(name: str) -> None:
    report = report_of(name)
    page = page_of(report)
    found = "".join(page.texts["h2"])
    assert [heading for heading in HEADINGS[0 if report.diagnoses else 2 :] if heading not in found] == []
    told = " ".join(text for texts in page.texts.values() for text in texts)
    for diagnosis in report.diagnoses:
        assert f"netdoctor explain {diagnosis.cause.probe}" in told
        assert all(evidence_told(item)[0] in told for item in diagnosis.cause.evidence)
    assert all(result.probe in told for result in report.results)


@pytest.mark.parametrize("kind", list(HOSTILE))
@pytest.mark.parametrize("path", [hostile_path, str], ids=["drawn", "not drawn"])
def test_nothing_foreign_is_an_element(kind: str, path: Callable[[str], TracedCause | str]) -> None:
    value = HOSTILE[kind]
    page, same = page_of(hostile(value), path(value)), page_of(hostile("x"), path("x"))
    assert set(page.tags) <= ALLOWED
    counted = [tag for tag in page.tags if tag not in ("text", "rect", "path", "circle")]  # a card's lines are wrapped
    assert counted == [tag for tag in same.tags if tag not in ("text", "rect", "path", "circle")]
    names = {name for name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on")} & names
    assert not names & {"src", "srcset", "style", "action", "xlink:href", "formaction", "data"}
    assert {target for name, target in page.attributes if name == "href"} == {"#main"}


def test_its_policy_lets_nothing_run_and_nothing_be_fetched() -> None:
    text = render(report_of("ip-forward-zero"), catalogue(), "x")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert policy
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1] == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert not re.search(r"url\(|@import|https?://", style[1])


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_gate_leaves_it_as_it_is(name: str) -> None:
    text = render(report_of(name), catalogue(), "x")
    assert passed(text) == text


def test_no_secret_gets_out() -> None:
    secret = "password=hunter2hunter2 Authorization: Bearer abcdefghijklmnopqrstuvwx"
    assert "hunter2" not in render(hostile(secret), catalogue(), hostile_path(secret))


@pytest.mark.thorough
@real
def test_the_path_is_drawn_before_and_after_the_repair() -> None:
    found = traced()
    assert str(found.before.ending).startswith("STOPPED at inet corp guard, handle 2")
    assert found.after is not None
    assert found.after.ending.arrived
    assert found.changes == ("rule 2 of inet corp guard (tcp dport 5432 counter drop) is removed",)
    page = page_of(report_of("nft-table-drops-postgres"), found)
    assert page.tags.count("svg") == 3
    assert "tcp dport 5432 counter" in " ".join(page.texts["text"])
    assert {"STOPPED", "ARRIVED"} <= set(page.texts["b"])


@pytest.mark.thorough
@real
def test_the_node_is_drawn_with_the_hook_that_stops_the_flow() -> None:
    found = traced()
    shown = " ".join(Page(draw_node(found.before, found.pods)).texts["text"])
    pods = [pod.name for pod in found.before.state.pods if pod.name != found.pods.test_pod]
    assert [name for name in pods if name.replace("-", "") not in shown.replace("- ", "").replace("-", "")] == []
    for words in (
        "bridge 10.244.0.1/16",
        "uplink eth0 10.77.0.2/24",
        "outside",
        "test pod 10.244.0.10 ✗ no answer from Postgres",
        "✓ what was asked works",
        "inet corp STOPPED inet corp guard, handle 2 tcp dport 5432 counter drop",
    ):
        assert words in shown
    for hook, table in (("prerouting", "nat"), ("input", "filter"), ("postrouting", "nat"), ("forward", "filter")):
        assert re.search(rf"\b{hook} (ip {table}, ip6 {table}|ip6 {table}, ip {table})\b", shown), "either came first"


def test_a_node_with_many_pods_names_some_and_counts_the_others() -> None:
    walk = replace(to_service(), state=node_state(CLIENT, DNS, *(f"default/pod-{n}" for n in range(9))))
    texts = Page(draw_node(walk, AskedPods())).texts["text"]
    assert "and 5 more pods" in texts
    assert "not asked" in texts
    failing = {f"default/pod-{n}": ("outside",) for n in range(2, 9)}
    broken = Page(draw_node(walk, AskedPods(failing=failing))).texts["text"]
    assert [text for text in broken if text.startswith("default/pod-")] == [f"default/pod-{n}" for n in range(2, 7)]
    assert "✗ connections of 2 fail" in broken
    assert [text for text in texts if text.startswith("default/pod-")] == [f"default/pod-{n}" for n in range(4)]
    assert "no rules" in texts


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_no_text_of_the_node_leaves_its_box(kind: str) -> None:
    state = node_state(CLIENT, DNS, HOSTILE[kind], "a" * 200)
    walk = replace(hostile_path(HOSTILE[kind]).before, state=state, node=HOSTILE[kind] * 5)
    root = ElementTree.fromstring(draw_node(walk, AskedPods(failing={HOSTILE[kind]: ("cluster DNS",) * 9})))
    boxes = [[float(rect.get(key, "0")) for key in ("x", "y", "width", "height")] for rect in root.iter("rect")]
    for text in root.iter("text"):
        x, y, end = float(text.get("x", "")), float(text.get("y", "")), LETTER * len(text.text or "")
        around = [box for box in boxes if box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]]
        left, _, width, _ = min(around, key=lambda box: box[2] * box[3])
        assert left + width >= x + end, text.text


@pytest.mark.thorough
@real
@pytest.mark.parametrize("name", sorted({*RECORDINGS} - {"healthy", "coredns-upstreams-dead"}))
def test_the_repair_lets_the_flow_pass(name: str) -> None:
    found = traced(name)
    assert not found.before.ending.arrived
    assert found.after
    assert found.after.ending.arrived
    assert found.diagnosis in looked_at(name).diagnoses


@real
def test_why_there_is_no_path_after_a_repair() -> None:
    found = traced("coredns-upstreams-dead")
    assert (found.after, found.before.ending.arrived) == (None, True)
    shown = "".join(page_of(report_of("coredns-upstreams-dead"), found).texts["p"])
    assert "on a copy of the node this flow arrives: what loses it is beyond the node" in shown


def test_why_there_is_no_path_at_all() -> None:
    look = looked_at("healthy")
    assert traced_or_reason(look, catalogue()) == "no flow failed, so there is none to follow"
    refused = CannotRead("twin", "user namespaces are not allowed here")
    facts = type(look.facts)({Experiments: refused}, live=False)
    assert traced_or_reason(replace(look, facts=facts), catalogue()) == refused.reason
    shown = "".join(page_of(report_of("ip-forward-zero"), refused.reason).texts["p"])
    assert "Not drawn: user namespaces are not allowed here." in shown


@pytest.mark.thorough
@real
def test_every_pod_whose_connections_fail_is_marked_and_says_what_does_not_answer() -> None:
    found = traced("note-b-direct-rules-reload")
    picture = draw_node(found.before, found.pods)
    root = ElementTree.fromstring(picture)
    assert len(found.pods.asked) == 5
    assert sum(rect.get("class") == "stop" for rect in root.iter("rect")) == 5 + 1  # and the hook
    assert sum(path.get("class") == "wrong" for path in root.iter("path")) == 5
    shown = " ".join(Page(picture).texts["text"])
    assert "test pod 10.244.0.10 ✗ no answer from ClusterIP" in shown
    assert "netdoctor-" not in shown
    of_test_pod, of_client = (found.pods.failing[pod] for pod in (found.pods.test_pod, "default/client"))
    assert "node" in of_client
    assert not {"node", "outside"} & {*of_test_pod}


@pytest.mark.thorough
@real
def test_the_path_says_its_cause_its_steps_and_once_how_it_ends() -> None:
    report, found = report_of("note-b-direct-rules-reload"), traced("note-b-direct-rules-reload")
    text = render(report, catalogue(), replace(found, changes=("one; and half", "two")))
    assert 'The flow belongs to <a href="#cause-1">CAUSE 1</a>: firewalld' in text
    assert '<ol class="steps"><li>one; and half</li><li>two</li></ol>' in text
    assert '<dt>fix</dt><dd>on the node<ol class="steps"><li>Remove firewalld' in text
    assert "<li>Make kube-proxy write its rules again</li>" in text
    assert Page(text).texts["b"].count("STOPPED") == 1
    drawn = Page(text).texts["text"]
    assert not [line for line in drawn if line.startswith(("STOPPED at", "ARRIVED"))]
    assert "it does not pass with every other change" not in text
