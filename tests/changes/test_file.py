"""Files of ours: written in one step, restored to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdoctor.changes.file import FileState, WriteFile, temporary
from netdoctor.errors import CannotRead, Drifted
from netdoctor.system.host import Host

HOST = Host()


def test_a_new_file_in_new_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.conf"
    change = WriteFile.planned(str(path), "é = 1\n")
    change.check(HOST)
    change.apply(HOST)
    change.apply(HOST)
    assert path.read_text(encoding="utf-8") == "é = 1\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert "+é = 1" in change.diff()
    change.undo(HOST)
    change.undo(HOST)
    assert list(tmp_path.iterdir()) == []


def test_bytes_mode_and_owner_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(256)))
    path.chmod(0o604)
    before = FileState.read(str(path))
    change = WriteFile.planned(str(path), "new\n")
    change.apply(HOST)
    assert path.read_bytes() == b"new\n"
    assert path.stat().st_mode & 0o777 == 0o604
    change.undo(HOST)
    assert FileState.read(str(path)) == before
    assert path.read_bytes() == bytes(range(256))


def test_a_half_done_apply_is_undone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x"
    change = WriteFile.planned(str(path), "text\n")
    path.parent.mkdir()
    temporary(str(path)).write_text("te")
    change.undo(HOST)
    assert list(tmp_path.iterdir()) == []


def test_somebody_elses_file_stays_in_our_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x"
    change = WriteFile.planned(str(path), "text\n")
    change.apply(HOST)
    (path.parent / "theirs").write_text("")
    change.undo(HOST)
    assert [p.name for p in path.parent.iterdir()] == ["theirs"]


def test_drift_is_seen_before_and_after(tmp_path: Path) -> None:
    path = tmp_path / "x"
    change = WriteFile.planned(str(path), "ours\n")
    path.write_text("theirs\n")
    with pytest.raises(Drifted, match="no longer what it was"):
        change.check(HOST)
    with pytest.raises(Drifted, match="since netdoctor wrote it"):
        change.undo(HOST)
    assert path.read_text() == "theirs\n"


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("keep\n")
    (tmp_path / "x").symlink_to(tmp_path / "target")
    with pytest.raises(CannotRead):
        WriteFile.planned(str(tmp_path / "x"), "ours\n")
    assert (tmp_path / "target").read_text() == "keep\n"


@pytest.mark.parametrize("target", ["file", "nothing", "itself"])
def test_a_link_is_called_one(target: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    (tmp_path / "file").write_text("theirs\n")
    path.symlink_to("x" if target == "itself" else target)
    with pytest.raises(CannotRead) as caught:
        WriteFile.planned(str(path), "ours\n")
    assert str(caught.value).startswith(
        f"{path} is a symbolic link; netdoctor does not follow symbolic links when writing: put the file"
    )


def test_a_folder_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(CannotRead, match=f"{tmp_path}/x: not a regular file"):
        WriteFile.planned(str(tmp_path / "x"), "new\n")
