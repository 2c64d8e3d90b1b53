"""What stands under a name that a stranger may write: links, FIFOs, devices, endless files, races."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netdoctor.errors import CannotRead
from netdoctor.system import foreign_files, openat2, rights
from netdoctor.system.foreign_files import Folder, open_named
from netdoctor.system.rights import Rights

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
STRANGER = 12345


@pytest.fixture(params=["openat2", "walk"], autouse=True)
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs by the system call, and as on a kernel that has none."""
    if request.param == "walk":
        monkeypatch.setattr(openat2, "has_openat2", lambda: False)
    elif not openat2.has_openat2():
        pytest.skip("the kernel has no openat2")
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder as a container's root is, and a secret beside it."""
    (tmp_path / "secret").write_text("nameserver 6.6.6.6")
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/run").mkdir()
    (tmp_path / "root/run/resolv.conf").write_text("nameserver 10.0.0.10")
    return tmp_path / "root"


def as_its_root(root: Path) -> str | None:
    with Folder.held(str(root)) as folder:
        found = folder.read_as_its_root("etc/resolv.conf", 1 << 16)
    return None if found is None else found.text


@pytest.mark.parametrize(
    "target", ["/run/resolv.conf", "../run/resolv.conf", "../../../../run/resolv.conf", "/../../run/resolv.conf"]
)
def test_a_link_of_an_image_ends_within_its_root(root: Path, target: str) -> None:
    (root / "etc/resolv.conf").symlink_to(target)
    assert as_its_root(root) == "nameserver 10.0.0.10"


def test_an_etc_that_is_an_absolute_link_ends_within_its_root(root: Path) -> None:
    (root / "etc").rmdir()
    (root / "etc").symlink_to("/run")
    assert as_its_root(root) == "nameserver 10.0.0.10"


@pytest.mark.parametrize("target", ["{0}/secret", "../../secret", "../../../../../../../../..{0}/secret", "etc"])
def test_a_link_leads_to_nothing_outside(root: Path, target: str) -> None:
    (root / "etc/resolv.conf").symlink_to(target.format(root.parent))
    assert as_its_root(root) is None


def test_links_in_a_circle_end(root: Path) -> None:
    (root / "etc/resolv.conf").symlink_to("resolv.conf")
    with pytest.raises(CannotRead, match="symbolic link"):
        as_its_root(root)


@pytest.mark.parametrize("link", ["self/root/{0}/secret", "self/cwd/secret", "self/fd/{1}", "self/exe"])
def test_a_link_of_proc_is_not_followed(root: Path, link: str) -> None:
    """As a pod has it that mounts /proc, or whose /etc is a link into it."""
    descriptor = os.open(root.parent / "secret", os.O_RDONLY)
    try:
        with Folder.held("/proc") as proc, pytest.raises(CannotRead, match="symbolic link"):
            proc.read_as_its_root(link.format(root.parent, descriptor))
    finally:
        os.close(descriptor)


