"""One node: a systemd container on an overlay of read-only layers, in its own namespaces and control groups."""

import os
import shutil
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from subprocess import CompletedProcess

from . import network, records
from .config import CACHE
from .place import HOLDER
from .processes import Argument, LabError, end, run, spawn, spawned, wait_for
from .through import ENVIRONMENT

# The overlay is mounted in a mount namespace of nspawn's own: the machine's list of mounts never changes, and the mount
# goes with the process. nsenter, not --network-namespace-path: nspawn would mount /sys while still in the machine's
# network namespace, and /sys/class/net would show the machine's interfaces.
START = """
mount -t overlay overlay -o "$1" "$2"
shift 2
exec "$@"
"""


class Node:
    """A node of the lab NAME, whose files are in the folder `run`."""

    def __init__(self, folder: Path, lab: str, name: str) -> None:
        self.run, self.name = folder / name, name
        self.group = f"lab-{lab}-{name}"

    def boot(
        self, layers: Sequence[Path], containerd: Path | None, groups: list[Path], files: dict[str, str] | None = None
    ) -> None:
        """Start it for the first time, with a copy of this containerd folder.

        `files` are put into the new root first, path to text. The rest is as `start` has it.
        """
        for name in ("upper", "work", "root"):
            (self.run / name).mkdir(parents=True)
        for path, text in (files or {}).items():
            (self.run / "upper" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.run / "upper" / path).write_text(text)
        self._copy_containerd(containerd)
        self.start(layers, groups)

    def start(self, layers: Sequence[Path], groups: list[Path]) -> None:
        """Start it on these layers (topmost first), with the files that it has written, and wait for systemd.

        The node's network namespace is there already (`network.hold_namespace`). Raises LabError.
        """
        # relative names: a mount option has 256 bytes in the kernel's newer interface
        lower = ":".join(str(layer.relative_to(CACHE)) for layer in layers)
        here = self.run.relative_to(CACHE)
        options = f"lowerdir={lower},upperdir={here}/upper,workdir={here}/work,volatile"
        pid = network.holder(self.run)
        spawn(self.run, "nspawn", [
            "unshare", "--mount", "--propagation", "private", f"--wd={CACHE}", "--", "sh", "-ec", START, "sh", options,
            self.run / "root", "nsenter", f"--net=/proc/{pid}/ns/net", "--",
            "systemd-nspawn", "--quiet", "-D", self.run / "root", "-M", self.group, f"--hostname={self.name}",
            "--register=no", "--keep-unit", "--capability=all",
            "--system-call-filter=@keyring bpf @mount @raw-io perf_event_open", "--bind=/dev/kmsg",
            f"--bind={self.run}/containerd:/var/lib/containerd", "--resolv-conf=off", "--timezone=off",
            "--link-journal=no", "--console=pipe", "--boot",
        ], groups)  # fmt: skip
        wait_for(self._started, f"{self.name}: the container's init", 20)
        wait_for(lambda: self.execute("systemctl is-active -q basic.target", check=False).returncode == 0,
                 f"{self.name}: systemd", 30)  # fmt: skip

    def _started(self) -> int | None:
        if not spawned(self.run, "nspawn"):
            said = (self.run / "nspawn.log").read_text(errors="replace").strip().splitlines()
            raise LabError(f"{self.name} did not start: {' '.join(said[-3:]) or 'systemd-nspawn ended'}")
        return self.init

    def _copy_containerd(self, source: Path | None) -> None:
        """Containerd's folder lies outside the overlay: overlayfs cannot hold the upper layers of containerd's own."""
        mine = self.run / "containerd"
        if source is None:
            mine.mkdir()
            return
        # unpacked images never change: hard links; the databases do: copies
        run("cp", "-al", source, mine)
        for database in source.glob("io.containerd.*/*.db"):
            copy = mine / database.relative_to(source)
            copy.unlink()
            shutil.copy2(database, copy)

    @property
    def init(self) -> int | None:
        """The pid of the container's init as this machine sees it, None when it does not run."""
        return records.container_init(str(self.run))

    @property
    def uptime(self) -> float:
        """Seconds since the container's init started; 0 when it does not run."""
        if (init := self.init) is None:
            return 0.0
        ticks = int(records.stat(init)[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")

    def execute(
        self, argv: str | Sequence[Argument], *, check: bool = True, stdin: str | Path | None = None,
        deadline: float = 60.0, log: Path | None = None,
    ) -> CompletedProcess[str]:  # fmt: skip
        """Run a command (a list) or shell lines (a string) as root in all of the node's namespaces.

        Raises LabError when the node is down, and when the command fails and `check` is set.
        """
        if (init := self.init) is None:
            raise LabError(f"{self.name} is down")
        argv = ["sh", "-c", argv] if isinstance(argv, str) else argv
        return run("nsenter", "-t", str(init), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", *argv,
                   check=check, stdin=stdin, deadline=deadline, log=log, env=ENVIRONMENT)  # fmt: skip

    def import_images(self, archives: Iterable[Path]) -> None:
        """Unpack docker archives into containerd, and drop the archives' own blobs, which nothing needs after that."""
        wait_for(lambda: self.execute(["ctr", "version"], check=False).returncode == 0, "containerd", 30)
        for archive in archives:
            self.execute(["ctr", "-n", "k8s.io", "images", "import", "--snapshotter", "overlayfs", "-"], stdin=archive)
        listing = self.execute(["ctr", "-n", "k8s.io", "content", "ls"]).stdout.splitlines()[1:]
        blobs = [line.split() for line in listing]
        self.execute(["ctr", "-n", "k8s.io", "content", "rm", *(b[0] for b in blobs if b[1].endswith(("MB", "GB")))])

    def power_off(self) -> None:
        """An orderly end, after which the overlay's upper layer can be kept; raises LabError after 90 s."""
        if nspawn := spawned(self.run, "nspawn"):
            end([nspawn], signal.SIGTERM, 90)
        # the kernel's mark that a volatile overlay was not synced, with which it is not mounted again
        shutil.rmtree(self.run / "work/work/incompat", ignore_errors=True)

    def processes(self) -> list[int]:
        """What must be ended for the node to be gone, its init first."""
        found = [self.init, spawned(self.run, "nspawn"), spawned(self.run, HOLDER)]
        return [pid for pid in found if pid]
