"""Network namespaces without a name: held by a descriptor, gone with the process that holds it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import TypeVar

from netdoctor.errors import CannotRead
from netdoctor.system.traffic import CLONE_NEWNET, in_namespace

T = TypeVar("T")
CLONE_NEWUSER = 0x10000000
NOT_ALLOWED = (
    "not verified on a copy of the node: this machine does not let an unprivileged process make a user namespace; "
    "with --trust-recording the copy is made with yours"
)


class Namespace:
    """A network namespace. `path` leads into it for as long as this object is open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def new(cls) -> Namespace:
        """An empty one. Raises CannotRead where this process may not make one."""

        def make() -> int:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(CLONE_NEWNET):
                raise CannotRead.of("twin", ctypes.get_errno(), "no network namespace can be made: ")
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        return cls(in_namespace("", make).result())

    @property
    def path(self) -> str:
        """Where the kernel shows it, for this process alone."""
        return f"/proc/self/fd/{self._descriptor}"

    @property
    def descriptor(self) -> int:
        """The descriptor that holds it."""
        return self._descriptor

    def run(self, work: Callable[[], T]) -> T:
        """Do the work in this namespace, in a fresh thread; commands that it starts run there too."""
        return in_namespace(self.path, work).result()

    def close(self) -> None:
        """Let it go; the kernel removes it with all that is in it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def become_root_of_a_user_namespace() -> bool:
    """Without root: enter a user namespace in which this process may make network namespaces.

    Files stay the caller's own. It has to come before the first thread. False where the kernel or its administrator
    does not allow it (user.max_user_namespaces, AppArmor).
    """
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWNET):
        return False
    try:
        written = {"setgroups": b"deny", "uid_map": b"0 %d 1" % user, "gid_map": b"0 %d 1" % group}
        for name, text in written.items():
            descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, text)  # in one piece: the kernel takes no second
            finally:
                os.close(descriptor)
    except OSError:
        return False
    return True
