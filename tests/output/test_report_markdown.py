"""The report as Markdown: short before the fold, and nothing that a pod or a node wrote is more than text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from netdoctor.model import Report
from netdoctor.output import markdown
from netdoctor.output.report_markdown import render
from netdoctor.output.report_words import told
from tests.output.reports import HOSTILE, RECORDINGS, hostile, report_of
from tests.output.test_report import FAULTY, HEALTHY, NO_NODE, UNKNOWN
from tests.twin.network import real
from tests.worlds import catalogue

OWN_HTML = re.compile(r"</?details>|<summary>[\w ,:.]*</summary>")
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MOST = 60  # lines before the first fold
# what GitHub and GitLab make a link of
NAMED = re.compile(r'(?<![\w&])[@#!~^%]["\w.]|[&$]\d|\bGH-\d|://|(?<![^\W_])www\.|@[\w.-]')


def tokens_of(report: Report) -> Iterator[Token]:
    for token in PARSER.parse(render(report, catalogue())):
        yield token
        yield from token.children or ()


def open_part(report: Report) -> str:
    return render(report, catalogue()).partition("<details>")[0]


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recording_fits_before_the_fold(name: str) -> None:
    shown = open_part(report_of(name))
    assert shown.count("\n") <= MOST
    for diagnosis in report_of(name).diagnoses:
        assert markdown.text(diagnosis.cause.summary) in shown
        assert f"netdoctor explain {diagnosis.cause.probe}" in shown


def test_what_is_read_without_a_click() -> None:
    shown = open_part(report_of("note-d-reload-and-bridge"))
    assert shown.startswith("## netdoctor check: FAULTY\n\n2 causes explain 8 other failing checks · 4 not tested\n")
    assert "| node | node-1 (judged from a recording) |" in shown
    assert "| runs | Kubernetes 1.36.3 · CNI bridge · kube-proxy iptables · firewalld 2.3.1 |" in shown
    assert "on the node: `sudo netdoctor fix --dry-run`" in shown
    assert "| ✓ pods | pods reach their node;" in open_part(report_of("nft-table-drops-postgres"))


@pytest.mark.parametrize(("report", "begin"), [
    (HEALTHY, "## netdoctor check: HEALTHY\n\n1 checks passed"), (NO_NODE, "## netdoctor check: COULD NOT TELL"),
    (UNKNOWN, "## netdoctor check: COULD NOT TELL\n\nno fault was found, but 1 of 2 checks could not be made\n"),
    (FAULTY, "## netdoctor check: FAULTY\n"),
])  # fmt: skip
def test_the_verdict_stands_first(report: Report, begin: str) -> None:
    assert render(report, catalogue()).startswith(begin)


def test_every_observation_and_every_check_is_below_the_fold() -> None:
    report = report_of("note-b-direct-rules-reload")
    folded = render(report, catalogue()).partition("<details>")[2]
    for diagnosis in report.diagnoses:
        assert all(markdown.code(told(item)[0]) in folded for item in diagnosis.cause.evidence)
    assert all(f"`{result.probe}`" in folded for result in report.results)


@real
def test_what_a_copy_showed_is_told_without_what_goes_without_saying() -> None:
    shown = render(report_of("nft-table-drops-postgres"), catalogue())
    assert "fails the same way there" in shown
    assert "it passes as it is" not in shown
    assert "it does not pass with every other change" not in shown
    assert "(expected: `accepted`)" in shown


def test_a_check_that_causes_explain_stands_once() -> None:
    report = report_of("note-b-direct-rules-reload")
    shown = render(report, catalogue()).partition("<details>")[2]
    for finding in (finding for diagnosis in report.diagnoses for finding in diagnosis.symptoms):
        assert shown.count(markdown.text(finding.summary)) == 1, finding.summary
    assert "It explains `kube-proxy-rules-missing`, `pod-masquerade-missing`, " in shown
    first, second = report.diagnoses
    same = replace(report, diagnoses=(first, replace(second, symptoms=first.symptoms)))
    assert "It explains the same checks as CAUSE 1." in render(same, catalogue())


def test_checks_that_do_not_apply_are_grouped_by_their_reason() -> None:
    shown = render(report_of("note-b-direct-rules-reload"), catalogue())
    assert shown.count("the cluster has no workload of LiteLLM") == 1
    assert "- gateways: no modules: the cluster has no workload of LiteLLM: 8 checks (`gateway-keeps-ending`, " in shown


def test_what_it_holds_stands_at_its_end() -> None:
    shown = render(HEALTHY, catalogue()).splitlines()[-1]
    assert "it does hold names and addresses of your network. `netdoctor record` makes a recording" in shown


def test_each_part_that_is_folded_is_closed() -> None:
    for name in RECORDINGS:
        lines = render(report_of(name), catalogue()).splitlines()
        marks = [line for line in lines if line in ("<details>", "</details>")]
        assert marks == ["<details>", "</details>"] * (len(marks) // 2)
        assert all(lines[at + 1] == "" for at, line in enumerate(lines) if "</summary>" in line)


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_nothing_foreign_is_more_than_text(kind: str) -> None:
    report = hostile(HOSTILE[kind])
    found = {token.type for token in tokens_of(report)}
    assert not found & {"link_open", "image", "hr", "blockquote_open", "ordered_list_open", "s_open", "em_open"}
    html = [token.content for token in tokens_of(report) if token.type.startswith("html")]
    assert [left for left in (OWN_HTML.sub("", part).strip() for part in html) if left] == []
    headings = [token.tag for token in tokens_of(report) if token.type == "heading_open"]
    assert headings == ["h2", "h3", "h3"]
    assert sum(token.type == "table_open" for token in tokens_of(report)) == 2
    rows = [line for line in open_part(report).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_nobody_is_mentioned_and_no_issue_is_referred_to(kind: str) -> None:
    texts = [token.content for token in tokens_of(hostile(HOSTILE[kind])) if token.type == "text"]
    assert [found[0] for text in texts if (found := NAMED.search(text))] == []


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_hostile_text_stays_before_the_fold(kind: str) -> None:
    assert open_part(hostile(HOSTILE[kind])).count("\n") <= MOST


def test_a_text_is_read_as_it_was() -> None:
    for line in ("$36 and $a $6", "50% of #1 & &2 !3", "a_b*c|d~e`f", "http://[::1]:53", "1. a <b> \\c &amp; &#36;"):
        (read,) = PARSER.parse(markdown.text(line))[1:2]
        told = "".join(token.content for token in read.children or ())
        assert told.replace("\u200b", "") == line


def test_what_is_to_be_typed_is_left_as_it_is() -> None:
    line = "sudo grep -rsn '`a` | <b> @c #1' /etc"
    (text,) = PARSER.parseInline(markdown.code(line))[0].children or []
    assert (text.type, text.content) == ("code_inline", line)
    assert PARSER.parse("\n".join(markdown.block((line, "```", "~~~~"))))[0].content == f"{line}\n```\n~~~~\n"


def test_no_secret_gets_out() -> None:
    secret = "password=hunter2hunter2"
    assert "hunter2" not in render(hostile(f"{secret} Authorization: Bearer abcdefghijklmnopqrstuvwx"), catalogue())
