"""Plain English, not another language's word order: in the strings and docstrings of the code, and in the documents."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCES = ("netdoctor", "probes", "remedies")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "docs/adr/*.md", "tests/*/README.md")
FEW = r"(?:\S+ ){0,4}?"  # words between two that belong together
VERB = r"(?:is|are|was|were|has|have|had|does|do|did|may|can|cannot|will|would|goes|comes|stays?|makes|needs)"
# the phrase, what to say instead, and a sentence that has it
PATTERNS = (
    (
        r", for (?:it|they|there|then|nobody|nothing|who|not|(?:this|that|what) (?:is|are|was|has|would))\b",
        "a colon, or because",
        "not made, for it would change the node",
    ),
    (
        rf", for (?:the|a|an|its|their|these|those|each|all|no) (?:(?!that|which)\S+ ){{1,3}}?{VERB}\b",
        "a colon, or because",
        "it does not help, for their packets are forwarded",
    ),
    (
        r"(?:^|(?<!here)(?<!\s) )(?:is|are|was|were|be) no (?!longer|more than|less)",
        "is not a X, does not belong to any X, no X does",
        "it is no address of the node",
    ),
    (
        r"(?<!here)(?<!\s) (?:is|are) none of\b",
        "is not one of, does not belong to",
        "it is none of the cluster's nodes",
    ),
    (r"\b(?:to|cannot|can|may) be had\b|\bis had\b", "is available, can be pulled", "the image is to be had"),
    (
        rf"\b[Ww]hat(?:ever)? {FEW}(?:pods?|hosts?|nodes?|networks?|\{{\}}) sends?\b",
        "pod traffic, traffic from X",
        "a rule drops what 4 of the pods send",
    ),
    (r"\banew\b", "again, recreated", "make the pods anew"),
    (r"\balike\b", "the same way, both", "it fails there alike"),
    (r"\ball the same\b", "anyway, still", "they answer all the same"),
    (r"\b[Ww]hoever\b", "anyone who, the program that", "whoever flushes iptables"),
    (r"\bwant of\b", "no X, out of X, because there is no X", "killed for want of memory"),
    (rf"\b(?:[Tt]ake|takes|taken|took|[Tt]aking) {FEW}away\b", "remove, delete", "take the rules away"),
    (rf"\b(?:[Tt]ake|takes|taken|took|[Tt]aking) {FEW}back\b", "undo, roll back", "the repair is taken back"),
    (r"\b(?:nothing|faults?|none) (?:is|are) left to\b", "nothing more to, no faults found", "no fault is left to see"),
    (
        r"\banswers? nobody\b|\bnobody listens\b|\blets? nobody in\b",
        "does not answer, nothing listens, refuses everybody",
        "a port where nobody listens",
    ),
    (
        r"\b(?:somebody|something) else than\b|\b(?:an)?other \w+ than\b",
        "somebody other than, a different X from",
        "in another namespace than the deployment",
    ),
    (r"\bto blame\b", "the cause", "firewalld is not to blame"),
    (r"\(wanted: ", "(expected: ", "no answer (wanted: an answer)"),
)
COMPILED = [(re.compile(phrase.replace(" ", r"\s+")), instead) for phrase, instead, _ in PATTERNS]
NOT_PROSE = re.compile(r"^```.*?^```|<!--.*?-->|`[^`]+`", re.DOTALL | re.MULTILINE)


def faults(text: str, line: int) -> Iterator[str]:
    """What a text that begins at a line says in a way that plain English does not: `line: the phrase: what to say`."""
    for pattern, instead in COMPILED:
        for found in pattern.finditer(text):
            phrase = " ".join(found[0].split())
            yield f"{line + text.count(chr(10), 0, found.start())}: {phrase!r}: say {instead}"


def in_source(path: Path) -> Iterator[str]:
    """The faults in the strings and docstrings of a Python file; a value in an f-string stands as {}."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield from faults("".join(_text(part) for part in node.values), node.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield from faults(node.value, node.lineno)


def _text(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else "{}"


def in_document(path: Path) -> Iterator[str]:
    """The faults in a document's prose: not in code, output and comments."""
    text = path.read_text(encoding="utf-8")
    yield from faults(NOT_PROSE.sub(lambda block: "\n" * block[0].count("\n"), text), 1)


def in_checkout(root: Path) -> list[str]:
    """All faults of a checkout, each with its file."""
    sources = [path for folder in SOURCES for path in sorted((root / folder).rglob("*.py"))]
    documents = [path for pattern in DOCUMENTS for path in sorted(root.glob(pattern))]
    found = [(path, fault) for path in sources for fault in in_source(path)]
    found += [(path, fault) for path in documents for fault in in_document(path)]
    return [f"{path.relative_to(root)}:{fault}" for path, fault in found]


def test_texts_are_in_plain_english() -> None:
    found = in_checkout(ROOT)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("phrase", "sentence"), [(phrase, sentence) for phrase, _, sentence in PATTERNS])
def test_each_phrase_is_found_in_a_sentence(phrase: str, sentence: str) -> None:
    assert re.search(phrase.replace(" ", r"\s+"), sentence), phrase


def test_a_planted_sentence_is_found_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "netdoctor").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "netdoctor/planted.py").write_text(
        '"""Title.\n\nThe pods are made\nanew.\n"""\n\nPORT = 1\nsaid = f"{PORT} is no " "port"  # a comment, anew\n'
    )
    (tmp_path / "docs/planted.md").write_text("# Title\n\n```\nanew\n```\n\n<!-- anew -->\nIt works all\nthe same.\n")
    assert in_checkout(tmp_path) == [
        "netdoctor/planted.py:4: 'anew': say again, recreated",
        "netdoctor/planted.py:8: 'is no': say is not a X, does not belong to any X, no X does",
        "docs/planted.md:8: 'all the same': say anyway, still",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        "There is no pod.",
        "It is no longer there.",
        "open for the length of a block",
        "Take the source.",
        "once, for each pod",
    ],
)
def test_plain_sentences_pass(sentence: str) -> None:
    assert list(faults(sentence, 1)) == []
