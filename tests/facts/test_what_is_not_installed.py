"""A program or a table that is not there is another thing than one that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from netdoctor.errors import CannotRead, NotInstalled, Why
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.node import iptables
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host, ProgramFailed
from netdoctor.twin.capture import _ipsets

DENIED = ProgramFailed("x", "x: Could not fetch rule set generation id: Permission denied (you must be root)")
NO_TABLE = ProgramFailed("nft", "Error: No such file or directory\nlist table ip kube-proxy")
NO_PROGRAM = NotInstalled("x", "apt-get install x")
SLOW = CannotRead("x", "no answer within 5 s", Why.NO_ANSWER)


@dataclass(frozen=True)
class Lacking(Host):
    """A host on which some programs end so; the others print nothing."""

    ends: dict[str, CannotRead] = field(default_factory=dict)

    def run(self, argv: list[str], timeout: float = 3.0, stdin: str | None = None) -> str:  # type: ignore[override]
        if argv[0] in self.ends:
            raise self.ends[argv[0]]
        return ""


@pytest.mark.parametrize("end", [DENIED, SLOW])
def test_only_a_missing_program_is_replaced_by_iptables_save(monkeypatch: pytest.MonkeyPatch, end: CannotRead) -> None:
    monkeypatch.setattr(kernel_modules, "backend", lambda _: "iptables-nft-save")
    assert iptables._saved(Lacking(ends={"iptables-nft-save": NO_PROGRAM}), "iptables-nft-save") == ""
    with pytest.raises(CannotRead, match=end.reason.partition("(")[0]):
        iptables._saved(Lacking(ends={"iptables-nft-save": end}), "iptables-nft-save")


@pytest.mark.parametrize("end", [DENIED, SLOW])
def test_only_a_missing_table_translates_nothing(end: CannotRead) -> None:
    assert Translated.read(Lacking(ends={"nft": NO_TABLE}), "nftables").ports == ()
    with pytest.raises(CannotRead):
        Translated.read(Lacking(ends={"nft": end}), "nftables")


@pytest.mark.parametrize("end", [DENIED, SLOW])
def test_only_without_ipset_there_are_no_sets(end: CannotRead) -> None:
    assert _ipsets(Lacking(ends={"ipset": NO_PROGRAM})) == ""
    with pytest.raises(CannotRead):
        _ipsets(Lacking(ends={"ipset": end}))