def within(seconds: float, work: Callable[[], object]) -> object:
    """What the work returns or raises, which has to end in time."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except CannotRead as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert results, f"it did not end within {seconds} s"
    return results[0]


def test_a_fifo_is_no_file(root: Path) -> None:
    os.mkfifo(root / "etc/resolv.conf")
    assert "not a regular file" in str(within(2, lambda: as_its_root(root)))


@needs_root
@pytest.mark.parametrize("device", [(1, 5), (1, 7), (5, 0)])
def test_a_device_is_no_file_and_is_not_even_opened(root: Path, device: tuple[int, int]) -> None:
    os.mknod(root / "etc/resolv.conf", 0o666 | stat.S_IFCHR, os.makedev(*device))
    assert "not a regular file" in str(within(2, lambda: as_its_root(root)))


def test_a_file_that_is_larger_than_it_says_is_not_read_to_its_end() -> None:
    """Files of /proc have the size 0."""
    with Folder.held(f"/proc/{os.getpid()}") as folder:
        assert Path("/proc/self/smaps").stat().st_size == 0
        with pytest.raises(CannotRead, match="larger than 100 bytes"):
            folder.read("smaps", 100)


def test_a_sparse_file_is_not_read_into_memory(root: Path) -> None:
    with (root / "etc/resolv.conf").open("wb") as file:
        file.truncate(1 << 40)
    assert "larger than" in str(within(2, lambda: as_its_root(root)))


def test_the_root_of_a_process_is_read_as_itself(root: Path) -> None:
    (root / "etc/resolv.conf").symlink_to("/run/resolv.conf")
    with Folder.root_of(os.getpid()) as folder:
        found = folder.read_as_its_root(f"{root}/run/resolv.conf")
    assert found is not None
    assert found.text == "nameserver 10.0.0.10"
    with pytest.raises(CannotRead), Folder.root_of(2**22 + 1):
        pass


class TestCheckout:
    """A folder in which no link is followed at all."""

    @pytest.mark.parametrize("place", ["link", "folder/file", "folder/../link", "/etc/hostname", "../secret", ".."])
    def test_nothing_is_read_through_a_link_or_outside(self, root: Path, place: str) -> None:
        (root / "link").symlink_to("run/resolv.conf")
        (root / "folder").symlink_to("run")
        (root / "run/file").write_text("x")
        with Folder.held(str(root)) as folder, pytest.raises(CannotRead):
            folder.read(place)

    def test_the_folder_itself_is_no_link(self, root: Path) -> None:
        (root.parent / "link").symlink_to("root")
        for path in (root.parent / "link", root.parent / "link/etc"):
            with pytest.raises(CannotRead, match="symbolic link"), Folder.held(str(path)):
                pass

    def test_what_is_not_there_is_none(self, root: Path) -> None:
        with Folder.held(str(root)) as folder:
            assert folder.read("nothing") is None
            assert folder.read("run/nothing") is None
            assert folder.read("run/resolv.conf/nothing") is None

    def test_a_name_that_swaps_between_a_file_and_a_link_is_never_followed(self, root: Path) -> None:
        (root / "good").write_text("good")
        (root / "bad").symlink_to("../secret")
        ended = threading.Event()

        def swap() -> None:
            while not ended.is_set():
                for name in ("good", "bad"):
                    os.link(root / name, root / "next", follow_symlinks=False)
                    (root / "next").rename(root / "it")

        thread = threading.Thread(target=swap)
        thread.start()
        seen = set()
        try:
            end = time.monotonic() + 0.5
            with Folder.held(str(root)) as folder:
                while time.monotonic() < end:
                    try:
                        found = folder.read("it")
                        seen.add(found.text if found else "")
                    except CannotRead:
                        seen.add("refused")
        finally:
            ended.set()
            thread.join()
        assert seen - {""} == {"good", "refused"}


def test_a_file_is_replaced_where_the_folder_was(root: Path) -> None:
    """The folder is renamed, and a link put in its place, while it is held."""
    with Folder.held(str(root / "run")) as folder:
        (root / "run").rename(root / "was")
        (root / "run").symlink_to("etc")
        folder.replace("new", b"data")
    assert (root / "was/new").read_bytes() == b"data"
    assert list((root / "etc").iterdir()) == []
    assert sorted(p.name for p in (root / "was").iterdir()) == ["new", "resolv.conf"]


def test_what_waits_under_the_new_name_is_not_written_through(root: Path) -> None:
    (root / "run/beside").symlink_to("../../secret")
    (root / "run/new").symlink_to("../../secret")
    with Folder.held(str(root / "run")) as folder:
        folder.replace("new", b"data", beside="beside")
    assert (root.parent / "secret").read_text() == "nameserver 6.6.6.6"
    assert (root / "run/new").read_bytes() == b"data"
    assert not (root / "run/new").is_symlink()


@pytest.fixture
def for_all(tmp_path: Path) -> Iterator[Path]:
    """A folder that every user reaches; pytest's own is root's alone."""
    folder = Path("/tmp", f"netdoctor-test-{os.getpid()}-{time.monotonic_ns()}")
    folder.mkdir(mode=0o755)
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@needs_root
class TestRights:
    user = Rights(STRANGER, STRANGER, (STRANGER,))

    def test_a_hard_link_to_a_file_of_roots_is_refused(self, for_all: Path) -> None:
        """protected_hardlinks may be 0, or the link older than the file's mode."""
        (for_all / "secret").write_text("A=canary")
        (for_all / "secret").chmod(0o600)
        (for_all / "checkout").mkdir()
        os.link(for_all / "secret", for_all / "checkout/.env")

        def read() -> object:
            with Folder.held(str(for_all / "checkout")) as folder:
                return folder.read(".env")

        with pytest.raises(CannotRead, match="Permission denied"):
            self.user.lend(read)
        assert isinstance(read(), foreign_files.Content)

    def test_a_folder_that_only_root_may_pass_is_refused(self, for_all: Path) -> None:
        (for_all / "closed/open").mkdir(parents=True)
        (for_all / "closed/open/file").write_text("x")
        (for_all / "closed").chmod(0o700)
        with pytest.raises(CannotRead, match="Permission denied"):
            self.user.lend(lambda: open_named(str(for_all / "closed/open/file")))

    def test_a_group_counts_and_roots_groups_do_not(self, for_all: Path) -> None:
        (for_all / "file").write_text("x")
        os.chown(for_all / "file", 0, 777)
        (for_all / "file").chmod(0o640)
        with pytest.raises(CannotRead, match="Permission denied"):
            self.user.lend(lambda: open_named(str(for_all / "file")))
        member = Rights(STRANGER, STRANGER, (STRANGER, 777))
        os.close(member.lend(lambda: open_named(str(for_all / "file"))))
        os.chown(for_all / "file", 0, 0)
        with pytest.raises(CannotRead, match="Permission denied"):
            self.user.lend(lambda: open_named(str(for_all / "file")))

    def test_what_is_made_is_the_users_and_this_process_stays_root(self, for_all: Path) -> None:
        os.chown(for_all, STRANGER, STRANGER)
        groups = os.getgroups()

        def write() -> None:
            with Folder.held(str(for_all)) as folder:
                folder.replace("file", b"x")

        self.user.lend(write)
        about = (for_all / "file").stat()
        assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (STRANGER, STRANGER, 0o600)
        assert (os.geteuid(), os.getgroups()) == (0, groups)
        (for_all / "root").write_text("x")
        assert (for_all / "root").stat().st_uid == 0

    def test_a_child_that_takes_them_on_has_no_more_and_no_network(self, for_all: Path) -> None:
        script = "id -u; id -G; cat /proc/net/dev | tail -n +3; grep -E 'CapEff|NoNewPrivs' /proc/self/status"
        done = subprocess.run(
            ["sh", "-c", script], preexec_fn=self.user.take_on, capture_output=True, text=True, check=True
        )
        lines = [line.split()[:2] for line in done.stdout.splitlines()]
        assert lines == [
            [str(STRANGER)], [str(STRANGER)], ["lo:", "0"], ["CapEff:", "0000000000000000"], ["NoNewPrivs:", "1"]
        ]  # fmt: skip


