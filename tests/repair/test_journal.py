"""The journal: written before anything is changed, and readable after any interruption."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from netdoctor.changes import kinds
from netdoctor.changes.file import FileState, WriteFile
from netdoctor.changes.kube_proxy import ResyncKubeProxy
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import Drifted, JournalError, Locked
from netdoctor.repair import runs as lock_runs
from netdoctor.repair.journal import (
    Closed,
    EntryState,
    Journal,
    begin,
    load,
    reopen,
)
from netdoctor.repair.runs import locked, readable_runs, runs, unfinished, unfinished_notice
from netdoctor.system.state_folder import make


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETDOCTOR_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def realistic() -> Journal:
    journal = begin()
    followers = (("/proc/sys/net/ipv4/conf/eth0/forwarding", "0"),)
    first = journal.plan("enable-ip-forward", SetSysctl("net.ipv4.ip_forward", "1", "0", followers))
    journal.mark(first, EntryState.APPLIED)
    was = FileState("caf\xc3\xa9 \xff\n", 0o640, 0, 0)
    second = journal.plan("enable-ip-forward", WriteFile("/etc/sysctl.d/99-netdoctor-x.conf", "x\n", was, ("/etc/a",)))
    journal.mark(second, EntryState.APPLIED)
    journal.mark(first, EntryState.VERIFIED)
    journal.mark(second, EntryState.VERIFIED)
    journal.close(Closed.COMMITTED)
    journal.mark(second, EntryState.UNDOING)
    journal.mark(second, EntryState.UNDONE)
    journal.close(Closed.UNDONE)
    return journal


def test_what_is_read_is_what_was_written() -> None:
    journal = realistic()
    assert load(journal.path) == journal
    assert [entry.number for entry in journal.in_force] == [0]


def test_only_root_may_read_it(state: Path) -> None:
    journal = realistic()
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE((state / "runs").stat().st_mode) == 0o700
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.thorough
def test_cut_at_every_byte() -> None:
    journal = realistic()
    data = journal.path.read_bytes()
    lines = data.splitlines(keepends=True)
    for length in range(len(data) + 1):
        journal.path.write_bytes(data[:length])
        cut = load(journal.path)
        whole = data[:length].count(b"\n")
        planned = sum(json.loads(line)["record"] == "planned" for line in lines[:whole])
        assert len(cut.entries) == planned
        assert cut.closed == (json.loads(lines[whole - 1]).get("how") if whole else None)
        unfinished_notice()
        reopen(cut)
        assert journal.path.read_bytes() == b"".join(lines[:whole])


def test_a_cut_journal_goes_on_after_the_cut() -> None:
    journal = realistic()
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[: data.index(b'"applied"') + 3])
    cut = load(journal.path)
    assert [run.run for run in unfinished()] == [journal.run]
    reopen(cut)
    cut.mark(cut.entries[0], EntryState.UNDONE)
    cut.close(Closed.UNDONE)
    assert load(journal.path) == cut
    assert unfinished() == []


def replaced(line: int, old: str, new: str) -> bytes:
    journal = realistic()
    lines = journal.path.read_text().splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    journal.path.write_text("".join(lines))
    return journal.path.read_bytes()


@pytest.mark.parametrize(
    ("line", "old", "new", "says"),
    [
        (1, '"schema_version": 1', '"schema_version": 2', "version 2"),
        (1, "header", "footer", "header"),
        (2, '"sysctl"', '"registry"', "unknown kind of change: registry"),
        (2, '"key"', '"kee"', "no change of kind sysctl"),
        (2, '"value": "1"', '"value": 1', "no change of kind sysctl"),
        (2, "net.ipv4.ip_forward", "kernel.core_pattern", "no change of kind sysctl"),
        (2, "/proc/sys/net/ipv4/conf/eth0/forwarding", "/etc/shadow", "no change of kind sysctl"),
        (2, "conf/eth0/forwarding", "conf/../forwarding", "no change of kind sysctl"),
        (2, "conf/eth0/forwarding", "conf/eth0/rp_filter", "no change of kind sysctl"),
        (1, '"sequence": 1', '"sequence": "last"', "its number among the runs is not a number"),
        (2, '"followers"', '"more": 1, "followers"', "fields that it does not have"),
        (2, '"number": 0', '"number": 1', "a record is missing"),
        (3, '"number": 0', '"number": 7', "never planned"),
        (3, '"number": 0', '"number": true', "never planned"),
        (3, "applied", "burnt", "burnt"),
        (4, "{", "", "line 4"),
        (8, "committed", "forgotten", "forgotten"),
    ],
)
def test_damage_is_named_and_nothing_is_deleted(line: int, old: str, new: str, says: str) -> None:
    data = replaced(line, old, new)
    path = next(iter((Path(os.environ["NETDOCTOR_STATE_DIR"]) / "runs").iterdir()))
    with pytest.raises(JournalError, match=f"line {line}:") as error:
        runs()
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 3
    assert path.read_bytes() == data


def test_every_byte_may_be_wrong() -> None:
    journal = realistic()
    data = journal.path.read_bytes()
    for place in range(0, len(data), 7):
        journal.path.write_bytes(data[:place] + b"\x00" + data[place + 1 :])
        try:
            load(journal.path)
        except JournalError as error:
            assert str(journal.path) in str(error)  # noqa: PT017 - either answer is sane


def test_every_change_is_registered_by_its_file() -> None:
    assert set(kinds()) == {
        "file", "sysctl", "module", "firewalld-source", "firewalld-direct", "kube-proxy-resync", "pod-masquerade",
        "masquerade-network", "accept-rules", "cni-forward", "kubernetes-object", "link", "bridge-port", "address",
        "connected-route",
    }  # fmt: skip


def test_two_repairs_do_not_run_at_once() -> None:
    code = (
        "import sys\nfrom netdoctor.repair.runs import locked\nwith locked():\n print('held', flush=True)\n "
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ}
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Locked, match=f"pid {other.pid}"), locked():
            pytest.fail("the lock was given twice")
        other.kill()
    with locked():
        pass


def test_a_folder_that_was_made_for_the_lock_alone_is_gone_afterwards() -> None:
    folder = Path(os.environ["NETDOCTOR_STATE_DIR"])
    with locked():
        assert (folder / "lock").exists()
    assert not folder.exists()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_one_that_holds_something_stays(when: str) -> None:
    folder = Path(os.environ["NETDOCTOR_STATE_DIR"])
    if when == "before":
        folder.mkdir(mode=0o700)
    with locked():
        if when == "meanwhile":
            (folder / "runs").mkdir(mode=0o700)
    assert (folder / "lock").exists()


def test_a_lock_that_was_removed_before_it_was_held_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two could hold one each: the file that is gone, and the one that a third has made since."""
    folder = Path(os.environ["NETDOCTOR_STATE_DIR"])
    opened, numbers = lock_runs._opened, list[int]()

    def removed_at_first(path: Path) -> int:
        numbers.append(opened(path))
        if len(numbers) == 1:
            path.unlink()
        return numbers[-1]

    monkeypatch.setattr(lock_runs, "_opened", removed_at_first)
    with locked():
        assert len(numbers) == 2
        assert (folder / "lock").read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("times", [1, lock_runs.TRIES - 1])
