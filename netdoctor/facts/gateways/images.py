"""The images that the modules need: on this node, or in a registry that answers this node."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode, node_of
from netdoctor.facts.cluster.workloads import Node, Nodes
from netdoctor.facts.gateways.gateways import Image, Modules
from netdoctor.system import processes
from netdoctor.system.host import Host, process_environment
from netdoctor.system.pod_cgroup import pod_uid
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_tcp

NEVER, ALWAYS, IF_NOT_PRESENT = "Never", "Always", "IfNotPresent"
DOCKER_HUB, DOCKER_HUB_SERVER = "docker.io", "registry-1.docker.io"
SECONDS = 2.5
RUNTIMES = ("containerd", "dockerd", "crio", "cri-dockerd")
MIRRORS = Path("/etc/containerd/certs.d")
# of containerd: its default, then where k3s and RKE2, k0s and MicroK8s have theirs
SOCKETS = (
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
)


@dataclass(frozen=True, slots=True)
class NodeImage:
    """An image of the modules, and what this node can do about it."""

    name: str  # in full, as the runtime writes it
    pull_policy: str
    users: tuple[str, ...]
    present: bool
    registry: str = ""  # host:port that was asked; "" for none
    reply: Reply | None = None  # None: it was not asked, or its name did not resolve
    resolved: bool = False
    detour: str = ""  # why asking the registry directly proves nothing

    @property
    def wants_registry(self) -> bool:
        """Whether the kubelet will ask the registry."""
        return self.pull_policy == ALWAYS or (not self.present and self.pull_policy != NEVER)


@dataclass(frozen=True, slots=True)
class Images:
    """the modules' images"""

    items: tuple[NodeImage, ...]

    @classmethod
    def collect(cls, host: Host, modules: Modules, nodes: Nodes, this: ThisNode) -> Images:
        """Look for each on the node; where one has to be pulled, ask its registry from the host."""
        wanted = [(normal(i.name), policy_of(i), i.users) for i in modules.images if i.name]
        there = _present(host, node_of(nodes, this), [name for name, _, _ in wanted])
        found = [NodeImage(name, policy, users, name in there) for name, policy, users in wanted]
        servers = sorted({server_of(i.name) for i in found if i.wants_registry})
        answers = {server: _ask(server) for server in servers}
        told = detours(host) if servers else ""
        return cls(tuple(_with(i, answers, told) if i.wants_registry else i for i in found))


def _present(host: Host, node: Node, wanted: Sequence[str]) -> frozenset[str]:
    """The full names of the images that the node has."""
    names = frozenset(map(normal, node.images))
    if names.issuperset(wanted):
        return names
    # the node lists 50 images at most, and new ones only after a while: the runtime itself knows
    return names | frozenset(map(normal, of_runtime(host)))


def _with(image: NodeImage, answers: dict[str, tuple[bool, Reply | None]], detour: str) -> NodeImage:
    server = server_of(image.name)
    resolved, reply = answers[server]
    folders = [MIRRORS / name for name in (registry_of(image.name), "_default")]
    mirror = next((f"{folder} names a mirror" for folder in folders if folder.exists()), "")
    return NodeImage(
        image.name, image.pull_policy, image.users, image.present, server, reply, resolved, detour or mirror
    )


def normal(name: str) -> str:
    """The image's name in full: docker.io/library/postgres:16. A digest counts more than a tag."""
    name, _, digest = name.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        name = f"{DOCKER_HUB}/{name}" if slash else f"{DOCKER_HUB}/library/{name}"
    elif first in ("index.docker.io", DOCKER_HUB_SERVER):
        name = f"{DOCKER_HUB}/{rest}"
    folder, _, last = name.rpartition("/")
    path, _, tag = last.partition(":")
    return f"{folder}/{path}@{digest}" if digest else f"{folder}/{path}:{tag or 'latest'}"


def policy_of(image: Image) -> str:
    """The pull policy, with the API server's default where the manifest has none."""
    return image.pull_policy or (ALWAYS if normal(image.name).endswith(":latest") else IF_NOT_PRESENT)


def registry_of(name: str) -> str:
    """The registry in a full name."""
    return name.partition("/")[0]


def server_of(name: str) -> str:
    """host:port that images of this full name come from."""
    registry = registry_of(name)
    registry = DOCKER_HUB_SERVER if registry == DOCKER_HUB else registry
    return registry if ":" in registry else f"{registry}:443"


def of_runtime(host: Host) -> list[str]:
    """The images that the container runtime has; none where it cannot be asked."""
    socket_path = next((path for path in SOCKETS if Path(path).exists()), SOCKETS[0])
    try:
        return host.run(["ctr", "--address", socket_path, "-n", "k8s.io", "images", "ls", "-q"]).split()
    except CannotRead:
        pass
    try:
        listed = json.loads(host.run(["crictl", "images", "-o", "json"]))["images"]
        return [name for image in listed for key in ("repoTags", "repoDigests") for name in image.get(key) or ()]
    except (CannotRead, ValueError, KeyError, TypeError):
        return []


def detours(host: Host) -> str:
    """The proxy that the container runtime pulls through, "" for none that is known."""
    for folder in processes.folders():
        try:
            name = host.read(folder / "comm").strip()
            if name not in RUNTIMES or not _is_roots_own(host, folder):
                continue
            variables = process_environment(folder.name)
        except (CannotRead, OSError):
            continue
        if any(variable.upper() == "HTTPS_PROXY" and value for variable, value in variables.items()):
            return f"{name} pulls through a proxy"
    return ""


def _is_roots_own(host: Host, folder: Path) -> bool:
    """Whether a process is root's and no pod's: another one may have the name of a runtime too."""
    return "\nUid:\t0\t" in host.read(folder / "status") and not pod_uid(host.read(folder / "cgroup"))


def _ask(server: str) -> tuple[bool, Reply | None]:
    """Whether the registry's name resolves on the host, and how a TCP connection to it ends."""
    name, _, port = server.rpartition(":")
    addresses: list[str] = []

    def resolve() -> Reply:
        addresses.extend(dict.fromkeys(str(a[4][0]) for a in socket.getaddrinfo(name, int(port), socket.AF_INET)))
        return Reply(Answer.OK, 0)

    try:
        ask_all([("", resolve)], SECONDS)
    except OSError:
        return False, None
    if not addresses:
        return False, None
    replies = ask_all([("", _connection(address, int(port))) for address in addresses[:3]], SECONDS)
    return True, next((r for r in replies if r.answer is Answer.OK), replies[0])


def _connection(address: str, port: int) -> Callable[[], Reply]:
    return lambda: ask_tcp(address, port, SECONDS)
