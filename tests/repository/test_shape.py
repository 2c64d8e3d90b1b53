"""The figures of scripts/shape: what has to stay at nothing, and that they see what they count."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

HARD = "def f(a):\n" + "".join(f"    if a == {number}:\n        return [x for x in a if x]\n" for number in range(5))
LATE = "def g():\n    from netdoctor.b import thing\n    return thing\n"


def figures(root: Path) -> dict[str, str]:
    """What scripts/shape prints of a checkout, by the words before the colon."""
    argv = [sys.executable, str(ROOT / "scripts/shape"), str(root)]
    printed = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    pairs = (line.partition(": ") for line in printed.splitlines() if not line.startswith(" "))
    return {name: value for name, _, value in pairs}


@pytest.mark.thorough
def test_nothing_imports_in_a_circle_and_each_class_has_a_name_of_its_own() -> None:
    found = figures(ROOT)
    assert found["import cycles"] == "0"
    assert found["names of classes used twice"] == "0"


def test_what_is_wrong_is_counted(tmp_path: Path) -> None:
    for name, text in (
        ("netdoctor/a.py", f"class Twice:\n    x = 1\n\n\n{LATE}"),
        ("netdoctor/b.py", "from netdoctor.a import Twice as One\n\n\nclass Twice:\n    thing = One\n"),
        ("netdoctor/twin/c.py", f"def h(body):\n    return body[7], 3 in body, body.get(15), body[0]\n\n\n{HARD}"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = figures(tmp_path)
    assert found["import cycles"] == "1; netdoctor.a netdoctor.b"
    assert found["late imports outside of cli/"] == "1 in 1 files"
    assert found["names of classes used twice"] == "1 Twice"
    assert found["bare numbers in messages"] == "3"
    assert found["functions above a complexity of 12"] == "1"
