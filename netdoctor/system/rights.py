"""The user behind sudo (or doas, or pkexec), and work that is done with that user's rights instead of root's.

`Rights.lend` runs a function in a thread of its own whose file system identity (setfsuid, setfsgid, groups) is the
user's. The kernel then checks each component of a path, and the file itself, as it would for that user, at the moment
it opens it: there is no gap between a check and its use. The other threads stay root, and the thread ends with its
identity, so nothing has to be given back. `Rights.take_on` makes a whole child process the user's.
"""

from __future__ import annotations

import ctypes
import os
import platform
import pwd
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from netdoctor.errors import CannotRead

Result = TypeVar("Result")
# glibc's setgroups changes every thread; the system call changes the calling one
SETGROUPS = {
    "x86_64": 116, "aarch64": 159, "riscv64": 159, "loongarch64": 159, "ppc64le": 81, "s390x": 206, "i686": 206,
    "armv7l": 206,
}  # fmt: skip
# of linux/capability.h, what lets root pass over a file's permissions: CHOWN to FSETID, LINUX_IMMUTABLE, MKNOD,
# MAC_OVERRIDE
OVER_FILES = 0b11111 | 1 << 9 | 1 << 27 | 1 << 32
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNET = 0x40000000
NO_ID = 0xFFFFFFFF
CALLERS = ("SUDO_UID", "PKEXEC_UID", "DOAS_USER")  # by which sudo and run0, pkexec, and doas say who called them
NO_GROUP = 65534  # nogroup


@dataclass(frozen=True, slots=True)
class Rights:
    """A user's identity towards the file system."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()

    @classmethod
    def of(cls, uid: int, gid: int | None = None) -> Rights:
        """Those of a user: the groups are what the system's database says, without an entry none but `gid`."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            group = NO_GROUP if gid is None else gid
            return cls(uid, group, (group,))
        group = entry.pw_gid if gid is None else gid
        return cls(uid, group, tuple(sorted({group, *os.getgrouplist(entry.pw_name, group)})))

    @property
    def name(self) -> str:
        """The user's name, or number where there is none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"

    def lend(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises, run with these rights. Raises CannotRead where they cannot be lent.

        `work` opens files and imports nothing: netdoctor's own may stand where the user cannot read them.
        """
        if os.geteuid() == self.uid:
            return work()
        results: list[Result] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                self._lend_to_this_thread()
                results.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, name="rights", daemon=True)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def _lend_to_this_thread(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        number = SETGROUPS.get(platform.machine())
        groups = (ctypes.c_uint32 * len(self.groups))(*self.groups)
        if number is None or libc.syscall(
            ctypes.c_long(number), ctypes.c_size_t(len(self.groups)), ctypes.byref(groups)
        ):
            raise CannotRead(f"the rights of {self.name}", "its groups cannot be taken on")
        for call, wanted in ((libc.setfsgid, self.gid), (libc.setfsuid, self.uid)):
            call(ctypes.c_uint32(wanted))
            if ctypes.c_uint32(call(ctypes.c_uint32(NO_ID))).value != wanted:  # an id that is none only asks
                raise CannotRead(f"the rights of {self.name}", "they cannot be taken on")
        if _capabilities() & OVER_FILES:
            raise CannotRead(f"the rights of {self.name}", "the kernel leaves root's beside them")

    def take_on(self) -> None:
        """Make the calling process, a child before its exec, this user's, and without a network. Raises OSError."""
        libc = ctypes.CDLL(None, use_errno=True)
        if os.geteuid() == 0 and libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no namespace without a network")
        if os.geteuid() != self.uid:
            os.setgroups(self.groups)
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "new privileges cannot be ruled out")


def _capabilities() -> int:
    """The calling thread's effective capabilities, as bits."""
    # bytes: a codec is a module, which this thread may not be allowed to read
    lines = Path("/proc/thread-self/status").read_bytes().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith(b"CapEff:"))


def ours() -> Rights:
    """This process's own."""
    return Rights(os.geteuid(), os.getegid(), tuple(os.getgroups()))


def behind_sudo() -> Rights | None:
    """Those of the user who called sudo, doas or pkexec; None where this process is not root, or root itself called.

    Raises CannotRead where their variables make no sense, or name two users: a user may keep one of them through the
    other program.
    """
    if os.geteuid() != 0:
        return None
    callers = {variable: uid for variable in CALLERS if (uid := _caller(variable))}
    # in a user namespace of our own, root has no more rights than its maker
    uids = {uid for uid in callers.values() if _is_mapped(uid)}
    if len(uids) > 1:
        raise CannotRead(" and ".join(callers), "they name different users")
    if not uids:
        return None
    group = os.environ.get("SUDO_GID", "") if "SUDO_UID" in callers else ""
    return Rights.of(uids.pop(), _number(group, "SUDO_GID") if group else None)


def caller_name() -> str:
    """The name of who called, behind sudo too; "" where that cannot be told."""
    try:
        return (behind_sudo() or ours()).name
    except CannotRead:
        return ""


def _caller(variable: str) -> int:
    """The user whom a variable of CALLERS names; 0 for root and for nobody. Raises CannotRead."""
    word = os.environ.get(variable, "")
    if variable != "DOAS_USER":
        return _number(word, variable) if word else 0
    try:
        return pwd.getpwnam(word).pw_uid if word else 0
    except KeyError as error:
        raise CannotRead(variable, f"there is no user {word[:20]!r}") from error


def _number(word: str, variable: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 10 and int(word) < NO_ID):
        raise CannotRead(variable, f"{word[:20]!r} is not a user's or a group's number")
    return int(word)


def _is_mapped(uid: int) -> bool:
    """Whether the user exists in this user namespace."""
    try:
        lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise CannotRead.of("/proc/self/uid_map", error) from error
    ranges = [(int(first), int(count)) for first, _, count in (line.split() for line in lines)]
    return any(first <= uid < first + count for first, count in ranges)
