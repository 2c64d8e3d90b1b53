"""YAML that unfolds, holds itself, or is none: refused within moments."""

from __future__ import annotations

import time

import pytest
import yaml

from netdoctor.errors import BadInput
from netdoctor.facts.gateways.kustomization import parse
from netdoctor.system.plain_yaml import load, load_all


def bomb(depth: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, depth)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("text", [bomb(9), bomb(300), "&a [*a]", "a: &a {b: *a}", "[" * 100_000, "? [a]\n: b",
                                  "a: 2001-99-99", "a: [", "a: 1\n---\nb: 2"])  # fmt: skip
def test_what_is_refused(text: str) -> None:
    begin = time.monotonic()
    with pytest.raises((yaml.YAMLError, ValueError, RecursionError)):
        load(text)
    assert time.monotonic() - begin < 10


def test_what_is_read() -> None:
    assert load("a: &x [1, 2]\nb: *x\nc: {<<: {d: 3}}") == {"a": [1, 2], "b": [1, 2], "c": {"d": 3}}
    assert load("") is None
    assert list(load_all("a: 1\n---\nb: 2\n")) == [{"a": 1}, {"b": 2}]


def test_manifests_that_unfold_are_one_sentence() -> None:
    with pytest.raises(BadInput, match="unfolds to too many values"):
        parse("kind: ConfigMap\nmetadata: {name: a}\n" + bomb(9), "k8s")
