"""What the conntrack tool says of connections that are to be forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from netdoctor.changes._conntrack import TRIES, _deleted
from netdoctor.errors import CannotRead, Why
from netdoctor.system.host import Host, ProgramFailed

TOOL = "conntrack v1.4.7 (conntrack-tools): "
NONE = ProgramFailed("conntrack -D", f"{TOOL}0 flow entries have been deleted.")
ENDED = ProgramFailed("conntrack -D", f"tcp 6 src=10.0.0.1\n{TOOL}Operation failed: such conntrack doesn't exist")


@dataclass(frozen=True)
class Answering(Host):
    """A host whose conntrack ends so, one time after the other, and then well."""

    ends: list[CannotRead] = field(default_factory=list)

    def run(self, argv: object, timeout: float = 3.0, stdin: str | None = None) -> str:
        if self.ends:
            raise self.ends.pop(0)
        return ""


def test_none_of_a_kind_is_no_failure() -> None:
    assert not _deleted(Answering(ends=[NONE]), [])


def test_one_that_has_ended_meanwhile_does_not_keep_the_others() -> None:
    assert _deleted(Answering(ends=[ENDED, ENDED]), [])
    assert not _deleted(Answering(ends=[ENDED, NONE]), [])


@pytest.mark.parametrize(
    "ends", [[ENDED] * TRIES, [ProgramFailed("conntrack -D", "not root")], [CannotRead("conntrack", "", Why.NO_ANSWER)]]
)
def test_anything_else_is_told(ends: list[CannotRead]) -> None:
    with pytest.raises(CannotRead):
        _deleted(Answering(ends=list(ends)), [])
