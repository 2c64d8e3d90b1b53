"""What a pod's process sees as /etc/resolv.conf: its image and the pod decide what stands there."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import Corefile, Upstreams
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.traffic.vantage import VantagePoint, old_pods
from netdoctor.system.host import Host
from tests.builders import pods, services

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a process a root of its own")
UID = "1cbdf820-1b76-4d2e-9a41-0f2b7c1d5e66"
HOSTS_OWN = "nameserver 192.0.2.66\n"


@dataclass(frozen=True)
class Node(Host):
    """This machine, on which one process belongs to a pod."""

    pid: int = 0

    def read(self, path: str | Path) -> str:
        if str(path) == f"/proc/{self.pid}/cgroup":
            return f"0::/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/x.scope\n"
        return super().read(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "hosts").write_text(HOSTS_OWN)
    for folder in ("etc", "run", "proc"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    (tmp_path / "root/run/resolv.conf").write_text("search a.svc.cluster.local\nnameserver 10.96.0.10\n")
    return tmp_path / "root"


@pytest.fixture
def node(root: Path) -> Iterator[Node]:
    """A process whose root is that folder, as a container's is."""
    ready, tell = os.pipe()
    pid = os.fork()
    if not pid:
        os.chroot(root)
        os.chdir("/")
        os.write(tell, b"x")
        signal.pause()
        os._exit(0)
    os.read(ready, 1)
    yield Node(pid=pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(ready)
    os.close(tell)


def seen(node: Node) -> VantagePoint:
    """The pod as a place to ask from, which has to be known within two seconds."""
    pod = replace(pods().items[1], uid=UID, node="node", name="tenant-7d9-abcde")
    found: list[VantagePoint] = []
    thread = threading.Thread(target=lambda: found.extend(old_pods(node, Attachments(()), (pod,), "node")), daemon=True)
    thread.start()
    thread.join(2)
    assert found, "it was not read within 2 s"
    return found[0]


def test_a_link_of_the_image_is_followed_within_the_image(root: Path, node: Node) -> None:
    (root / "etc/resolv.conf").symlink_to("../run/resolv.conf")
    assert (seen(node).nameservers, seen(node).search) == (("10.96.0.10",), ("a.svc.cluster.local",))


@pytest.mark.parametrize("kind", ["absolute link", "etc is a link", "up and out", "by /proc"])
def test_no_link_leads_to_the_hosts_own_file(root: Path, node: Node, kind: str) -> None:
    hosts = root.parent / "hosts"
    if kind == "etc is a link":
        (root.parent / "etc").mkdir()
        (root.parent / "etc/resolv.conf").write_text(HOSTS_OWN)
        (root / "etc").rmdir()
        (root / "etc").symlink_to(root.parent / "etc")
    elif kind == "by /proc":
        (root / "etc/resolv.conf").symlink_to(f"/proc/1/root{hosts}")
    else:
        (root / "etc/resolv.conf").symlink_to(hosts if kind == "absolute link" else f"../../../../../..{hosts}")
    assert seen(node).nameservers == ()


@pytest.mark.parametrize("kind", ["fifo", "zero", "kernel log", "sparse", "circle", "folder"])
def test_what_is_no_small_file_leaves_a_pod_that_is_asked_all_the_same(root: Path, node: Node, kind: str) -> None:
    path = root / "etc/resolv.conf"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    elif kind == "circle":
        path.symlink_to("resolv.conf")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5) if kind == "zero" else os.makedev(1, 11))
    assert seen(node).nameservers == ()
    assert seen(node).address


def test_coredns_own_file_is_read_so_too(root: Path, node: Node) -> None:
    (root / "etc/resolv.conf").symlink_to(root.parent / "hosts")
    corefile = Corefile.parse(".:53 {\n forward . /etc/resolv.conf 198.51.100.7\n}\n")
    found = Upstreams.collect(node, corefile, pods(uid=UID), services())
    assert "192.0.2.66" not in [u.address for u in found.items]


def test_a_process_that_is_of_no_pod_any_more_is_not_read(root: Path, node: Node) -> None:
    (root / "etc/resolv.conf").write_text(HOSTS_OWN)
    for uid in ("another-uid", UID[:8], ""):
        with pytest.raises(CannotRead, match="ended"):
            node.read_in_pod(uid, str(node.pid), "etc/resolv.conf")
