"""Files that are opened for somebody else: below a pod's root, in a checkout, and where a report is written.

Who may write there chooses what stands under a name: a link to a file of root's, a FIFO that nobody writes to, a
device. So the kernel is told how far a path may lead (openat2; where it has no such call, each component is opened
without following it), the file is looked at before it is opened for reading, and reading ends at a limit.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from netdoctor.errors import CannotRead, Why
from netdoctor.system.openat2 import BENEATH, IN_ROOT, NO_MAGICLINKS, NO_SYMLINKS, PLACE, open_place
from netdoctor.system.rights import behind_sudo, ours

LARGEST = 1 << 20  # bytes of a file, where nothing else is said
LINK = "its path has a symbolic link, and netdoctor does not follow one there"
# names of what this process has open already: there is nothing to look up
OWN = re.compile(
    r"/dev/std(?P<stream>in|out|err)|/(?:dev|proc/self|proc/thread-self|proc/(?P<pid>[0-9]+))/fd/(?P<number>[0-9]{1,9})"
)
STREAMS = {"in": 0, "out": 1, "err": 2}
NO_FILE = "not a regular file"
REASONS = {errno.ELOOP: LINK, errno.EXDEV: "it leads out of its folder"}


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held, who owns it, and its mode."""

    data: bytes
    uid: int
    gid: int
    mode: int

    @property
    def text(self) -> str:
        """As UTF-8, undecodable bytes replaced."""
        return self.data.decode("utf-8", errors="replace")


