"""A path that leads no further than it may: the system call openat2, and a walk that does its work without it."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import stat

OPENAT2 = 437  # on every architecture
NO_MAGICLINKS, NO_SYMLINKS, BENEATH, IN_ROOT = 0x02, 0x04, 0x08, 0x10  # linux/openat2.h
PLACE = os.O_PATH | os.O_CLOEXEC  # a place in the file system: nothing is opened, so no device and no FIFO wakes up
PROC_SUPER_MAGIC = 0x9FA0
MOST_LINKS = 40  # as the kernel has it
TRIES = 50  # openat2 gives up where something is renamed meanwhile
AT_FDCWD = -100


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_place(folder: int | None, path: str, resolve: int) -> int:
    """An O_PATH descriptor of what stands at a path that leads no further than `resolve` allows. Raises OSError."""
    if "\0" in path:
        raise OSError(errno.EINVAL, "its name holds a NUL")
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if has_openat2():
        return _openat2(AT_FDCWD if folder is None else folder, path, resolve)
    return _Walk(folder, path, resolve).end()


@functools.cache
def has_openat2() -> bool:
    """Whether the kernel has the call, and lets this process make it: Linux 5.6, and no seccomp filter against it."""
    try:
        os.close(_openat2(AT_FDCWD, ".", 0))
    except OSError as error:
        return error.errno not in (errno.ENOSYS, errno.EPERM)
    return True


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _openat2(folder: int, path: str, resolve: int) -> int:
    libc = _libc()
    how = _How(PLACE, 0, resolve)
    for _ in range(TRIES):
        number: int = libc.syscall(
            ctypes.c_long(OPENAT2), ctypes.c_int(folder), ctypes.c_char_p(os.fsencode(path)), ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )  # fmt: skip
        if number >= 0:
            return number
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)


class _Walk:
    """What openat2 does, for kernels without it: component by component, each opened without following it."""

    def __init__(self, folder: int | None, path: str, resolve: int) -> None:
        """Begin at the folder, or at / where an absolute path may lead there. Raises OSError."""
        self.path, self.resolve, self.links = path, resolve, 0
        self.confined = bool(resolve & (BENEATH | IN_ROOT))
        if path.startswith("/") and resolve & BENEATH:
            raise self._error(errno.EXDEV)
        start, at = ("/", None) if path.startswith("/") and not self.confined else (".", folder)
        self.passed = [os.open(start, PLACE | os.O_DIRECTORY, dir_fd=at)]
        self.to_go = path.split("/")[::-1]

    def end(self) -> int:
        """An O_PATH descriptor of what stands at the path's end. Raises OSError."""
        try:
            while self.to_go:
                name = self.to_go.pop()
                if name == ".." and self.confined:
                    self._up()
                elif name not in ("", "."):
                    self._into(name)
            return self.passed.pop()
        finally:
            for each in self.passed:
                os.close(each)

    def _up(self) -> None:
        if len(self.passed) > 1:
            os.close(self.passed.pop())
        elif self.resolve & BENEATH:
            raise self._error(errno.EXDEV)

    def _into(self, name: str) -> None:
        self.passed.append(os.open(name, PLACE | os.O_NOFOLLOW, dir_fd=self.passed[-1]))
        if not stat.S_ISLNK(os.fstat(self.passed[-1]).st_mode):
            return
        self.links += 1
        if self.resolve & NO_SYMLINKS or self.links > MOST_LINKS or _is_magic(self.passed[-1]):
            raise self._error(errno.ELOOP)
        target = os.readlink("", dir_fd=self.passed[-1])
        os.close(self.passed.pop())
        if target.startswith("/"):
            self._to_the_root()
        self.to_go += target.split("/")[::-1]

    def _to_the_root(self) -> None:
        if not self.confined:
            self.passed.append(os.open("/", PLACE | os.O_DIRECTORY))
        while self.confined and len(self.passed) > 1:
            os.close(self.passed.pop())

    def _error(self, number: int) -> OSError:
        return OSError(number, os.strerror(number), self.path)


def _is_magic(place: int) -> bool:
    """Whether a link is one of /proc's, which lead where their text does not say."""
    libc = _libc()
    about = (ctypes.c_long * 64)()
    if libc.fstatfs(ctypes.c_int(place), ctypes.byref(about)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return about[0] == PROC_SUPER_MAGIC
