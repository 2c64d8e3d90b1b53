"""docs/accuracy.md tells what a run has noted, misses and failures too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import accuracy_record
from tests.scripts import script

accuracy = script("accuracy.py")
WARNING = {"probe": "uplink-down", "severity": "warning", "confidence": "confirmed"}
ERROR = {"probe": "gateway-silent", "severity": "error", "confidence": "likely"}
REPORT = {"seconds": 3.2, "causes": [WARNING, ERROR]}


def page_of(record: Path) -> str:
    return "\n".join(accuracy.page(accuracy.rows(record)))


def test_what_a_run_notes_stands_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "record.jsonl"
    monkeypatch.setattr(accuracy_record, "FILE", str(record))
    accuracy_record.note_check("gateway-dead", ["gateway-silent"], REPORT)
    accuracy_record.note("gateway-dead", repaired=False, undone=False)
    accuracy_record.note("gateway-dead", repaired=True, fix_seconds=4.5)
    accuracy_record.note_check("another", ["uplink-down"], REPORT)
    accuracy_record.note_check("healthy-odd", [], {"seconds": 1.0, "causes": [WARNING]})
    accuracy_record.note_pair(["gateway-dead", "uplink-down"], ["uplink-down"], REPORT)
    said = page_of(record)
    assert "| gateway-dead + uplink-down | gateway-silent | uplink-down | 3.2 |" in said
    assert "Both are named: 0 of 1 (0.0%)." in said
    assert "| gateway-dead | gateway-silent | gateway-silent | likely | 3.2 | yes, 4.5 s | **no** |" in said
    assert "| another | uplink-down | **gateway-silent** | likely | 3.2 | - | - |" in said
    assert "| healthy-odd | none | none | - | 1.0 | - | - |" in said
    assert "The right cause first: 1 of 2 (50.0%)" in said
    assert "No false alarm: 1 of 1 (100.0%)" in said
    assert "1 of 1 (100.0%) of the faults with a remedy." in said
    assert "Undone to the byte: 0 of 1 (0.0%) of these." in said


def test_a_false_alarm_is_none_of_the_successes(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    line = {"fault": "healthy-odd", "expected": [], "first": "uplink-down", "confidence": "confirmed", "seconds": 1}
    broken = {"fault": "b", "expected": ["x"], "first": "x", "confidence": "confirmed", "seconds": 1}
    record.write_text(f"{json.dumps(line)}\n{json.dumps(broken)}\n")
    said = page_of(record)
    assert "No false alarm: 0 of 1 (0.0%)" in said
    assert "| healthy-odd | none | **uplink-down** |" in said


def test_what_the_lab_cannot_make_is_listed_with_the_reason() -> None:
    assert all(accuracy.skipped().values())
    assert "connection-tracking-full" in accuracy.skipped()
