"""Run a command inside a lab as if it were typed there: streams, exit status and signals pass through."""

import ctypes
import os
import signal
import sys
import warnings  # noqa: F401 -- os.execvpe imports it, where this Python's files are out of sight
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

PR_SET_PDEATHSIG = 1
SI_USER = 0
PASSED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)
# pid comes after the others that need /proc, mnt last of those entered by file descriptor
ALL = ("cgroup", "ipc", "uts", "net", "pid", "mnt")
_libc = ctypes.CDLL(None, use_errno=True)


def _enter(pid: int, namespaces: Sequence[str]) -> None:
    """Move this process (its children, for pid) into namespaces of another; with mnt also into its root."""
    descriptors = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in namespaces]
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_CLOEXEC)
    for descriptor in descriptors:
        if _libc.setns(descriptor, 0):
            code = ctypes.get_errno()
            raise OSError(code, f"cannot enter the lab: {os.strerror(code)}")
        os.close(descriptor)
    if "mnt" in namespaces:
        os.fchdir(root)
        os.chroot(".")
        os.chdir("/root")
    os.close(root)


@contextmanager
def network(pid: int) -> Iterator[None]:
    """Sockets made here are in the network namespace of another process; raises OSError."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(pid, ("net",))
        yield
    finally:
        if _libc.setns(own, 0):
            os._exit(3)  # nothing of the lab's may go on in the node's network
        os.close(own)


def run_inside(pid: int, namespaces: Sequence[str], argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run argv in namespaces of process `pid`; returns its exit status, 128 + N when signal N ended it.

    A signal sent to this process reaches the command; one from the terminal reaches it by itself. When this process is
    killed, so is the command.
    """
    watched = {*PASSED, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    _enter(pid, namespaces)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _become(argv, env, before, watched)
    while True:
        with suppress(InterruptedError):
            info = signal.sigwaitinfo(watched)
            if info.si_signo != signal.SIGCHLD:
                if info.si_code <= SI_USER and info.si_pid != parent:
                    os.kill(child, info.si_signo)
                continue
        done, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if done and os.WIFSTOPPED(status):
            os.kill(parent, signal.SIGSTOP)
            os.kill(child, signal.SIGCONT)
        elif done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _become(
    argv: Sequence[str], env: Mapping[str, str], mask: set[signal.Signals | int], watched: set[signal.Signals]
) -> None:
    """In the child: turn into the command, or end with a shell's status for a command that cannot be run."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in watched:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execvpe(argv[0], list(argv), dict(env))
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(126 if isinstance(error, PermissionError) else 127)
