"""Why a fact could not be read is told by `CannotRead.why`: no code decides by the words that people read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

READING = {"startswith", "endswith", "removeprefix", "removesuffix", "partition", "split", "find", "search", "match"}
FOLDERS = ("netdoctor", "probes", "remedies")
EXCEPTIONS = {
    "netdoctor/output/gate_text.py: other.reason == need.reason": "needs with one sentence share a line",
    "netdoctor/output/gate_text.py: need.reason not in told": "the same",
    "netdoctor/diagnosis/check.py: result.reason == NOT_IN_RECORDING": "a sentence of a result, not of an error",
}


def decisions(text: str) -> Iterator[str]:
    """Each expression that compares or takes apart an error's words."""
    for node in ast.walk(ast.parse(text)):
        if any(map(_is_reason, _looked_at(node))):
            yield ast.unparse(node)


def _looked_at(node: ast.AST) -> list[ast.expr]:
    """What a comparison compares, or a call that reads text reads."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READING:
        return [node.func.value, *node.args]
    return []


def _is_reason(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "reason"


def found() -> set[str]:
    """The decisions in the code, by file."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return {f"{path.relative_to(ROOT)}: {one}" for path in paths for one in decisions(Path(path).read_text("utf-8"))}


@pytest.mark.thorough
def test_nothing_decides_by_the_words_of_an_error() -> None:
    assert found() == set(EXCEPTIONS)


@pytest.mark.parametrize(
    "decision",
    [
        "'No such file' in error.reason",
        "error.reason == LINK",
        "error.reason in (LINK, OTHER)",
        "pod.reason.startswith(NO_NETWORK)",
        "NAME.search(this.reason)",
    ],
)
def test_a_decision_is_seen(decision: str) -> None:
    assert list(decisions(f"if {decision}:\n    pass\n")) == [decision]


def test_words_that_are_passed_on_are_none() -> None:
    assert not list(decisions("raise BadInput(f'{path}: {error.reason}') from error\nsay(error.reason)\n"))
