"""A file of ours: written in one piece, restored to the byte."""

from __future__ import annotations

import difflib
import errno
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from netdoctor.changes import MOST_SHOWN
from netdoctor.errors import CannotRead, Drifted, IsLink
from netdoctor.system.host import Host

NO_FILE = "/dev/null"
# the files that remedies write; see _at_boot.py and _boot_unit.py
NAME = r"99-netdoctor-[^/\x00-\x1f]+\.conf"
UNITS = r"systemd/system/(?:netdoctor-[a-z-]+\.service|multi-user\.target\.d/99-netdoctor-[a-z-]+\.conf)"
OF_NETDOCTOR = re.compile(
    rf"/etc/(?:(?:sysctl\.d/(?:z+-)?|modules-load\.d/){NAME}|{UNITS}|netdoctor/[a-z-]+\.(?:nft|sh))"
)
HEAD = "# written by netdoctor fix; netdoctor undo removes it\n"  # of each file that is netdoctor's own
MODES = 0o777  # and no set-user-id


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file was: its bytes as Latin-1 text (one character for each byte), its mode and its owner."""

    data: str
    mode: int
    uid: int
    gid: int

    @classmethod
    def read(cls, path: str) -> FileState | None:
        """The file now, None where there is none. Raises CannotRead, also when it is not a regular file."""
        try:
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP and Path(path).is_symlink():
                raise IsLink(path) from error
            raise CannotRead.of(path, error) from error
        about = os.fstat(number)
        if not stat.S_ISREG(about.st_mode):
            os.close(number)
            raise CannotRead(path, "not a regular file")
        with os.fdopen(number, "rb") as file:
            return cls(file.read().decode("latin-1"), stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid)

    @property
    def text(self) -> str:
        """The contents as a person reads them."""
        return self.data.encode("latin-1").decode("utf-8", errors="replace")


def temporary(path: str) -> Path:
    """The name under which a file is written before it takes its place; always the same, so that undo finds it."""
    return Path(path).with_name(f".{Path(path).name}.netdoctor")


def put(path: str, state: FileState | None) -> None:
    """Make the file what `state` says (None: no file), in one step and on disk when this returns. Raises CannotRead."""
    target, beside = Path(path), temporary(path)
    try:
        beside.unlink(missing_ok=True)
        if state is None:
            target.unlink(missing_ok=True)
        else:
            number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(number, "wb") as file:
                file.write(state.data.encode("latin-1"))
                os.fchown(number, state.uid, state.gid)
                os.fchmod(number, state.mode)
                _keep_label(target, number)
                file.flush()
                os.fsync(number)
            beside.replace(target)
        if target.parent.is_dir():
            sync_folder(target.parent)
    except OSError as error:
        raise CannotRead.of(path, error, "cannot be written: ") from error


def _keep_label(target: Path, number: int) -> None:
    """Best effort: the SELinux label of the file that is replaced; a new file gets its folder's by itself."""
    with suppress(OSError):
        os.setxattr(number, "security.selinux", os.getxattr(target, "security.selinux"))


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def difference(path: str, before: str | None, after: str | None) -> str:
    """A unified diff; None: there is no file."""
    lines = difflib.unified_diff(
        (before or "").splitlines(),
        (after or "").splitlines(),
        NO_FILE if before is None else path,
        NO_FILE if after is None else path,
        lineterm="",
    )
    return "\n".join(lines)


def is_of_netdoctor(path: str) -> bool:
    """Whether a file has the place and the name of one that remedies write."""
    return OF_NETDOCTOR.fullmatch(path) is not None


def _is_beside_a_trial(path: Path) -> bool:
    """Whether the state is kept elsewhere, as in a trial, and the file belongs to that trial."""
    state = os.environ.get("NETDOCTOR_STATE_DIR")
    return bool(state) and path.is_relative_to(Path(str(state)).parent) and Path(str(state)).parent != Path("/")


