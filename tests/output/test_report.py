"""The report: as JSON and back, by its schema, and as text."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from netdoctor.errors import BadInput
from netdoctor.model import Confidence, Diagnosis, Evidence, Finding, Outcome, Report, Result, Severity, Subject
from netdoctor.output.report_json import from_json, to_json
from netdoctor.output.report_text import console, render
from tests.worlds import catalogue

SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
UPDATE = os.environ.get("NETDOCTOR_UPDATE_SNAPSHOTS") == "1"

ON_N1 = Subject(node="n1")
CAUSE = Finding(
    "net.ipv4.ip_forward is 0: the node drops whatever its pods send beyond their own bridge",
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
        Result("postgres-login-refused", Outcome.BLOCKED, reason="requires postgres-unreachable",
               blocked_by=("postgres-unreachable",)),
        Result("firewalld-rejects-pods", Outcome.NOT_APPLICABLE, reason="firewalld does not run"),
    ),
    diagnoses=(Diagnosis(CAUSE, (SYMPTOM,)), Diagnosis(ALONE, (), unexplained=True), Diagnosis(WARNING)),
    node="n1", vantage_points=("host", "test pod"), started="2026-11-24T10:00:00Z", seconds=1.5,
    tool="netdoctor 0.1.0", notices=("not root: what only root may read is unknown; run it with sudo",),
)  # fmt: skip
HEALTHY = Report((Result("cni-config-unusable", Outcome.PASS),), (), "n1", ("host",), "", 0.5, "netdoctor 0.1.0")
UNKNOWN = Report((Result("corefile-invalid", Outcome.UNKNOWN, reason="no API server"),), (), "n1", (), "", 0.5,
                 "netdoctor 0.1.0")  # fmt: skip
REPORTS = {"faulty": FAULTY, "healthy": HEALTHY, "could-not-tell": UNKNOWN}


def text_of(report: Report, width: int = 110) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(render(report, catalogue()))
    return out.getvalue()


@pytest.mark.parametrize("name", list(REPORTS))
def test_text(name: str) -> None:
    stored = SNAPSHOTS / f"{name}.txt"
    text = text_of(REPORTS[name])
    if UPDATE:
        stored.write_text(text)
    assert text == stored.read_text(), "NETDOCTOR_UPDATE_SNAPSHOTS=1 accepts the new text"


@pytest.mark.parametrize("width", [40, 80, 110, 200])
def test_lines_do_not_end_in_spaces_and_fit(width: int) -> None:
    for report in REPORTS.values():
        lines = text_of(report, width).splitlines()
        assert [line for line in lines if line != line.rstrip()] == []
        assert max(map(len, lines)) <= width


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
    assert from_json(to_json(REPORTS[name])) == REPORTS[name]


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
    damaged["results"][0]["outcome"] = "perhaps"
    with pytest.raises(BadInput, match=r"results\.0\.outcome"):
        from_json(json.dumps(damaged))
