"""`netdoctor undo` as users meet it: partly refused, with no output, on a full disk, hung up, with damaged journals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netdoctor.changes.file import WriteFile
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.repair.journal import Closed, EntryState, Journal, begin, load
from netdoctor.repair.runs import locked, next_number, runs, unfinished, unfinished_notice
from netdoctor.system.host import Host
from tests.cli.test_cli import netdoctor, one_sentence
from tests.conftest import ROOT
from tests.schemas import valid

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(os.geteuid() != 0, reason="only root may undo")]
NAMES = ("a", "b", "c")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETDOCTOR_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def repaired(folder: Path, names: tuple[str, ...] = NAMES) -> Journal:
    """A proved run that has made these files."""
    journal = begin(next_number())
    for name in names:
        entry = journal.plan("write-files", WriteFile.planned(str(folder / name), f"{name}\n"))
        entry.change.apply(Host())
        journal.mark(entry, EntryState.APPLIED)
        journal.mark(entry, EntryState.VERIFIED)
    journal.close(Closed.COMMITTED)
    return journal


def there(folder: Path) -> list[str]:
    return [name for name in NAMES if (folder / name).exists()]


class TestPartlyRefused:
    def test_it_is_no_interrupted_repair(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        (tmp_path / "b").write_text("mine\n")
        done = netdoctor("undo")
        assert done.returncode == 3
        assert f"run {journal.run} is undone in part: somebody has changed" in done.stdout
        assert f"still in force: create {tmp_path}/a" in done.stdout
        assert there(tmp_path) == ["a", "b"]
        assert load(journal.path).closed is Closed.PARTLY_UNDONE
        assert unfinished() == []
        assert netdoctor("undo", "--force").returncode == 3
        assert there(tmp_path) == ["b"]

    def test_nothing_taken_back_leaves_the_run_as_it_was(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        (tmp_path / "c").write_text("mine\n")
        done = netdoctor("undo")
        assert f"run {journal.run} is not undone: somebody has changed" in done.stdout
        assert load(journal.path).closed is Closed.COMMITTED

    def test_a_killed_undo_is_called_one(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        journal.mark(journal.entries[2], EntryState.UNDOING)
        (notice,) = unfinished_notice()
        assert notice.startswith(f"the undo of the repair of {journal.started} was interrupted: ")

    def test_a_repair_that_could_not_be_taken_back_was_not_interrupted(self, state: Path, tmp_path: Path) -> None:
        journal = begin(next_number())
        entry = journal.plan("write-files", WriteFile.planned(str(tmp_path / "a"), "a\n"))
        journal.mark(entry, EntryState.UNDOING)
        assert "was not proved and not completely rolled back: " in unfinished_notice()[0]


class TestFailed:
    """Not somebody else's doing: it stays in force until it can be undone."""

    def test_it_is_tried_again(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        (tmp_path / "b").rename(tmp_path / "kept")
        (tmp_path / "b").mkdir()
        done = netdoctor("undo")
        assert done.returncode == 3
        assert "undone in part: " in done.stdout
        assert "not a regular file; netdoctor undo tries it again, and with --force it undoes the rest" in done.stdout
        done = netdoctor("undo", "--force")
        assert (done.returncode, there(tmp_path)) == (3, ["b"])
        assert load(journal.path).closed is Closed.PARTLY_UNDONE
        (tmp_path / "b").rmdir()
        (tmp_path / "kept").rename(tmp_path / "b")
        assert netdoctor("undo").returncode == 0
        assert (there(tmp_path), load(journal.path).closed) == ([], Closed.UNDONE)

    def test_a_killed_undo_that_is_then_refused_was_no_interrupted_repair(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        entry = journal.entries[2]
        journal.mark(entry, EntryState.UNDOING)
        entry.change.undo(Host())
        journal.mark(entry, EntryState.UNDONE)
        (tmp_path / "b").write_text("mine\n")
        assert netdoctor("undo").returncode == 3
        assert load(journal.path).closed is Closed.PARTLY_UNDONE
        assert unfinished() == []


def test_a_repair_that_is_going_on_is_not_called_interrupted(state: Path, tmp_path: Path) -> None:
    journal = repaired(tmp_path)
    journal.mark(journal.entries[2], EntryState.UNDOING)
    assert "was interrupted" in unfinished_notice()[0]
    with locked():
        assert unfinished_notice() == [f"another netdoctor (pid {os.getpid()}) is changing this host now"]
    assert "was interrupted" in unfinished_notice()[0]


class TestNewest:
    def test_a_clock_that_was_set_back(self, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        older = repaired(tmp_path, ("a",))
        later = older.path.with_name("20991231T235959Z-aaaa.jsonl")
        older.path.rename(later)
        newer = repaired(tmp_path, ("b",))
        assert [journal.run for journal in runs()] == [newer.run, later.stem]
        assert netdoctor("undo").returncode == 0
        assert there(tmp_path) == ["a"]

    def test_journals_without_a_number_come_after(self, state: Path, tmp_path: Path) -> None:
        old = repaired(tmp_path, ("a",))
        lines = old.path.read_text().replace(', "sequence": 1', "")
        assert "sequence" not in lines
        old.path.unlink()
        for name in ("20991231T235959Z-aaaa", "20981231T235959Z-aaaa"):
            old.path.with_name(f"{name}.jsonl").write_text(lines)
        newer = repaired(tmp_path, ("b",))
        assert newer.sequence == 3
        assert [j.run for j in runs()] == [newer.run, "20991231T235959Z-aaaa", "20981231T235959Z-aaaa"]


class TestNoOutput:
    def test_it_goes_on_and_says_so_by_its_status(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        done = netdoctor("undo", before=("sh", "-c", '"$0" "$@" >/dev/full'))
        assert done.returncode == 3
        assert one_sentence(done) == "netdoctor: the output: No space left on device"
        assert there(tmp_path) == []
        assert load(journal.path).closed is Closed.UNDONE

    def test_nobody_reads_on(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        done = netdoctor("undo", before=("bash", "-c", 'exec > >(exec true); sleep 0.3; exec "$0" "$@"'))
        assert done.returncode
        assert there(tmp_path) == []
        assert load(journal.path).closed is Closed.UNDONE

    @pytest.mark.parametrize("command", [["undo", "no-such-run"], ["check", "--facts", "/nonexistent"]])
    def test_no_stream_at_all_is_no_traceback(self, state: Path, command: list[str], tmp_path: Path) -> None:
        done = netdoctor(*command, "-o", "json", before=("sh", "-c", '"$0" "$@" >/dev/full 2>/dev/full'))
        assert done.returncode == 2


FULL = """
set -e
mount -t tmpfs -o size=64k tmpfs "$NETDOCTOR_STATE_DIR"
cp -a "$KEPT/." "$NETDOCTOR_STATE_DIR"
cat /dev/zero >"$NETDOCTOR_STATE_DIR/fill" 2>/dev/null || :
status=0; "$@" || status=$?
cat "$NETDOCTOR_STATE_DIR"/runs/*.jsonl >"$KEPT/after"
exit $status
"""


def on_a_full_disk(state: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command whose state folder is on a disk of its own that is full."""
    kept = state.rename(state.with_name("kept"))
    state.mkdir()
    return netdoctor(*command, before=("unshare", "--mount", "sh", "-c", FULL, "sh"), environment={"KEPT": str(kept)})


class TestFullDisk:
    def test_undo_takes_back(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        (state / "lock").touch()
        # what is left of the journal's last block is filled too
        size = journal.path.stat().st_size
        with journal.path.open("a") as file:
            file.write("".join('{"record": "closed", "how": "committed"}\n' for _ in range((4096 - size % 4096) // 41)))
        done = on_a_full_disk(state, "undo")
        assert there(tmp_path) == []
        assert done.returncode == 3, done.stderr
        assert f"run {journal.run} is undone, but {journal.path} cannot be written: No space left" in done.stdout

    def test_fix_names_the_path(self, state: Path, tmp_path: Path) -> None:
        repaired(tmp_path)
        code = (
            "from netdoctor.cli import main, group\nfrom netdoctor.repair.journal import begin\n"
            "from netdoctor.repair.runs import locked\n"
            "def run(**_):\n with locked(): begin(2)\ngroup.main = run\nmain()"
        )
        kept = state.rename(state.with_name("kept"))
        state.mkdir()
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", FULL, "sh", sys.executable, "-c", code], check=False, text=True,
            capture_output=True, env={**os.environ, "KEPT": str(kept)}, timeout=30,
        )  # fmt: skip
        assert done.returncode == 3
        assert one_sentence(done).startswith(f"netdoctor: {state}/")
        assert (
            "No space left on device; nothing was changed: netdoctor must be able to write its journal first"
            in done.stderr
        )


HUNG_UP = """
import os, signal, sys
from pathlib import Path
import click
from netdoctor import cli
from netdoctor.changes.file import WriteFile
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.terminal.output import Unstopped
from tests.repair import folder_node as module
node = module.Node(Path(sys.argv[1]))
apply = WriteFile.apply
def hang_up(change, host):
    apply(change, host)
    if len(sys.argv) > 2:  # the terminal is gone
        os.close(int(sys.argv[2]))
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)
WriteFile.apply = hang_up
say = Unstopped(lambda line: click.echo(line, err=True))
cli.group.main = lambda **_: len(node.repair(module.switch_on, say=say)[0].steps) - 1
cli.main()
"""


class TestHungUp:
    def test_a_repair_is_taken_back(self, state: Path, tmp_path: Path) -> None:
        folder = tmp_path / "node"
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", HUNG_UP, str(folder)],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
            cwd=ROOT,
        )
        assert done.returncode == 130, done.stderr
        assert list(folder.iterdir()) == []
        assert [run.closed for run in runs()] == [Closed.ROLLED_BACK]

    def test_so_it_is_by_the_key_that_would_write_a_core_file(self, state: Path, tmp_path: Path) -> None:
        folder = tmp_path / "node"
        folder.mkdir()
        script = HUNG_UP.replace("SIGHUP", "SIGQUIT").replace("    os.kill(os.getpid(), signal.SIGQUIT)\n", "", 1)
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)], check=False, capture_output=True, timeout=30, cwd=ROOT
        )
        assert done.returncode == 130, done.stderr
        assert list(folder.iterdir()) == []
        assert [run.closed for run in runs()] == [Closed.ROLLED_BACK]

    def test_with_the_terminal_gone(self, state: Path, tmp_path: Path) -> None:
        folder = tmp_path / "node"
        folder.mkdir()
        master, slave = os.openpty()
        child = subprocess.Popen(
            [sys.executable, "-c", HUNG_UP, str(folder), str(master)],
            stdin=slave, stdout=slave, stderr=slave, pass_fds=(master,),
        )  # fmt: skip
        os.close(master)  # the child's is the last one
        os.close(slave)
        assert child.wait(30) == 130
        assert list(folder.iterdir()) == []
        assert [run.closed for run in runs()] == [Closed.ROLLED_BACK]

    def test_nohup_keeps_its_word(self, state: Path, tmp_path: Path) -> None:
        folder = tmp_path / "node"
        folder.mkdir()
        done = subprocess.run(
            ["nohup", sys.executable, "-c", HUNG_UP, str(folder)],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        assert [run.closed for run in runs()] == [Closed.COMMITTED]


class TestOthersWork:
    """What somebody else has changed since the repair is not overwritten."""

    def test_what_was_only_planned_is_not_taken_back(self, state: Path, tmp_path: Path) -> None:
        journal = begin(next_number())
        for name in NAMES[:2]:
            journal.plan("write-files", WriteFile.planned(str(tmp_path / name), f"{name}\n"))
        (tmp_path / "a").write_text("a\n")  # a person does what netdoctor was about to do
        (tmp_path / "b").write_text("mine\n")
        done = netdoctor("undo")
        assert (done.returncode, there(tmp_path)) == (0, ["a", "b"]), done.stderr
        assert f"never made: create {tmp_path}/a" in done.stdout
        assert (load(journal.path).closed, unfinished()) == (Closed.UNDONE, [])

    def test_what_was_made_and_not_marked_is_taken_back(self, state: Path, tmp_path: Path) -> None:
        journal = begin(next_number())
        entry = journal.plan("write-files", WriteFile.planned(str(tmp_path / "a"), "a\n"))
        journal.begin(entry)
        entry.change.apply(Host())
        done = netdoctor("undo")
        assert (done.returncode, there(tmp_path)) == (0, []), done.stderr
        assert "it was begun and not marked as made" in done.stdout

    def test_what_somebody_made_an_hour_after_netdoctor_was_killed_stays(self, state: Path, tmp_path: Path) -> None:
        journal = begin(next_number())
        entry = journal.plan("write-files", WriteFile.planned(str(tmp_path / "a"), "a\n"))
        journal.begin(entry)
        text = journal.path.read_text()
        assert entry.began
        journal.path.write_text(text.replace(str(entry.began), str(entry.began - 3600)))
        (tmp_path / "a").write_text("a\n")
        done = netdoctor("undo")
        assert (done.returncode, there(tmp_path)) == (0, ["a"]), done.stderr
        assert "stopped before it made this, and somebody has made it at 2" in done.stdout

    def test_a_journal_of_an_older_version_cannot_tell(self, state: Path, tmp_path: Path) -> None:
        journal = begin(next_number())
        journal.plan("write-files", WriteFile.planned(str(tmp_path / "a"), "a\n"))
        text = journal.path.read_text()
        journal.path.write_text(text.replace(f', "boot": "{journal.boot}"', ""))
        assert load(journal.path).boot is None
        (tmp_path / "a").write_text("a\n")
        done = netdoctor("undo")
        assert (done.returncode, there(tmp_path)) == (3, ["a"])
        assert "whether netdoctor or somebody else made it cannot be told" in done.stdout
        done = netdoctor("undo", "--force")
        assert (there(tmp_path), load(journal.path).in_force) == (["a"], []), done.stdout
        assert netdoctor("undo").stdout == "nothing to undo\n"

    def test_a_journal_of_an_older_version_where_nothing_was_made(self, state: Path, tmp_path: Path) -> None:
        journal = begin(next_number())
        journal.plan("write-files", WriteFile.planned(str(tmp_path / "a"), "a\n"))
        text = journal.path.read_text()
        journal.path.write_text(text.replace(f', "boot": "{journal.boot}"', ""))
        assert netdoctor("undo").returncode == 0
        assert load(journal.path).closed is Closed.UNDONE

    @pytest.mark.parametrize("change", ["edited", "mode", "owner", "a link", "a link to the same text", "gone"])
    def test_a_file_that_is_not_as_netdoctor_left_it(self, state: Path, tmp_path: Path, change: str) -> None:
        repaired(tmp_path, ("a",))
        path = tmp_path / "a"
        if change == "edited":
            path.write_text("a\nmine\n")
        elif change == "mode":
            path.chmod(0o600)
        elif change == "owner":
            os.chown(path, 65534, 65534)
        elif change == "gone":
            path.unlink()
        else:
            (tmp_path / "theirs").write_text("a\n" if "same" in change else "theirs\n")
            path.unlink()
            path.symlink_to("theirs")
        before = path.lstat() if os.path.lexists(path) else None
        done = netdoctor("undo")
        after = path.lstat() if os.path.lexists(path) else None
        assert done.returncode == (0 if change == "gone" else 3), done.stdout
        assert before == after or (before and after and before.st_ino == after.st_ino)
        if change.startswith("a link"):
            assert (tmp_path / "theirs").exists()


class TestOlderRun:
    def test_one_under_a_newer_one_is_refused(self, state: Path, tmp_path: Path) -> None:
        older = repaired(tmp_path, ("a",))
        newer = repaired(tmp_path, ("b",))
        for more in ((), ("--force",)):
            done = netdoctor("undo", older.run, *more)
            assert (done.returncode, there(tmp_path)) == (3, ["a", "b"])
            assert (
                f"run {older.run} is not undone: run {newer.run} was made on top of it and is in force" in done.stdout
            )
            assert f"`netdoctor undo {newer.run}` undoes that first" in done.stdout
        assert load(older.path).closed is Closed.COMMITTED
        assert netdoctor("undo", newer.run).returncode == 0
        assert netdoctor("undo", older.run).returncode == 0
        assert there(tmp_path) == []

    def test_in_json(self, state: Path, tmp_path: Path) -> None:
        older, newer = repaired(tmp_path, ("a",)), repaired(tmp_path, ("b",))
        done = netdoctor("undo", older.run, "-o", "json")
        told = valid("undo", done.stdout)
        assert (told["undone"], told["run"], done.returncode) == (False, older.run, 3)
        assert newer.run in told["says"][0]
        listed = valid("runs", netdoctor("undo", "--list", "-o", "json").stdout)["runs"]
        assert [run["run"] for run in listed] == [newer.run, older.run]
        for run, undone in ((newer.run, True), (older.run, True), (None, True)):
            told = valid("undo", netdoctor("undo", "-o", "json").stdout)
            assert (told["run"], told["undone"]) == (run, undone)
        assert valid("runs", netdoctor("undo", "--list", "-o", "json").stdout)["runs"][0]["end"] == "undone"

    def test_one_that_only_planned_stands_on_nothing(self, state: Path, tmp_path: Path) -> None:
        older = repaired(tmp_path, ("a",))
        begin(next_number()).plan("write-files", WriteFile.planned(str(tmp_path / "b"), "b\n"))
        assert netdoctor("undo", older.run).returncode == 0
        assert there(tmp_path) == []

    def test_with_the_clock_set_back(self, state: Path, tmp_path: Path) -> None:
        older = repaired(tmp_path, ("a",))
        later = older.path.with_name("20991231T235959Z-aaaa.jsonl")
        older.path.rename(later)
        newer = repaired(tmp_path, ("b",))
        assert f"run {newer.run} was made on top" in netdoctor("undo", later.stem).stdout


class TestHostileJournal:
    def test_a_run_of_another_machine(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path, ("a",))
        if not journal.machine:
            pytest.skip("this machine has no /etc/machine-id")
        journal.path.write_text(journal.path.read_text().replace(journal.machine, "0" * 32))
        done = netdoctor("undo")
        assert (done.returncode, there(tmp_path)) == (3, ["a"])
        assert "it was made on another machine" in done.stdout

    @pytest.mark.parametrize("path", ["/etc/shadow", "/etc/sysctl.d/99-netdoctor-x.conf/../../shadow", "/etc/cron.d/x"])
    def test_a_file_that_no_remedy_writes(self, state: Path, tmp_path: Path, path: str) -> None:
        journal = repaired(tmp_path, ("a",))
        journal.path.write_text(journal.path.read_text().replace(f"{tmp_path}/a", path))
        done = netdoctor("undo")
        assert done.returncode == 3
        assert "no remedy makes this change of kind file" in one_sentence(done)
        assert there(tmp_path) == ["a"]

    def test_a_file_that_would_run_as_root(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path, ("a",))
        journal.path.write_text(journal.path.read_text().replace('"mode": 420', f'"mode": {0o4755}'))
        assert "no remedy makes this change of kind file" in one_sentence(netdoctor("undo"))

    def test_a_folder_elsewhere_is_not_removed(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path, ("a",))
        (tmp_path / "theirs").mkdir()
        text = journal.path.read_text()
        assert '"made": []' in text
        journal.path.write_text(text.replace('"made": []', f'"made": ["{tmp_path}/theirs"]'))
        assert netdoctor("undo").returncode == 0
        assert (tmp_path / "theirs").exists()


def test_two_at_once(state: Path, tmp_path: Path) -> None:
    repaired(tmp_path)
    with locked():
        done = netdoctor("undo")
    assert done.returncode == 3
    assert f"another netdoctor (pid {os.getpid()}) is changing this host" in done.stderr
    assert there(tmp_path) == list(NAMES)


SET_BY_HAND = (
    'echo 0 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv4/ip_forward; "$0" "$@"; '
    "cat /proc/sys/net/ipv4/ip_forward"
)


class TestSetting:
    """A setting that is as netdoctor would have it: whether it is netdoctor's work is told by the journal."""

    @pytest.mark.parametrize(
        ("marked", "boot", "file", "after"),
        [
            (EntryState.PLANNED, "", False, "1"),
            (EntryState.APPLYING, "", False, "0"),
            (EntryState.APPLYING, "earlier", False, "1"),
            (EntryState.VERIFIED, "", False, "0"),
            (EntryState.VERIFIED, "earlier", False, "1"),  # the boot's own
            (EntryState.VERIFIED, "earlier", True, "0"),  # by netdoctor's file
        ],
    )
    def test_by_whom(
        self, state: Path, tmp_path: Path, marked: EntryState, boot: str, file: bool, after: str,
    ) -> None:  # fmt: skip
        journal = begin(next_number())
        entry = journal.plan("enable-ip-forward", SetSysctl("net.ipv4.ip_forward", "1", "0"))
        if marked is not EntryState.PLANNED:
            journal.begin(entry)
        if marked is EntryState.VERIFIED:
            journal.mark(entry, marked)
        if file:
            entry = journal.plan("enable-ip-forward", WriteFile.planned(str(tmp_path / "a"), "a\n"))
            journal.begin(entry)
            entry.change.apply(Host())
            journal.mark(entry, EntryState.VERIFIED)
        if boot:
            journal.path.write_text(journal.path.read_text().replace(str(journal.boot), boot))
        done = netdoctor("undo", before=("unshare", "--net", "sh", "-c", SET_BY_HAND))
        assert done.stdout.splitlines()[-1] == after, done.stdout + done.stderr
        assert not there(tmp_path)
        assert load(journal.path).in_force == []