NO_EFFECT = "no effect at boot: "  # begins the note of a file that another one overrules


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write a whole text file. Folders that are missing are made, and removed by undo while they are empty."""

    kind: ClassVar[str] = "file"
    path: str
    text: str
    was: FileState | None
    made: tuple[str, ...] = ()  # folders that were missing, outermost first
    mode: int = 0o644
    note: str = ""  # what has to be known about it

    @classmethod
    def planned(cls, path: str, text: str, note: str = "", mode: int = 0o644, *, live: bool = True) -> WriteFile:
        """The change from what is there now; for a node that is not `live` a new file. Raises CannotRead."""
        if not live:  # this machine's files are not those of the recorded node
            return cls(path, text, None, mode=mode, note=note)
        was = FileState.read(path)
        missing = [str(folder) for folder in Path(path).parents if not folder.exists()]
        return cls(path, text, was, tuple(reversed(missing)), was.mode if was else mode, note)

    def describe(self) -> str:
        """One line: what will be different."""
        words = f"{'create' if self.was is None else 'change'} {self.path}"
        return f"{words} ({self.note})" if self.note else words

    def comes_back(self) -> str:
        """What has the last word at boot instead of this file."""
        return self.note.removeprefix(NO_EFFECT) if self.note.startswith(NO_EFFECT) else ""

    def diff(self) -> str:
        """A unified diff of the file."""
        return difference(self.path, self.was.text if self.was else None, self.text)

    def in_short(self) -> list[str]:
        """The file's name and the lines that differ; of many lines the number."""
        changed = [line for line in self.diff().splitlines()[2:] if line[0] in "+-"]
        lines = [f"  {line[0]} {line[1:]}" for line in changed]
        if len(changed) > MOST_SHOWN:
            counts = [(sign, sum(line[0] == sign for line in changed)) for sign in "+-"]
            lines = [f"  {sign} {count} lines (-v shows them)" for sign, count in counts if count]
        return [f"{'+' if self.was is None else '~'} {self.describe()}", *lines]

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The file."""
        return (("file{s}", self.path),)

    @property
    def _wanted(self) -> FileState:
        data = self.text.encode("utf-8", errors="surrogateescape").decode("latin-1")
        owner = (self.was.uid, self.was.gid) if self.was else (os.geteuid(), os.getegid())
        return FileState(data, self.mode, *owner)

    def is_of_netdoctor(self) -> bool:
        """Whether it is a file that netdoctor's remedies write, and nothing that could run as another is put back."""
        modes = [self.mode, *([self.was.mode] if self.was else [])]
        if any(mode & ~MODES for mode in modes) or ".." in Path(self.path).parts:
            return False
        return is_of_netdoctor(self.path) or _is_beside_a_trial(Path(self.path))

    def check(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Raise Drifted unless the file is still as planned. Raises CannotRead."""
        if FileState.read(self.path) != self.was:
            raise Drifted(f"{self.path} is no longer what it was when the repair was planned")

    def apply(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Write it. Raises CannotRead."""
        try:
            for folder in self.made:
                Path(folder).mkdir(mode=0o755, exist_ok=True)
                sync_folder(Path(folder).parent)
        except OSError as error:
            raise CannotRead.of(self.path, error, "its folder cannot be made: ") from error
        put(self.path, self._wanted)

    def rehearse(self, host: Host) -> None:
        """Nothing: a file is read at the next boot."""

    def written_at(self) -> float | None:
        """When what is there was written, None where it is not what this writes."""
        try:
            return Path(self.path).lstat().st_mtime if FileState.read(self.path) == self._wanted else None
        except (OSError, CannotRead):
            return None

    def undo(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Put back what was there. Raises Drifted when the file is neither that nor ours, CannotRead."""
        now = FileState.read(self.path)
        if now not in (self.was, self._wanted):
            raise Drifted(f"somebody has changed {self.path} since netdoctor wrote it")
        if now != self.was or temporary(self.path).exists():
            put(self.path, self.was)
        for folder in reversed(self.made):
            if Path(folder) not in Path(self.path).parents:
                continue  # a journal may name any
            with suppress(OSError):  # somebody else's files are in it by now
                Path(folder).rmdir()
