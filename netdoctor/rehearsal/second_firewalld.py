"""A second, real firewalld in a copy of the node: started, waited for, and ended whatever becomes of netdoctor.

It has a D-Bus of its own, a copy of /etc/firewalld, mounts of its own in which /etc cannot be written and /run is
empty, and may load and unload no module. It is kept by a process of its own, which ends it when netdoctor lets go of a
pipe: at the end, on an error, on Ctrl-C and on kill -9. Were that process killed, the kernel kills both daemons.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netdoctor.errors import CannotRead, Why
from netdoctor.system.firewalld_bus import FirewalldBus, firewalld_bus
from netdoctor.twin.namespace import Namespace

SOURCE = "a second firewalld"
CONFIGURATION = Path("/etc/firewalld")
FOLDERS = "/tmp"  # not below /run, which the daemons find empty
PROGRAMS = ("dbus-daemon", "firewalld")
START_SECONDS, CALL_SECONDS, END_SECONDS, PAUSE = 15.0, 20.0, 2.0, 0.05
BUS = """<busconfig>
 <listen>{address}</listen>
 <auth>EXTERNAL</auth>
 <policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
"""
CLONE_NEWNS, PR_SET_PDEATHSIG, PR_CAPBSET_DROP, CAP_SYS_MODULE = 0x20000, 1, 24, 16
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 0x20, 0x1000, 0x4000, 0x40000


@contextmanager
def second_firewalld(namespace: Namespace) -> Iterator[FirewalldBus]:
    """A firewalld in this network namespace, for the length of a with block: a connection to its bus.

    Raises CannotRead where it is not installed or does not come up.
    """
    programs = [shutil.which(name) or "" for name in PROGRAMS]
    if "" in programs:
        raise CannotRead(SOURCE, f"{PROGRAMS[programs.index('')]} is not installed", Why.ABSENT)
    folder = Path(tempfile.mkdtemp(prefix="netdoctor-firewalld-", dir=FOLDERS))
    keeper: subprocess.Popen[str] | None = None
    address = f"unix:path={folder}/bus"
    try:
        try:
            shutil.copytree(CONFIGURATION, folder / "etc", ignore_dangling_symlinks=True)
            (folder / "bus.conf").write_text(BUS.format(address=address), encoding="utf-8")
            keeper = namespace.run(lambda: _start(folder, programs))
        except (OSError, shutil.Error) as error:
            raise CannotRead(SOURCE, str(error)) from error
        _wait(keeper, address)
        with firewalld_bus(CALL_SECONDS, address) as bus:
            yield bus
    finally:
        if keeper:
            _end(keeper)
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, programs: list[str]) -> subprocess.Popen[str]:
    """The keeper, in this thread's network namespace."""
    return subprocess.Popen(
        [sys.executable, "-I", "-m", __name__, str(folder), *programs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def _wait(keeper: subprocess.Popen[str], address: str) -> None:
    """Until firewalld runs. Raises CannotRead where it does not come up."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if keeper.poll() is not None:
            said = keeper.stdout.read().strip() if keeper.stdout else ""
            raise CannotRead(SOURCE, said or "it has ended at once")
        state = ""
        with suppress(CannotRead), firewalld_bus(1.0, address) as bus:
            state = str(bus.property("state"))
        if state == "RUNNING":
            return
        if state == "FAILED":
            raise CannotRead(SOURCE, "it cannot load the node's configuration")
        time.sleep(PAUSE)
    raise CannotRead(SOURCE, f"it has not come up within {START_SECONDS:g} s")


def _end(keeper: subprocess.Popen[str]) -> None:
    """Let go of the pipe and wait; what is left then is killed, with all that it has started."""
    try:
        if keeper.stdin:
            keeper.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            keeper.wait(2 * END_SECONDS + 1)
    finally:
        if keeper.poll() is None:
            os.killpg(keeper.pid, signal.SIGKILL)
            keeper.wait()
        if keeper.stdout:
            keeper.stdout.close()


def keep(folder: Path, bus_daemon: str, firewalld: str) -> str:
    """Keep a D-Bus and a firewalld until standard input ends; why one of them ended before that, or ""."""
    libc = ctypes.CDLL(None, use_errno=True)
    _seclude(libc)
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus",
    }
    started: list[subprocess.Popen[bytes]] = []
    keeper = os.getpid()

    def go_with_keeper() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:  # killed just now
            os._exit(1)

    def start(*argv: str) -> None:
        with (folder / f"{len(started)}.log").open("wb") as log:
            one = subprocess.Popen(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=go_with_keeper,  # noqa: PLW1509 - there is one thread
            )
        started.append(one)

    def over(seconds: float) -> bool:
        return bool(select.select([0], [], [], seconds)[0]) or any(one.poll() is not None for one in started)

    try:
        start(bus_daemon, f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile", "--nosyslog")
        while not (folder / "bus").exists() and not over(PAUSE / 5):
            pass
        start(firewalld, "--nofork", "--nopid", "--log-target", "console", "--system-config", f"{folder}/etc")
        while not over(2 * PAUSE):
            pass
        return next((_last_words(folder, place) for place, one in enumerate(started) if one.poll() is not None), "")
    finally:
        for one in reversed(started):
            _stop(one)
        shutil.rmtree(folder, ignore_errors=True)


def _seclude(libc: ctypes.CDLL) -> None:
    """Mounts of this process's own, and no loading of modules: CleanupModulesOnExit would unload the machine's."""
    steps = (
        (None, b"/", None, MS_REC | MS_PRIVATE),
        (b"/etc", b"/etc", None, MS_BIND | MS_REC),
        (None, b"/etc", None, MS_REMOUNT | MS_BIND | MS_RDONLY),
        (b"tmpfs", b"/run", b"tmpfs", MS_NOSUID | MS_NODEV),
    )
    done = not libc.unshare(CLONE_NEWNS) and not any(libc.mount(*step, None) for step in steps)
    if not done or libc.prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"it cannot be confined: {os.strerror(ctypes.get_errno())}")


def _stop(one: subprocess.Popen[bytes]) -> None:
    one.terminate()
    try:
        one.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        one.kill()
        one.wait()


def _last_words(folder: Path, place: int) -> str:
    lines = (folder / f"{place}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{PROGRAMS[place]} has ended{': ' + lines[-1] if lines else ''}"


def main() -> None:
    """Print why it has ended before its time."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        print(keep(Path(sys.argv[1]), *sys.argv[2:]))
    except OSError as error:
        print(error.strerror or error)


if __name__ == "__main__":
    main()
