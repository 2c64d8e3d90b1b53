"""A pod made for the purpose: what a new pod gets, seen from inside.

Its image is one that the node has already, or none (`pause_image`), so nothing is pulled. It has no listener and runs
nothing; its network namespace is entered from the host. It dies by itself when netdoctor is killed, and leftovers are
swept.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.errors import CannotRead, Why
from netdoctor.facts import Finalizers
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.this_node import ThisNode, node_of
from netdoctor.facts.cluster.workloads import MESSAGE, OURS, Nodes, Pods
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.node.cni import CACHE_FOLDER, Attachment, Attachments, CniConfig
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.node.links import Interface, Links
from netdoctor.facts.node.sysctl import IP_FORWARD, Sysctls
from netdoctor.facts.traffic.pause_image import image_of_test_pod
from netdoctor.program_messages.sandbox import plugins_words
from netdoctor.redact import excerpt
from netdoctor.system.clock import utc
from netdoctor.system.foreign_text import to_address, to_network
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.traffic import in_namespace

LIFETIME = 60  # seconds, after which the kubelet ends it whatever has become of netdoctor
PATIENCE = 4.0  # seconds to wait for its network
REFUSAL_EVERY = 0.5  # seconds between looks at the events
NEVER = "netdoctor/never-ready"
HASH = "pod-template-hash"  # with it a ReplicaSet would adopt the pod
GONE = 2.0  # seconds to wait for its network to be taken down again
SIOCGIFFLAGS, IFF_UP = 0x8913, 1  # linux/sockios.h, linux/if.h


@dataclass(frozen=True, slots=True)
class BeforeNewPods:
    """the host, before a test pod exists

    Adding a pod changes the host: the CNI writes ip_forward=1, rules, and firewalld sources. All that is read before.
    """

    hidden: str  # the fault that a new pod would mend and hide, "" for none

    @classmethod
    def collect(
        cls,
        sysctls: Sysctls,
        firewalld: Firewalld | CannotRead,
        iptables: Iptables | CannotRead,
        attachments: Attachments,
        cni: CniConfig,
        links: Links | CannotRead,
    ) -> BeforeNewPods:
        """Wait until all of it has been read."""
        if sysctls[IP_FORWARD] != "1":
            return cls("ip_forward is 0, and the CNI sets it to 1 with each pod")
        if not attachments.pods:  # the CNI has set up nothing that could be missing
            return cls("")
        return cls(_hidden_bridge(cni, links) or _hidden_rules(cni, firewalld, iptables))


def _hidden_bridge(cni: CniConfig, links: Links | CannotRead) -> str:
    """What is wrong with the bridge, "" for nothing that is known."""
    if not cni.bridge or isinstance(links, CannotRead):
        return ""
    bridge = links.named(cni.bridge)
    if bridge is None or not bridge.up:
        return f"bridge {cni.bridge} is down or gone, and the CNI brings it back with each pod"
    if lost := _lost_gateway(cni, bridge):
        return f"bridge {cni.bridge} has no address in {lost}, and the CNI gives it one with each pod"
    return ""


def _hidden_rules(cni: CniConfig, firewalld: Firewalld | CannotRead, iptables: Iptables | CannotRead) -> str:
    """Which rules of the CNI's are gone, "" where none is: with firewalld it writes none."""
    trusts = not isinstance(firewalld, CannotRead) and firewalld.running
    if trusts or not cni.plugin("firewall") or isinstance(iptables, CannotRead):
        return ""
    accepts = any("-j CNI-FORWARD" in rule for rule in iptables.nft.rules("filter", "FORWARD"))
    if accepts or not iptables.nft.has_chain("filter", "CNI-FORWARD"):
        return ""
    return "the CNI's rules are gone from FORWARD, and it writes them with each pod"


def _lost_gateway(cni: CniConfig, bridge: Interface) -> str:
    """The pod network that the bridge should be the gateway of and has no address in, "" where all is right."""
    plugin = cni.plugin("bridge") or {}
    if not (plugin.get("isGateway") or plugin.get("isDefaultGateway")) or not cni.pod_network:
        return ""
    network = to_network(cni.pod_network)
    return "" if any(to_address(a) in network for a in bridge.addresses) else str(network)


@dataclass(frozen=True, slots=True)
class NewPod:
    """test pod"""

    namespace: str
    name: str
    address: str
    netns: str
    nameservers: tuple[str, ...]
    search: tuple[str, ...]
    seconds: float  # from asking for it until its network was up
    like: str = ""  # the workload whose labels it carries
    addresses: tuple[str, ...] = ()  # of both families, where it has them

    @classmethod
    def collect(
        cls,
        host: Host,
        finalizers: Finalizers,
        before: BeforeNewPods,
        api: KubeApi,
        nodes: Nodes,
        pods: Pods,
        services: Services,
        this: ThisNode,
        modules: Modules | CannotRead,
    ) -> NewPod:
        """Create it and wait for its network. Raises CannotRead with the reason where there is none."""
        sweep(api, pods)
        if before.hidden:
            raise CannotRead("test pod", f"it would change the node: {before.hidden}")
        image = image_of_test_pod(host, node_of(nodes, this))
        namespace, like, labels = place(services, None if isinstance(modules, CannotRead) else modules)
        begin = time.monotonic()
        name = f"netdoctor-{secrets.token_hex(3)}"
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        connected: list[str] = []
        answered = threading.Event()

        def take_away() -> None:
            answered.wait(GONE)  # Ctrl-C may come while the API server is making it
            remove(api, path, connected)

        finalizers.add(take_away)
        try:
            created = api.create(f"/api/v1/namespaces/{namespace}/pods", manifest(name, this.name, image, labels))
        finally:
            answered.set()
        found = _wait_for_network(host, api, namespace, name, created["metadata"]["uid"], begin)
        connected.append(found.netns)
        return cls(
            namespace=namespace,
            name=name,
            address=found.addresses[0],
            netns=found.netns,
            nameservers=found.nameservers,
            search=found.search,
            seconds=round(time.monotonic() - begin, 2),
            like=like,
            addresses=found.addresses,
        )


