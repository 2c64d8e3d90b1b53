"""The tracer's own tables, on kernels that lack some kind of them."""

from __future__ import annotations

import pytest

from netdoctor.system.host import ProgramFailed
from netdoctor.twin import tracer

REFUSED = "/dev/stdin:1:1-1: Error: Could not process rule: {}"


class Kernel:
    """A host whose nft refuses tables of one family, in these words."""

    def __init__(self, family: str, words: str) -> None:
        self.family, self.words = family, words
        self.made: list[str] = []

    def __call__(self) -> Kernel:
        """The host."""
        return self

    def run(self, _argv: object, stdin: str = "") -> str:
        """What nft prints."""
        family = stdin.split()[1]
        if family == self.family:
            raise ProgramFailed("nft -f -", REFUSED.format(self.words))
        self.made.append(family)
        return ""


def test_a_kernel_without_bridge_tables_is_traced_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel("bridge", "Operation not supported")
    monkeypatch.setattr(tracer, "Host", kernel)
    tracer._mark(["eth0"])
    assert kernel.made == ["inet", "netdev"]


@pytest.mark.parametrize(
    ("family", "words"), [("inet", "Operation not supported"), ("bridge", "Operation not permitted")]
)
def test_any_other_refusal_is_told(monkeypatch: pytest.MonkeyPatch, family: str, words: str) -> None:
    monkeypatch.setattr(tracer, "Host", Kernel(family, words))
    with pytest.raises(ProgramFailed, match=words):
        tracer._mark(["eth0"])