def test_a_folder_that_is_removed_before_the_lock_is_made_in_it_is_made_again(
    times: int, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another netdoctor ends in this moment, and removes the folder that it has made."""
    removed = list[Path]()

    def made_and_removed(folder: Path) -> None:
        make(folder)
        if len(removed) < times:
            removed.append(folder)
            folder.rmdir()

    monkeypatch.setattr(lock_runs, "make", made_and_removed)
    with locked():
        assert (state / "lock").read_text() == f"{os.getpid()}\n"
    assert len(removed) == times


def test_a_folder_that_is_never_there_is_told(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_runs, "make", lambda _: None)
    with (
        pytest.raises(JournalError, match=r"lock cannot be made: No such file or directory; nothing was changed"),
        locked(),
    ):
        pass


def test_nothing_stops_who_holds_the_lock() -> None:
    before = [signal.getsignal(number) for number in lock_runs.STOPPING]
    with locked():
        assert {signal.getsignal(number) for number in lock_runs.STOPPING} == {signal.SIG_IGN}
        os.kill(os.getpid(), signal.SIGTSTP)  # as Ctrl-Z does
        with pytest.raises(Locked), locked():
            pass
        assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
    assert [signal.getsignal(number) for number in lock_runs.STOPPING] == before


def test_nothing_is_made_by_looking(state: Path) -> None:
    assert runs() == []
    assert unfinished_notice() == []
    assert not state.exists()


def test_a_damaged_one_hides_no_other() -> None:
    good, bad = realistic(), realistic()
    bad.path.write_text("no journal\n")
    found, damaged = readable_runs()
    assert [journal.run for journal in found] == [good.run]
    assert len(damaged) == 1
    assert damaged[0].startswith(f"{bad.path}, line 1: the line is damaged: it is not JSON; ")
    with pytest.raises(JournalError, match="line 1"):
        runs()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\xff\n", "it is not JSON"),
        ("[" * 100_000 + "\n", "it is not JSON"),
        ('"text"\n', "it is not a netdoctor record"),
        ("3\n", "it is not a netdoctor record"),
    ],
)
def test_damage_in_plain_words(text: str, says: str) -> None:
    journal = realistic()
    journal.path.write_text(text, encoding="latin-1")
    with pytest.raises(JournalError, match=says):
        load(journal.path)


@pytest.mark.parametrize("what", ["link", "fifo", "folder", "large"])
def test_a_journal_is_a_regular_file_of_limited_size(what: str) -> None:
    path = realistic().path
    if what == "large":
        os.truncate(path, 10 << 30)
    else:
        path.unlink()
    if what == "link":
        path.symlink_to("/dev/zero")
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    with pytest.raises(JournalError, match="is not a journal"):
        load(path)


@pytest.mark.parametrize("at", ['"noon"', "NaN", "true", "-1", "1e300", "null"])
def test_the_time_of_a_beginning_is_a_time(at: str) -> None:
    journal = begin()
    entry = journal.plan("enable-ip-forward", SetSysctl("net.ipv4.ip_forward", "1", "0"))
    journal.begin(entry)
    assert load(journal.path) == journal
    journal.path.write_text(journal.path.read_text().replace(f'"at": {entry.began}', f'"at": {at}'))
    with pytest.raises(JournalError, match="line 3: the time in it is not a time"):
        load(journal.path)


def test_fields_that_came_later_may_be_missing() -> None:
    journal = begin()
    journal.plan("resync-kube-proxy", ResyncKubeProxy("kube-system/x", "iptables", (), False, uid="u", node="n"))
    journal.path.write_text(journal.path.read_text().replace(', "uid": "u", "node": "n"', ""))
    assert load(journal.path).entries[0].change == ResyncKubeProxy("kube-system/x", "iptables", (), False)


def test_what_could_not_be_read_back_is_not_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = begin()
    monkeypatch.delenv("NETDOCTOR_STATE_DIR")
    with pytest.raises(Drifted, match="undo would not revert this"):
        journal.plan("write-files", WriteFile("/etc/cron.d/x", "x\n", None))
    assert load(journal.path).entries == []