def _wait_for_network(host: Host, api: KubeApi, namespace: str, name: str, uid: str, begin: float) -> Attachment:
    """What the CNI gave the pod that was asked for at `begin`. Raises CannotRead where it gave nothing."""
    asked = begin
    found: Attachment | None = None
    while time.monotonic() - begin < PATIENCE:
        found = attached(host, uid)
        if found and has_loopback(found.netns):
            return found
        if time.monotonic() > asked + REFUSAL_EVERY:
            asked = time.monotonic()
            if reason := refusal(api, namespace, name):
                raise _unconnected(f"no network: {reason}")
        time.sleep(0.02)
    if found:
        return found
    reason = why(api, f"/api/v1/namespaces/{namespace}/pods/{name}")
    raise _unconnected(f"no network within {PATIENCE:g} s: {reason}")


def _unconnected(reason: str) -> CannotRead:
    return CannotRead("test pod", reason, Why.NO_NETWORK)


def place(services: Services, modules: Modules | None) -> tuple[str, str, Mapping[str, str]]:
    """Namespace, and whose labels: those of the first gateway, so that NetworkPolicies apply as they do to it."""
    if modules is None or not modules.namespace_exists:
        return next((s.namespace for s in services.postgres), "default"), "", {}
    first = modules.gateways[0]
    if first.workload.startswith("daemonset/"):  # its controller adopts whatever carries its labels
        return modules.namespace, "", {}
    return modules.namespace, first.workload, {k: v for k, v in first.labels.items() if k != HASH}


def manifest(name: str, node: str, image: str, labels: Mapping[str, str]) -> dict[str, object]:
    """The pod: as little as a pod can be, and allowed under the restricted Pod Security Standard."""
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 65535,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "pause", "image": image, "imagePullPolicy": "Never", "securityContext": security}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {**labels, "app.kubernetes.io/managed-by": OURS}},
        "spec": {
            "nodeName": node,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": LIFETIME,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
            # never true: a Service that picks these labels sends it no traffic
            "readinessGates": [{"conditionType": NEVER}],
        },
    }


def attached(host: Host, uid: str) -> Attachment | None:
    """The pod as libcni's cache has it, once the CNI has connected it."""
    for path in CACHE_FOLDER.glob("*") if CACHE_FOLDER.exists() else ():
        text = host.read_or_none(path) or ""
        if uid in text and (found := Attachments.parse(text)):
            return found
    return None


def has_loopback(netns: str) -> bool:
    """Whether lo is up in it: the runtime sets it up beside the pod's network, and takes both down if that fails."""
    try:
        return in_namespace(netns, _lo_is_up).result(GONE)
    except (CannotRead, OSError, TimeoutError):
        return False


def _lo_is_up() -> bool:
    request = struct.pack("16sh14x", b"lo", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        _, flags = struct.unpack_from("16sh", fcntl.ioctl(asking, SIOCGIFFLAGS, request))
    return bool(flags & IFF_UP)


def sweep(api: KubeApi, pods: Pods) -> None:
    """Delete test pods of earlier runs that were killed; younger ones may belong to a run beside this one."""
    old = utc(time.time() - LIFETIME)
    for pod in pods.items:
        if pod.is_ours and not pod.leaving and (pod.created < old or pod.phase in ("Failed", "Succeeded")):
            api.delete(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}", grace_seconds=0, uid=pod.uid)


def remove(api: KubeApi, path: str, connected: list[str]) -> None:
    """Delete the pod, and wait until its network is gone so that the host is as it was."""
    try:
        api.delete(path, grace_seconds=0)
    except CannotRead:
        return  # the API server died meanwhile: the pod's own deadline ends it
    end = time.monotonic() + GONE
    while time.monotonic() < end and any(os.path.exists(netns) for netns in connected):  # noqa: PTH110
        time.sleep(0.02)


def refusal(api: KubeApi, namespace: str, name: str) -> str:
    """The kubelet's words when it could not make the pod's sandbox; "" while it has said nothing."""
    events = api.get(f"/api/v1/namespaces/{namespace}/events", fieldSelector=f"involvedObject.name={name}")["items"]
    warnings = [str(e.get("message", "")) for e in events if e.get("type") == "Warning" and not _of_a_container(e)]
    return excerpt(plugins_words(warnings[-1]), MESSAGE) if warnings else ""


def _of_a_container(event: Mapping[str, Any]) -> bool:
    """Whether an event is about the pod's container, which the network does not wait for."""
    return str((event.get("involvedObject") or {}).get("fieldPath") or "").startswith("spec.containers")


def why(api: KubeApi, path: str) -> str:
    """What is known of a pod that the kubelet has said nothing about."""
    try:
        phase = api.get(path).get("status", {}).get("phase", "unknown")
    except CannotRead as error:
        return str(error)
    return f"its phase is {phase}; is the kubelet running?"
