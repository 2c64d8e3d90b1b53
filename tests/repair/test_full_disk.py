"""A journal whose disk fills up: the taking back goes on, and what is in force is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netdoctor.changes.file import WriteFile
from netdoctor.errors import Drifted, JournalError
from netdoctor.repair.journal import Closed, EntryState, Journal, load
from netdoctor.repair.rollback import undo
from netdoctor.repair.runs import runs, unfinished
from netdoctor.system.host import Host
from tests.repair.folder_node import Node, node, switch_on

__all__ = ["node"]  # the fixture


def full_after(records: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A disk that has room for so many records of the journal; what comes out makes room again."""
    left = [records]
    original = Journal._write

    def write(journal: Journal, **record: object) -> None:
        if left[0] == 0:
            raise JournalError(f"{journal.path} cannot be written: No space left on device")
        left[0] -= 1
        original(journal, **record)

    monkeypatch.setattr(Journal, "_write", write)
    return lambda: left.__setitem__(0, 1000)


# header, two changes each planned, begun and applied, two verified, closed
@pytest.mark.parametrize("records", range(1, 9))
def test_a_full_disk_stops_no_taking_back(node: Node, monkeypatch: pytest.MonkeyPatch, records: int) -> None:
    before = node.files()
    make_room = full_after(records, monkeypatch)
    with pytest.raises(JournalError, match="No space left on device; what was begun is rolled back"):
        node.repair(switch_on)
    assert node.files() == before
    make_room()
    (journal,) = runs()
    assert not undo(journal.in_force, journal, node.said.append).stuck
    assert node.files() == before


def test_a_full_disk_after_the_proof_leaves_the_repair(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    full_after(9, monkeypatch)
    with pytest.raises(JournalError, match=r"the repair is proved and stays.*lacks nothing but that the run has ended"):
        node.repair(switch_on)
    assert (node.folder / "a.conf").read_text() == "forward = 1\n"
    (journal,) = runs()
    assert [entry.state for entry in journal.entries] == [EntryState.VERIFIED, EntryState.VERIFIED]
    assert unfinished() == []


def test_what_stays_on_a_full_disk_is_named(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    take_back = WriteFile.undo

    def broken(change: WriteFile, host: Host) -> None:
        if change.path.endswith("extra.conf"):
            raise Drifted("somebody was quicker")
        take_back(change, host)

    monkeypatch.setattr(WriteFile, "undo", broken)
    full_after(7, monkeypatch)
    with pytest.raises(JournalError, match=r"still in force: create \S+/extra.conf; `netdoctor undo` undoes it once"):
        node.repair(switch_on)


def test_interrupted_on_a_full_disk(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    before = node.files()
    apply = WriteFile.apply

    def halfway(change: WriteFile, host: Host) -> None:
        apply(change, host)
        raise KeyboardInterrupt

    monkeypatch.setattr(WriteFile, "apply", halfway)
    full_after(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        node.repair(switch_on)
    assert node.files() == before
    assert "cannot be written" in node.said[-1]


def test_what_could_not_be_written_is_written_with_the_end(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    _, journal = node.repair(switch_on)
    make_room = full_after(0, monkeypatch)
    assert not undo(journal.entries, journal, node.said.append).stuck
    assert [entry.state for entry in load(journal.path).entries] == [EntryState.VERIFIED, EntryState.VERIFIED]
    make_room()
    journal.close(Closed.UNDONE)
    assert load(journal.path).in_force == []
