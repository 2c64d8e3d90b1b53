"""Where questions are asked from: this host, a test pod made for the purpose, and pods that were there before.

A test pod proves nothing about the pods that are older than it: after firewalld has forgotten them, a new pod works and
they do not. So both are asked. Pods are entered by their network namespace; nothing runs in their containers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import nameservers, search_list
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import SYSTEM_NAMESPACE, Pod, Pods, dns_pods
from netdoctor.facts.node.cni import Attachment, Attachments
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.system import processes
from netdoctor.system.host import Host

HOST, NEW, OLD = "host", "test pod", "pod"
OLDER_WORDS = ("test pod: ", "not made, for ", "not made, because ")  # what older recordings have before the reason
OLD_PODS = 6  # of these so many are asked: CoreDNS, and one pod of each workload


@dataclass(frozen=True, slots=True)
class VantagePoint:
    """A network namespace to ask from."""

    name: str
    kind: str  # HOST, NEW or OLD
    netns: str  # "" for the machine's own
    address: str
    namespace: str = ""
    pod: str = ""
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    addresses: tuple[str, ...] = ()  # of both families, where it has them
    serves_dns: bool | None = None  # whether the cluster's DNS Service selects it; None where no API server said

    def address_towards(self, destination: str) -> str:
        """Its address of the destination's family, "" where it has none."""
        return next((a for a in self.addresses or (self.address,) if (":" in a) == (":" in destination)), "")

    @property
    def is_coredns(self) -> bool:
        """Whether it is CoreDNS's own namespace: the DNS Service selects it, or it is called so in kube-system."""
        if self.serves_dns is not None:
            return self.serves_dns
        called_so = ("k8s-app", "kube-dns") in self.labels or self.pod.startswith("coredns-")
        return self.namespace == SYSTEM_NAMESPACE and called_so

    @property
    def cluster_domain(self) -> str:
        """The cluster's domain, from the search list that the kubelet wrote; cluster.local where it did not."""
        return next((s.removeprefix("svc.") for s in self.search if s.startswith("svc.")), "cluster.local")


def pod_of(vantage: str) -> str:
    """The pod of a vantage point's name, as a report's data has it; "" for the host."""
    return "" if vantage == HOST else vantage.removeprefix("pod ")


@dataclass(frozen=True, slots=True)
class VantagePoints:
    """places to test from"""

    points: tuple[VantagePoint, ...]
    no_new_pod: str  # why there is no test pod, "" where there is one

    @classmethod
    def collect(
        cls,
        host: Host,
        attachments: Attachments,
        pods: Pods | CannotRead,
        this: ThisNode,
        new_pod: NewPod | CannotRead,
        services: Services | CannotRead,
    ) -> VantagePoints:
        """This host, the test pod if one could be made, and a sample of the pods on this node."""
        points = [VantagePoint("host", HOST, "", next(iter(this.addresses), ""), addresses=this.addresses)]
        reason = ""
        if isinstance(new_pod, CannotRead):
            reason = new_pod.reason
        else:
            points.append(_test_pod(new_pod))
        known = () if isinstance(pods, CannotRead) else pods.items
        dns = None if isinstance(pods, CannotRead) else dns_pods(services, pods)
        points += old_pods(host, attachments, known, this.name, dns)
        return cls(tuple(points), reason)

    def reworded(self) -> VantagePoints:
        """The same, where an older recording has words before the reason."""
        reason = self.no_new_pod
        for words in OLDER_WORDS:
            reason = reason.removeprefix(words)
        return replace(self, no_new_pod=reason)

    @property
    def pods(self) -> tuple[VantagePoint, ...]:
        """All but the host."""
        return tuple(p for p in self.points if p.kind != HOST)

    def named(self, name: str) -> VantagePoint:
        """The point of this name. Raises KeyError."""
        return {p.name: p for p in self.points}[name]


