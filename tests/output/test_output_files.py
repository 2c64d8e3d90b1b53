"""--report, --svg and record: written with the rights of the user behind sudo, through no link, whatever races."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from netdoctor.errors import BadInput, CannotRead
from netdoctor.output.output_file import OutputFile
from netdoctor.recording.named_file import read_recording
from netdoctor.system.foreign_files import Folder
from netdoctor.terminal.output import writable, write_file
from tests.cli.test_cli import netdoctor, one_sentence, recording

__all__ = ["recording"]  # the fixture
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who writes for a user")
USER = 12345
SUDO = {"SUDO_UID": str(USER), "SUDO_GID": str(USER)}


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of the user's, and a root's folder beside it with a file that is root's."""
    folder = Path("/tmp", f"netdoctor-test-{os.getpid()}-{time.monotonic_ns()}")
    for name in ("etc", "user"):
        (folder / name).mkdir(parents=True)
    (folder / "etc/file").write_text("root's")
    os.chown(folder / "user", USER, USER)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SUDO.items():
        monkeypatch.setenv(name, value)


def intact(place: Path) -> bool:
    return [p.name for p in (place / "etc").iterdir()] == ["file"] and (place / "etc/file").read_text() == "root's"


class TestWhole:
    """The whole command."""

    @pytest.mark.parametrize("caller", [{"PKEXEC_UID": str(USER)}, {"DOAS_USER": "nobody"}], ids=["pkexec", "doas"])
    def test_another_way_to_root_writes_no_file_of_roots(
        self, recording: Path, place: Path, caller: dict[str, str]
    ) -> None:
        (place / "etc").chmod(0o755)
        done = netdoctor("check", "--facts", str(recording), "--report", str(place / "etc/new"), environment=caller)
        assert (done.returncode, intact(place)) == (2, True), done.stderr

    @pytest.mark.thorough
    def test_a_report_is_the_users(self, recording: Path, place: Path) -> None:
        recording.rename(place / "user/facts.json")
        os.chown(place / "user/facts.json", USER, USER)
        done = netdoctor("check", "--facts", "facts.json", "--report", "r.json", cwd=place / "user", environment=SUDO)
        assert done.returncode == 1, done.stderr
        about = (place / "user/r.json").stat()
        assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (USER, USER, 0o600)
        assert json.loads((place / "user/r.json").read_text())["schema_version"]

    @pytest.mark.thorough
    @pytest.mark.parametrize(
        "command", [
            "check --report link", "check --report dangling", "check --report folder/file", "check --report ../etc/new",
            "check --report ../etc/file", "trace a b 1 --svg link", "trace a b 1 --svg ../etc/new", "record dangling",
            "record folder/file",
        ],
    )  # fmt: skip
    def test_nothing_of_roots_is_written(self, place: Path, command: str) -> None:
        (place / "user/link").symlink_to("../etc/file")
        (place / "user/dangling").symlink_to("../etc/new")
        (place / "user/folder").symlink_to("../etc")
        done = netdoctor(*command.split(), cwd=place / "user", environment=SUDO)
        assert done.returncode == 2
        assert "cannot be written" in one_sentence(done)
        assert intact(place)

    def test_root_follows_no_link_either(self, place: Path) -> None:
        (place / "user/link").symlink_to("../etc/file")
        done = netdoctor("record", "link", cwd=place / "user")
        assert (done.returncode, intact(place)) == (2, True)

    def test_a_recording_that_the_user_may_not_read(self, recording: Path, place: Path) -> None:
        recording.rename(place / "etc/facts.json")
        (place / "etc/facts.json").chmod(0o600)
        done = netdoctor("check", "--facts", place / "etc/facts.json", environment=SUDO)
        assert (done.returncode, "ermission denied" in one_sentence(done)) == (2, True)


