"""A small node with a real firewalld on a system bus of its own: the lab's Debian, in mounts and a network of its own.

The changes find it where it is on every node: below /etc/firewalld, /usr/lib/firewalld and /run/dbus.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from netdoctor.changes.direct_rules import SETTINGS_SIGNATURE
from netdoctor.errors import CannotRead
from netdoctor.system.firewalld_bus import CONFIG, ROOT, firewalld_bus
from netdoctor.system.host import Host
from tests.conftest import REQUIRED
from tests.lab.nodelab.roots import FIREWALLD_STEPS, ROOTFS
from tests.twin.network import RULES, Node, small_node

T = TypeVar("T")
CLONE_FS, CLONE_NEWNS = 0x200, 0x20000
START_SECONDS = 30.0
# what of --direct there is: how it is asked for and removed
DIRECT = (("getAllRules", "removeRule", "sssias"), ("getAllPassthroughs", "removePassthrough", "sas"),
          ("getAllChains", "removeChain", "sss"))  # fmt: skip
# $1: an empty folder, $2: the layers. What is written stays in memory; the daemons may load and unload no module.
# /etc and /usr/lib get a place for what firewalld has there, whether the machine has one or not.
DAEMONS = """
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir -p upper work root etc/firewalld etc.work usr/firewalld usr.work
mount -t overlay -o "lowerdir=$2,upperdir=upper,workdir=work" overlay root
mount -t overlay -o lowerdir=/etc,upperdir=etc,workdir=etc.work overlay /etc
mount -t overlay -o lowerdir=/usr/lib,upperdir=usr,workdir=usr.work overlay /usr/lib
cp -a root/etc/firewalld configuration
for folder in root/etc/firewalld /etc/firewalld; do mount --bind configuration "$folder"; done
mount --bind root/usr/lib/firewalld /usr/lib/firewalld
mount -t tmpfs tmpfs /run
for folder in run proc dev; do mount --rbind "/$folder" "root/$folder"; done
mkdir /run/dbus
cat >/run/bus.conf <<'END'
<busconfig>
 <listen>unix:path=/run/dbus/system_bus_socket</listen>
 <auth>EXTERNAL</auth>
 <policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
END
setpriv --bounding-set=-sys_module chroot root dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile --nosyslog &
until test -S /run/dbus/system_bus_socket; do kill -0 $!; sleep 0.01; done
setpriv --bounding-set=-sys_module chroot root firewalld --nofork --nopid --log-target console &
echo
read line
"""


@dataclass(frozen=True)
class FirewalldNode:
    """The node; `run` calls where its files, its bus and its network are."""

    node: Node
    mounts: int  # a descriptor of the mount namespace

    def run(self, work: Callable[[], T]) -> T:
        """Do the work there, in a fresh thread; commands that it starts run there too."""

        def enter_and_work() -> T:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(CLONE_FS) or libc.setns(self.mounts, CLONE_NEWNS):
                raise OSError(ctypes.get_errno(), "the node's mounts cannot be entered")
            return work()

        return self.node.namespaces["node"].run(enter_and_work)

    def on(self, act: Callable[[Host], T]) -> T:
        """Call one of a change's functions there, as the executor does."""
        return self.run(lambda: act(Host(loads=True)))

    def call(self, interface: str, method: str, signature: str = "", *body: object, path: str = ROOT) -> Any:
        """A method of its firewalld."""

        def ask() -> Any:
            with firewalld_bus() as bus:
                return bus.call(interface, method, signature, *body, path=path)

        return self.run(ask)

    def permanent(self, zone: str, method: str, signature: str = "", *body: object) -> Any:
        """A method of a zone as it will be after the next boot."""
        path = self.call("config", "getZoneByName", "s", zone, path=CONFIG)
        return self.call("config.zone", method, signature, *body, path=path)

    def text(self, command: str) -> str:
        """What a command prints there."""
        return self.on(lambda host: host.run(["sh", "-ec", command], timeout=10))

    def clean(self) -> None:
        """Take away what a test has told firewalld, now and at boot, and bring back the rules of kube-proxy."""
        self.run(_forget)
        self.on(lambda host: host.run(["iptables-nft-restore"], stdin=RULES))


def _forget() -> None:
    """In this thread's mounts: nothing is left of what firewalld was told."""
    with firewalld_bus() as bus:
        for zone in bus.call("zone", "getActiveZones"):
            for source in bus.call("zone", "getSources", "s", zone):
                bus.call("zone", "removeSource", "ss", zone, source)
        path = bus.call("config", "getZoneByName", "s", "trusted", path=CONFIG)
        for source in bus.call("config.zone", "getSources", path=path):
            bus.call("config.zone", "removeSource", "s", source, path=path)
        with suppress(CannotRead):  # it is as firewalld ships it
            bus.call("config.zone", "loadDefaults", path=path)
        for read, remove, signature in DIRECT:
            for one in bus.call("direct", read):
                bus.call("direct", remove, signature, *one)
        if any(bus.call("config.direct", "getSettings", path=CONFIG)):
            bus.call("config.direct", "update", SETTINGS_SIGNATURE, ([], [], []), path=CONFIG)
    for path in (*Path("/etc/firewalld/zones").glob("trusted.xml*"), *Path("/etc/firewalld").glob("direct.xml*")):
        path.unlink()


def missing(version: str) -> str:
    """Why there is no firewalld of this version here, or ""."""
    if not (ROOTFS.done and FIREWALLD_STEPS[version].done):
        return f"firewalld {version} is the lab's, and the lab is not built here: make lab"
    return ""


@contextmanager
def node_with_firewalld(version: str, folder: Path) -> Iterator[FirewalldNode]:
    """A node whose uplink is in firewalld's zone public, and whose pods are in none: they get nowhere."""
    if why := missing(version):
        pytest.fail(why) if REQUIRED else pytest.skip(why)
    layers = f"{FIREWALLD_STEPS[version].folder}:{ROOTFS.folder}"
    # a process namespace: the kernel ends what is in it, whatever becomes of the tests
    unshare = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    argv = [*unshare, "sh", "-ec", DAEMONS, "sh", str(folder), layers]
    with small_node() as node:
        node.sh("sysctl -qw net.ipv4.icmp_ratelimit=0")  # each packet that is rejected is told so
        log = (folder.parent / "daemons.log").open("w+")
        with (
            log,
            node.namespaces["node"].run(
                lambda: subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
            ) as daemons,
        ):
            assert daemons.stdin
            assert daemons.stdout
            try:
                assert daemons.stdout.readline() == "\n", Path(log.name).read_text()
                shell = Path(f"/proc/{daemons.pid}/task/{daemons.pid}/children").read_text().split()[0]
                made = FirewalldNode(node, os.open(f"/proc/{shell}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC))
                try:
                    _wait(made, Path(log.name))
                    yield made
                finally:
                    os.close(made.mounts)
            finally:
                daemons.stdin.close()


def _wait(node: FirewalldNode, log: Path) -> None:
    def state() -> str:
        with suppress(CannotRead), firewalld_bus() as bus:
            return str(bus.property("state"))
        return ""

    end = time.monotonic() + START_SECONDS
    while (now := node.run(state)) != "RUNNING":
        assert time.monotonic() < end, f"firewalld is {now or 'not there'}: {log.read_text()}"
        time.sleep(0.05)
