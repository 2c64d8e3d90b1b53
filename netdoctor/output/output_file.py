"""A file that the user has named to write to: a report, a recording, a picture.

Its folder is held open and no link is followed on the way to it or under its name. It is written with the rights of the
user behind sudo, to whom it then belongs: what that user could not write, netdoctor does not write for them.
"""

from __future__ import annotations

import errno
import gzip
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from netdoctor.errors import CannotRead
from netdoctor.system.foreign_files import LINK, Folder, own_descriptor, reopened
from netdoctor.system.output_gate import Unchecked, passed
from netdoctor.system.rights import Rights, behind_sudo, ours

Result = TypeVar("Result")
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
SMALL = {errno.EACCES: "permission denied", errno.ENOENT: "no such folder", errno.ENOTDIR: "no such folder"}


class OutputFile:
    """A name in a folder that is held open, or a descriptor of this process. Every method raises CannotRead."""

    def __init__(self, path: str, folder: Folder | None, rights: Rights) -> None:
        """A name in `folder`; None where the path stands for a descriptor of this process."""
        self.path, self.name = path, os.path.basename(path)  # noqa: PTH119 - "x/" names no file
        self._folder, self._rights = folder, rights

    @classmethod
    @contextmanager
    def named(cls, path: str) -> Iterator[OutputFile]:
        """The file at this path, there or not, for the length of a with block. Raises CannotRead."""
        rights = behind_sudo() or ours()
        if own_descriptor(path) is not None:
            yield cls(path, None, rights)
            return
        with ExitStack() as until_it_is_written:
            try:
                held = Folder.held(os.path.dirname(path) or ".")  # noqa: PTH120 - `..` stays as it is
                folder = until_it_is_written.enter_context(held)
            except CannotRead as error:
                cause = error.__cause__
                number = cause.errno if isinstance(cause, OSError) else None
                raise CannotRead(path, f"cannot be written: {SMALL.get(number or 0, error.reason)}") from error
            yield cls(path, folder, rights)

    def check(self) -> None:
        """Whether it can be written, without changing anything."""
        if self._folder is not None:
            self._lend(self._check)

    def is_the_same_as(self, path: str) -> bool:
        """Whether the file at this path is the one that would be written."""
        about = self._folder.about(self.name) if self._folder else os.fstat(own_descriptor(self.path) or 0)
        try:
            return about is not None and os.path.samestat(about, os.stat(path))  # noqa: PTH116
        except OSError:
            return False

    def write(self, data: bytes, *, packed: bool = False) -> None:
        """Write what of it passes the gate; what a regular file held before stays whole until all of it is on disk.

        `packed`: as gzip, which holds neither a name nor a time.
        """
        try:
            data = passed(data.decode(errors="backslashreplace")).encode(errors="backslashreplace")
        except Unchecked as error:
            raise CannotRead(self.path, f"it was not written: {error}") from error
        data = gzip.compress(data, mtime=0) if packed else data
        try:
            if self._folder is None:
                sys.stdout.flush()
                number: int | None = os.dup(own_descriptor(self.path) or 0)
            else:
                number = self._lend(lambda folder: self._put(folder, data))
            if number is None:
                return
            os.set_blocking(number, True)  # it was opened without waiting for whoever should read a FIFO
            with os.fdopen(number, "wb") as file:
                file.write(data)
        except OSError as error:
            raise self._cannot(error) from error

    def _lend(self, work: Callable[[Folder], Result]) -> Result:
        folder = self._folder
        assert folder is not None
        try:
            return self._rights.lend(lambda: work(folder))
        except OSError as error:
            raise self._cannot(error) from error

    def _cannot(self, error: OSError) -> CannotRead:
        denied = error.errno == errno.EACCES and self._rights.uid != os.geteuid()
        whose = f" with the rights of {self._rights.name}, who called sudo" if denied else ""
        return CannotRead(
            self.path, f"cannot be written{whose}: {SMALL.get(error.errno or 0) or error.strerror or error}"
        )

    def _refuse(self, what: str) -> CannotRead:
        return CannotRead(self.path, f"cannot be written: {what}")

    def _kind(self, folder: Folder) -> os.stat_result | None:
        """What stands under the name, None for nothing; refused unless it is a file, a FIFO or a terminal."""
        if self.name in ("", ".", ".."):
            raise self._refuse("it is the name of a folder")
        about = folder.about(self.name)
        if about is not None and stat.S_ISFIFO(about.st_mode) and about.st_uid != self._rights.uid:
            raise self._refuse("it is another user's FIFO, who could make netdoctor wait for ever")
        if about is None or stat.S_ISREG(about.st_mode) or _is_written_at_once(about):
            return about
        raise self._refuse(LINK if stat.S_ISLNK(about.st_mode) else "it is neither a file, nor a FIFO, nor a terminal")

    def _check(self, folder: Folder) -> None:
        about = self._kind(folder)
        if about is not None and _is_written_at_once(about):
            return
        try:
            os.close(os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder.descriptor))
        except OSError as error:
            if error.errno not in DENIED:
                return  # not every file system has files without a name; the writing itself will tell
            if about is None:
                raise
            os.close(self._reopened(folder, os.O_WRONLY))

    def _put(self, folder: Folder, data: bytes) -> int | None:
        """Write a regular file and return None, or return a descriptor of what has to be written as it is."""
        about = self._kind(folder)
        if about is not None and _is_written_at_once(about):
            return self._reopened(folder, os.O_WRONLY)
        try:
            folder.replace(self.name, data, *self._mode_and_owner(folder, about))
        except OSError as error:
            if about is None or error.errno not in DENIED:
                raise
            return self._reopened(folder, os.O_WRONLY | os.O_TRUNC)  # its folder takes no new file
        return None

    def _mode_and_owner(self, folder: Folder, about: os.stat_result | None) -> tuple[int, tuple[int, int] | None]:
        """Those of the file that is there, if its owner may keep it: root's own, or of its folder's owner."""
        if about is None:
            return 0o600, None
        mode = stat.S_IMODE(about.st_mode) & 0o777
        if about.st_uid == self._rights.uid:
            return mode, None
        if self._rights.uid == 0 and about.st_uid == os.fstat(folder.descriptor).st_uid:
            return mode, (about.st_uid, about.st_gid)
        return 0o600, None

    def _reopened(self, folder: Folder, flags: int) -> int:
        """A descriptor of what stands under the name, and of nothing that has come there meanwhile from elsewhere."""
        place = os.open(self.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder.descriptor)
        try:
            about = os.fstat(place)
            mine = about.st_uid == self._rights.uid
            own = mine and ((stat.S_ISREG(about.st_mode) and about.st_nlink == 1) or stat.S_ISFIFO(about.st_mode))
            if not own and not stat.S_ISCHR(about.st_mode):
                raise self._refuse("it belongs to somebody else")
            return reopened(place, flags)
        finally:
            os.close(place)


def _is_written_at_once(about: os.stat_result) -> bool:
    """Whether it is a FIFO or a character device: nothing can be put in its place."""
    return stat.S_ISFIFO(about.st_mode) or stat.S_ISCHR(about.st_mode)