@contextmanager
def racing(work: Callable[[], object]) -> Iterator[None]:
    """Somebody who changes names as fast as it goes."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            with suppress(OSError):
                work()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("rights", ["sudo", "root"])
class TestRaces:
    """The name, or the folder, swaps between what it should be and a link to root's."""

    @pytest.fixture(autouse=True)
    def whose(self, rights: str, request: pytest.FixtureRequest) -> None:
        if rights == "sudo":
            request.getfixturevalue("sudo")

    def _write_often(self, path: Path) -> int:
        written, end = 0, time.monotonic() + 0.6
        while time.monotonic() < end:
            with suppress(CannotRead, BadInput):
                write_file(writable(str(path)), "new")
                written += 1
        return written

    @pytest.mark.thorough
    def test_the_name(self, place: Path) -> None:
        path, beside = place / "user/r.json", place / "user/beside"

        def swap() -> None:
            beside.symlink_to("../etc/file")
            beside.rename(path)
            path.unlink()
            beside.write_text("")
            beside.rename(path)

        with racing(swap):
            written = self._write_often(path)
        assert intact(place)
        assert written

    def test_the_name_in_the_last_moment(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A link takes the place of what netdoctor has looked at, before it writes."""
        path, look = place / "user/r.json", Folder.about
        path.write_text("earlier")
        os.chown(path, USER, USER)

        def look_too_early(folder: Folder, name: str) -> os.stat_result | None:
            found = look(folder, name)
            path.unlink()
            path.symlink_to("../etc/file")
            return found

        writable(str(path))
        monkeypatch.setattr(Folder, "about", look_too_early)
        with suppress(CannotRead, BadInput):
            write_file(str(path), "new")
        assert intact(place)

    @pytest.mark.thorough
    def test_the_folder(self, place: Path) -> None:
        (place / "user/mine").mkdir()
        os.chown(place / "user/mine", USER, USER)
        shown = place / "user/shown"

        def swap() -> None:
            (place / "user/mine").rename(shown)
            shown.rename(place / "user/mine")
            shown.symlink_to("../etc")
            shown.unlink()

        with racing(swap):
            self._write_often(shown / "new")
        assert intact(place)

    def test_a_hard_link_to_a_file_of_roots_makes_room(self, place: Path) -> None:
        os.link(place / "etc/file", place / "user/r.json")
        write_file(writable(str(place / "user/r.json")), "new")
        assert (place / "user/r.json").read_text() == "new"
        assert intact(place)


@pytest.mark.usefixtures("sudo")
class TestUser:
    def test_an_earlier_report_keeps_its_mode_but_no_more(self, place: Path) -> None:
        file = place / "user/r.json"
        file.write_text("earlier")
        file.chmod(0o4644)
        os.chown(file, USER, USER)
        file.chmod(0o4644)
        write_file(writable(str(file)), "new")
        assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o644)

    def test_somebody_elses_file_in_a_folder_for_all_stays(self, place: Path) -> None:
        (place / "tmp").mkdir()
        (place / "tmp").chmod(0o1777)
        file = place / "tmp/r.json"
        file.write_text("theirs")
        os.chown(file, 777, 777)
        file.chmod(0o666)
        with pytest.raises((BadInput, CannotRead)):
            write_file(writable(str(file)), "new")
        assert file.read_text() == "theirs"

    def test_a_fifo_that_somebody_reads(self, place: Path) -> None:
        os.mkfifo(place / "user/fifo")
        os.chown(place / "user/fifo", USER, USER)
        reader = os.open(place / "user/fifo", os.O_RDONLY | os.O_NONBLOCK)
        write_file(writable(str(place / "user/fifo")), "new")
        assert os.read(reader, 10) == b"new"
        os.close(reader)

    @pytest.mark.parametrize("kind", [stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFCHR])
    def test_no_device_of_roots_and_no_socket(self, place: Path, kind: int) -> None:
        os.mknod(place / "user/it", 0o600 | kind, os.makedev(7, 0) if kind == stat.S_IFBLK else os.makedev(1, 3))
        with pytest.raises((BadInput, CannotRead), match="cannot be written"):
            write_file(writable(str(place / "user/it")), "new")

    def test_what_everybody_may_write(self) -> None:
        write_file(writable("/dev/null"), "new")

    def test_a_recording_is_read_as_the_user(self, place: Path) -> None:
        (place / "etc/secret").write_text("canary")
        (place / "etc/secret").chmod(0o600)
        os.link(place / "etc/secret", place / "user/facts.json")
        (place / "user/link").symlink_to("../etc/secret")
        for name in ("user/facts.json", "user/link", "etc/secret"):
            with pytest.raises(BadInput, match="Permission denied"):
                read_recording(str(place / name))


@pytest.mark.parametrize("path", ["", "/", ".", "..", "/tmp/", "a\0b", "nowhere/x", "/proc/1/fd/0"])
def test_names_that_are_no_file(path: str) -> None:
    with pytest.raises(BadInput):
        writable(path)


@pytest.mark.parametrize("before_the_check", [True, False])
def test_a_strangers_fifo_is_not_waited_for(place: Path, before_the_check: bool) -> None:
    """In a folder for everybody: its owner would read the report, or nobody would and netdoctor wait."""
    (place / "user").chmod(0o1777)
    path = place / "user/r.json"

    def put() -> int:
        os.mkfifo(path)
        path.chmod(0o666)
        os.chown(path, USER, USER)
        return os.open(path, os.O_RDWR)

    reader = put() if before_the_check else -1
    with OutputFile.named(str(path)) as file:
        if not before_the_check:
            file.check()
            reader = put()
        with pytest.raises(CannotRead, match="another user's FIFO"):
            file.write(b"x" * (1 << 20))
    os.close(reader)