@needs_root
@pytest.mark.parametrize("word", ["-1", "4294967295", "²", "1 2", "0x10", "99999999999", "root"])
def test_a_sudo_variable_that_is_no_number(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", word)
    with pytest.raises(CannotRead, match="SUDO_UID"):
        rights.behind_sudo()


@needs_root
def test_the_user_behind_pkexec_or_doas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv("PKEXEC_UID", str(STRANGER))
    monkeypatch.setenv("SUDO_GID", "77")  # not pkexec's: whoever is behind it may have set that
    assert rights.behind_sudo() == Rights.of(STRANGER)
    monkeypatch.setenv("SUDO_UID", "0")
    assert rights.behind_sudo() == Rights.of(STRANGER)
    monkeypatch.setenv("SUDO_UID", str(STRANGER + 1))
    with pytest.raises(CannotRead, match="different users"):
        rights.behind_sudo()
    monkeypatch.delenv("SUDO_UID")
    monkeypatch.delenv("PKEXEC_UID")
    monkeypatch.setenv("DOAS_USER", "nobody")
    assert rights.behind_sudo() == Rights.of(pwd.getpwnam("nobody").pw_uid)
    monkeypatch.setenv("DOAS_USER", "root")
    assert rights.behind_sudo() is None
    monkeypatch.setenv("DOAS_USER", "nobody-of-this-name")
    with pytest.raises(CannotRead, match="DOAS_USER"):
        rights.behind_sudo()


@needs_root
def test_the_user_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    monkeypatch.setenv("SUDO_GID", "77")
    assert rights.behind_sudo() == Rights(STRANGER, 77, (77,))
    monkeypatch.setenv("SUDO_UID", "0")
    assert rights.behind_sudo() is None
    monkeypatch.delenv("SUDO_UID")
    assert rights.behind_sudo() is None
