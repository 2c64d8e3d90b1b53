"""The kernel's count of neighbours, as /proc shows it."""

from __future__ import annotations

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.node.neighbour_table import NeighbourTable
from netdoctor.system.host import Host

HEAD = "entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast table_fulls\n"
LINES = "000003ff 0006630f 000631fc 00000006   002091ef 000705fa 00003140   00000000         00000007\n" * 2


def test_the_count_is_in_each_line() -> None:
    assert NeighbourTable.parse(HEAD + LINES, "1024\n") == NeighbourTable(1023, 1024)


@pytest.mark.parametrize("text", ["", HEAD, HEAD + "\n", HEAD + "zz 1"])
def test_damaged_text(text: str) -> None:
    with pytest.raises(CannotRead):
        NeighbourTable.parse(text, "1024")


def test_of_this_machine_and_of_a_namespace_without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert NeighbourTable.collect(Host()).entries >= 0
    monkeypatch.setattr("netdoctor.facts.node.neighbour_table.STATISTICS", "/proc/nowhere")
    assert NeighbourTable.collect(Host()) == NeighbourTable(0, 0)
