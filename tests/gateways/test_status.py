"""What the status says of modules, in text and Markdown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdoctor.gateways.status import ModuleStatus, SharedStatus, Status
from netdoctor.model import Report
from netdoctor.output.status_text import markdown, text

WELL = ModuleStatus("llm", 30100, 2, 2, ("gpt-4.1", "qwen"), True, "ready", 0, "")
STATUS = Status("litellm", (WELL,), (SharedStatus("postgres", 5432, 1, 1, ""),), "")
REPORT = Report((), (), "n1", (), "2026-01-01T00:00:00Z", 1.0, "netdoctor 0.1.0")


def test_all_is_well() -> None:
    assert STATUS.ok
    assert text(STATUS, REPORT) == [
        "modules in namespace litellm: 1 of 1 ready",
        "  ✓ llm         30100  2/2 ready  gpt-4.1, qwen",
        "  ✓ postgres    5432   1/1 ready",
        "HEALTHY  netdoctor check finds no fault",
    ]
    assert "| **LLM** chat completions and text generation | 30100 | 2/2 | `gpt-4.1`, `qwen` | answers |" in markdown(
        STATUS, REPORT
    )


@pytest.mark.parametrize(
    "wrong",
    [replace(WELL, ready=1), replace(WELL, wanted=0, ready=0, trouble="scaled to 0"), replace(WELL, answers=False),
     replace(WELL, node_port=0, answers=None, trouble="no Service selects its pods")],
    ids=["a replica less", "scaled to 0", "silent", "no Service"],
)  # fmt: skip
def test_a_module_that_nobody_reaches_is_not_ready(wrong: ModuleStatus) -> None:
    status = replace(STATUS, modules=(wrong,))
    assert not status.ok
    said = "\n".join(text(status, REPORT))
    assert "0 of 1 ready" in said
    assert "✗ llm" in said
    assert wrong.trouble in said
    assert "answers |" not in markdown(status, REPORT)


def test_a_table_stays_a_table() -> None:
    status = replace(STATUS, modules=(replace(WELL, trouble="a | b <c>"),), cause="pod x: a | b")
    assert "a \\| b &lt;c>" in markdown(status, REPORT)
