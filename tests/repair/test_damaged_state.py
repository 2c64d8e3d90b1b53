"""State folders and journals that are damaged, or are no such thing: said in words, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from netdoctor.errors import JournalError
from netdoctor.repair.journal import begin
from netdoctor.repair.runs import locked, runs
from tests.cli.test_cli import netdoctor, one_sentence
from tests.repair.test_undo import repaired, state

__all__ = ["state"]  # the fixture
pytestmark = [pytest.mark.thorough, pytest.mark.skipif(os.geteuid() != 0, reason="only root may undo")]


class TestNoFolder:
    def test_none_is_nothing_to_undo(self, state: Path) -> None:
        done = netdoctor("undo")
        assert (done.returncode, done.stdout) == (0, "nothing to undo\n")
        assert not state.exists()

    @pytest.mark.parametrize("where", ["state", "state/runs"])
    @pytest.mark.parametrize("what", ["a file", "a loop"])
    def test_what_cannot_be_read_is_not_called_nothing(self, state: Path, where: str, what: str) -> None:
        place = state.parent / where
        place.parent.mkdir(exist_ok=True)
        place.write_text("") if what == "a file" else place.symlink_to(place)
        for command in (["undo"], ["undo", "--list"], ["fix"]):
            done = netdoctor(*command)
            assert done.returncode == 3
            assert str(place) in one_sentence(done)

    def test_a_link_as_the_lock(self, state: Path, tmp_path: Path) -> None:
        repaired(tmp_path)
        (tmp_path / "precious").write_text("precious")
        (state / "lock").symlink_to(tmp_path / "precious")
        assert netdoctor("undo").returncode == 3
        assert (tmp_path / "precious").read_text() == "precious"


class TestSomebodyElses:
    """What others may write could make root change anything."""

    @pytest.mark.parametrize(
        "how", ["chown 777 .", "chmod 777 .", "chmod 1777 .", "chown :777 . && chmod g+w .", "chown 777 runs",
                "chmod o+w runs", "chown 777 ..", "chmod 777 ..", "chown 777 runs/*", "chmod o+w runs/*"],
    )  # fmt: skip
    def test_it_is_not_used(self, state: Path, tmp_path: Path, how: str) -> None:
        repaired(tmp_path)
        subprocess.run(["sh", "-euc", how], cwd=state, check=True)
        with pytest.raises(JournalError, match=r"is not (used|trusted): ") as told:
            runs()
        assert len(str(told.value)) < 300 + 2 * len(str(tmp_path))
        if "runs/" not in how:
            with pytest.raises(JournalError, match="is not used: "), locked():
                pass

    @pytest.mark.skipif(os.geteuid() != 0, reason="a link of another user's takes root to make")
    @pytest.mark.parametrize("deeper", ["", "not/yet/there"])
    def test_a_link_that_somebody_else_may_turn(
        self, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deeper: str
    ) -> None:
        """It leads to a folder of root's while that is looked at, and to another one afterwards."""
        repaired(tmp_path)
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        (theirs / "state").symlink_to(state)
        os.chown(theirs, 777, 777)
        os.chown(theirs / "state", 777, 777, follow_symlinks=False)
        monkeypatch.setenv("NETDOCTOR_STATE_DIR", str(theirs / "state" / deeper))
        if not deeper:
            with pytest.raises(JournalError, match=r"is not used: .*theirs belongs to uid 777"):
                runs()
        with pytest.raises(JournalError, match=r"is not used: .*theirs belongs to uid 777"):
            begin()
        assert not (state / "not").exists()

    def test_a_link_of_roots_is_followed(self, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        repaired(tmp_path)
        (tmp_path / "link").symlink_to(state)
        monkeypatch.setenv("NETDOCTOR_STATE_DIR", str(tmp_path / "link"))
        assert len(runs()) == 1

    def test_no_command_uses_it(self, state: Path, tmp_path: Path) -> None:
        repaired(tmp_path)
        state.chmod(0o777)
        for command in (["undo"], ["fix"]):
            done = netdoctor(*command)
            assert done.returncode == 3
            assert f"{state} is not used: others may write to it (mode 777)" in one_sentence(done)

    def test_a_new_folder_is_on_disk(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        synced: list[str] = []
        fsync = os.fsync

        def record(number: int) -> None:
            synced.append(str(Path(f"/proc/self/fd/{number}").readlink()))
            fsync(number)

        monkeypatch.setattr("os.fsync", record)
        begin()
        assert {str(state.parent), str(state), str(state / "runs")} <= set(synced)
        assert state.stat().st_mode & 0o777 == 0o700


class TestDamagedJournal:
    def test_it_says_what_to_do(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        journal.path.write_text("no journal\n")
        for command in (["fix"], ["undo"]):
            done = netdoctor(*command)
            assert done.returncode == 3
            said = one_sentence(done)
            assert f"{journal.path}, line 1: the line is damaged: it is not JSON" in said
            assert f"then rename it to {journal.path.name}.damaged" in said
        journal.path.rename(f"{journal.path}.damaged")
        assert netdoctor("undo").stdout == "nothing to undo\n"

    @pytest.mark.parametrize("damage", [lambda data: b"\0" * len(data), lambda data: data.replace(b"\n", b"\r")])
    def test_one_without_a_whole_line(self, state: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
        journal = repaired(tmp_path)
        journal.path.write_bytes(damage(journal.path.read_bytes()))
        done = netdoctor("undo")
        assert done.returncode == 3
        assert f"{journal.path}: it is damaged: no line of it is whole" in one_sentence(done)

    def test_one_that_was_cut_short_before_anything_began(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path, ())
        journal.path.write_bytes(journal.path.read_bytes()[:30])
        assert netdoctor("undo").stdout == "nothing to undo\n"

    def test_a_link_to_what_has_no_end(self, state: Path, tmp_path: Path) -> None:
        journal = repaired(tmp_path)
        journal.path.unlink()
        journal.path.symlink_to("/dev/zero")
        done = netdoctor("fix")
        assert done.returncode == 3
        assert f"{journal.path} is not a journal: it is a symbolic link" in one_sentence(done)