class Folder:
    """A folder that is held open: a name below it leads nowhere else, whatever is renamed meanwhile."""

    def __init__(self, descriptor: int, path: str) -> None:
        """`descriptor` belongs to this object from now on; `path` is what messages call it."""
        self.descriptor, self.path = descriptor, path

    @classmethod
    @contextmanager
    def held(cls, path: str) -> Iterator[Folder]:
        """The folder at this path, for the length of a with block; no link leads to it, but one in / that is root's.

        Raises CannotRead.
        """
        with _closing(_place(None, _without_roots_link(path or "."), NO_SYMLINKS, path)) as descriptor:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise CannotRead(path, "not a folder")
            yield cls(descriptor, path)

    @classmethod
    @contextmanager
    def root_of(cls, pid: str | int) -> Iterator[Folder]:
        """The root that a process sees, for the length of a with block. Raises CannotRead."""
        path = f"/proc/{int(pid)}/root"
        try:
            descriptor = os.open(path, PLACE | os.O_DIRECTORY)
        except OSError as error:
            raise cannot_open(path, error) from error
        with _closing(descriptor):
            yield cls(descriptor, path)

    def read(self, path: str, limit: int = LARGEST) -> Content | None:
        """A regular file below the folder, never through a link; None where there is none. Raises CannotRead."""
        return self._read(path, BENEATH | NO_SYMLINKS, limit)

    def read_as_its_root(self, path: str, limit: int = LARGEST) -> Content | None:
        """The same where links are usual: an absolute one, and `..`, end at this folder. Raises CannotRead."""
        return self._read(path, IN_ROOT | NO_MAGICLINKS, limit)

    def _read(self, path: str, resolve: int, limit: int) -> Content | None:
        name = os.path.join(self.path, path.lstrip("/"))  # noqa: PTH118 - `.` and `..` stay as they are
        try:
            place = open_place(self.descriptor, path, resolve)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise cannot_open(name, error) from error
        with _closing(place):
            return content(place, name, limit)

    def has_folder(self, path: str) -> bool:
        """Whether there is a folder at this path, relative to this one or absolute, to which no link leads."""
        try:
            place = open_place(self.descriptor, path, NO_SYMLINKS)
        except OSError:
            return False
        with _closing(place):
            return stat.S_ISDIR(os.fstat(place).st_mode)

    def trouble(self, path: str) -> CannotRead | None:
        """Why what stands at this path must not be opened: it is neither a file nor a folder, or a link leads there."""
        name = os.path.join(self.path, path)  # noqa: PTH118 - `.` and `..` stay as they are
        try:
            place = open_place(self.descriptor, path, NO_SYMLINKS)
        except OSError as error:
            return cannot_open(name, error) if error.errno == errno.ELOOP else None
        with _closing(place):
            mode = os.fstat(place).st_mode
            return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else CannotRead(name, NO_FILE)

    def about(self, name: str) -> os.stat_result | None:
        """What stands under a name of this folder, a link itself included; None for nothing. Raises CannotRead."""
        try:
            return os.stat(_single(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise cannot_open(self._path_of(name), error) from error

    def replace(
        self, name: str, data: bytes, mode: int = 0o600, owner: tuple[int, int] | None = None, beside: str = ""
    ) -> None:
        """Put a file under a name of this folder in one step, on disk when this returns.

        It is written under the name `beside` first; what stood under `name`, if that is a link then the link, makes
        room. `owner` is who it is given to. Raises OSError.
        """
        beside = beside or f".{_single(name)[:200]}.netdoctor-{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=self.descriptor)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        number = os.open(beside, flags, 0o600, dir_fd=self.descriptor)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
                if owner is not None:
                    os.fchown(number, *owner)
                os.fchmod(number, mode)
                file.flush()
                os.fsync(number)
            os.rename(beside, _single(name), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(beside, dir_fd=self.descriptor)
            raise
        self._sync()

    def _sync(self) -> None:
        """Bring the folder's entries to disk, where it may be read."""
        with suppress(PermissionError):
            number = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.descriptor)
            try:
                os.fsync(number)
            finally:
                os.close(number)

    def _path_of(self, name: str) -> str:
        return str(PurePosixPath(self.path or ".", name))


def open_named(path: str) -> int:
    """A descriptor of a regular file that the user named, opened with the rights of the user behind sudo.

    Links are followed, as that user could; so are the names of this process's own descriptors, such as /dev/stdin.
    Raises CannotRead.
    """
    own = own_descriptor(path)
    if own is not None:
        try:
            return open_regular(own, path)
        except OSError as error:
            raise cannot_open(path, error) from error

    def look_up() -> int:
        with _closing(_place(None, path, NO_MAGICLINKS, path)) as place:
            return open_regular(place, path)

    return (behind_sudo() or ours()).lend(look_up)


def read_named(path: str, limit: int = LARGEST) -> Content:
    """A regular file that the user named, through links as the user wrote them. Raises CannotRead."""
    with _closing(_place(None, path, NO_MAGICLINKS, path)) as place:
        return content(place, path, limit)


def own_descriptor(path: str) -> int | None:
    """The descriptor of this process that a path such as /dev/stdout stands for; None for any other path."""
    match = OWN.fullmatch(path)
    if match is None or (match["pid"] and int(match["pid"]) != os.getpid()):
        return None
    return STREAMS[match["stream"]] if match["stream"] else int(match["number"])


def open_regular(place: int, path: str) -> int:
    """A descriptor for reading, by an O_PATH descriptor of a regular file. Raises CannotRead, OSError."""
    if not stat.S_ISREG(os.fstat(place).st_mode):
        raise CannotRead(path, NO_FILE)
    try:
        return reopened(place, os.O_RDONLY)
    except OSError as error:
        raise cannot_open(path, error) from error


def content(place: int, path: str, limit: int) -> Content:
    """What a regular file holds, by an O_PATH descriptor of it. Raises CannotRead, also for more than `limit` bytes."""
    with _closing(open_regular(place, path)) as number:
        about = os.fstat(number)
        try:
            data = _read_up_to(number, limit + 1)
        except OSError as error:
            raise cannot_open(path, error) from error
    if len(data) > limit:
        raise CannotRead(path, f"it is larger than {_size(limit)}")
    return Content(data, about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode))


def reopened(place: int, flags: int) -> int:
    """A descriptor of the very thing that an O_PATH descriptor stands for; never waits. Raises OSError."""
    return os.open(f"/proc/self/fd/{place}", flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)


def _read_up_to(number: int, most: int) -> bytes:
    """The bytes of a descriptor, no more than `most`: what a file says of its size is not believed."""
    parts = []
    while most > 0 and (part := os.read(number, min(most, 1 << 16))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _size(limit: int) -> str:
    return f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit} bytes"


def _single(name: str) -> str:
    """A name of one component. Raises OSError."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise OSError(errno.EINVAL, "it is not the name of a file")
    return name


def _without_roots_link(path: str) -> str:
    """The path with its first component resolved where that is a link in / : only root can have put it there."""
    parts = PurePosixPath(path).parts
    if len(parts) < 2 or parts[0] not in ("/", "//"):
        return path
    first = f"/{parts[1]}"
    if parts[1] == ".." or not os.path.islink(first):  # noqa: PTH114 - the text of the path is what is asked for
        return path
    return str(PurePosixPath(os.path.realpath(first), *parts[2:]))


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def cannot_open(path: str, error: OSError) -> CannotRead:
    """The sentence for a path that cannot be opened."""
    why = Why.of_errno(error.errno)
    return CannotRead(path, REASONS.get(error.errno or 0) or error.strerror or str(error), why)


def _place(folder: int | None, path: str, resolve: int, said: str) -> int:
    """An O_PATH descriptor. Raises CannotRead."""
    try:
        return open_place(folder, path, resolve)
    except OSError as error:
        raise cannot_open(said or path, error) from error