def old_pods(
    host: Host, attachments: Attachments, known: tuple[Pod, ...], node: str, dns: tuple[Pod, ...] | None = None
) -> list[VantagePoint]:
    """A sample of the pods on this node that were there before the test pod, CoreDNS first.

    `dns`: the pods behind the cluster's DNS Service, None where the API server did not name them.
    """
    serve_dns = None if dns is None else {pod.uid for pod in dns}
    by_uid = {pod.uid: pod for pod in known if pod.node == node and not pod.host_network}
    found: list[VantagePoint] = []
    for attached in attachments.pods:
        pod = by_uid.get(attached.uid)
        if _is_old(attached, pod, known) and os.path.exists(attached.netns):  # noqa: PTH110 - the runtime's bare path
            found.append(_attached(attached, pod, _is_among(attached.uid, serve_dns)))
    attached_uids = {attached.uid for attached in attachments.pods}
    missing = {uid: pod for uid, pod in by_uid.items() if uid not in attached_uids}
    return sample([*found, *_by_processes(host, missing, serve_dns)])


def _by_processes(host: Host, pods: Mapping[str, Pod], serve_dns: set[str] | None) -> Iterator[VantagePoint]:
    """Pods, given by uid, that libcni's cache does not name: entered by one of their processes."""
    for uid, pid in _processes_of(host, set(pods)).items():
        pod = pods[uid]
        if _stays(pod) and pod.addresses:
            yield _process(host, pod, pid, _is_among(uid, serve_dns))


def _is_old(attached: Attachment, pod: Pod | None, known: tuple[Pod, ...]) -> bool:
    """Whether it is a pod to ask from; one that the API server does not know has gone, if it was asked (`known`)."""
    if attached.pod.startswith("netdoctor-"):
        return False
    return not known if pod is None else _stays(pod)


def _test_pod(pod: NewPod) -> VantagePoint:
    return VantagePoint(
        name="test pod",
        kind=NEW,
        netns=pod.netns,
        address=pod.address,
        namespace=pod.namespace,
        pod=pod.name,
        nameservers=pod.nameservers,
        search=pod.search,
        addresses=pod.addresses,
    )


def _stays(pod: Pod) -> bool:
    """Whether a pod is nobody's test pod, and not on its way out."""
    return not pod.is_ours and not pod.leaving


def _is_among(uid: str, uids: set[str] | None) -> bool | None:
    return None if uids is None else uid in uids


def sample(points: list[VantagePoint]) -> list[VantagePoint]:
    """At most OLD_PODS of them: CoreDNS first, then one of each workload, then whatever is left."""

    def workload(point: VantagePoint) -> tuple[str, str]:
        return point.namespace, point.pod.rsplit("-", 2)[0]

    points = sorted(points, key=lambda p: (not p.is_coredns, p.namespace, p.pod))
    first = {workload(p): p for p in reversed(points)}
    chosen = [p for p in points if first[workload(p)] is p]
    chosen += [p for p in points if p not in chosen]
    return chosen[:OLD_PODS]


def _attached(attached: Attachment, pod: Pod | None, serves_dns: bool | None) -> VantagePoint:
    labels = tuple(sorted(pod.labels.items())) if pod else ()
    name = f"pod {attached.namespace}/{attached.pod}"
    return VantagePoint(
        name=name,
        kind=OLD,
        netns=attached.netns,
        address=attached.addresses[0],
        namespace=attached.namespace,
        pod=attached.pod,
        nameservers=attached.nameservers,
        search=attached.search,
        labels=labels,
        addresses=attached.addresses,
        serves_dns=serves_dns,
    )


def _process(host: Host, pod: Pod, pid: str, serves_dns: bool | None) -> VantagePoint:
    try:
        text = host.read_in_pod(pod.uid, pid, "etc/resolv.conf") or ""
    except CannotRead:  # the pod is asked from anyway: what its file says is not needed for that
        text = ""
    return VantagePoint(
        name=f"pod {pod.namespace}/{pod.name}",
        kind=OLD,
        netns=f"/proc/{pid}/ns/net",
        address=pod.addresses[0],
        namespace=pod.namespace,
        pod=pod.name,
        nameservers=nameservers(text),
        search=search_list(text),
        labels=tuple(sorted(pod.labels.items())),
        addresses=pod.addresses,
        serves_dns=serves_dns,
    )


def _processes_of(host: Host, uids: set[str]) -> dict[str, str]:
    """A process of each of these pods, found by the pod's uid in its cgroup's path (dashes may be underscores)."""
    found: dict[str, str] = {}
    for uid, pid in processes.of_pods(host, uids):
        found.setdefault(uid, pid)
    return found
