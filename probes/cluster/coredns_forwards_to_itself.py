"""CoreDNS forwards queries to itself.

## What it checks
CoreDNS does not stay up, and its log says that its plugin `loop` got its own query back. The resolvers that the kubelet
gives to CoreDNS's pod are read beside it: a loopback address there is the pod itself. Where CoreDNS runs, its own
resolv.conf is read: whether it holds nothing but the kubelet's loopback address.

## Why it matters
CoreDNS ends as soon as it sees the loop, and again at each start. No name resolves. Without the plugin it would ask
itself for ever, and run out of memory.

## When it is not a fault
A loopback resolver in the node's /etc/resolv.conf is right for the node, and harmless where the Corefile forwards to
addresses, or CoreDNS runs on the host's network.

## By hand
`kubectl -n kube-system logs -l k8s-app=kube-dns --previous`; `grep resolvConf /var/lib/kubelet/config.yaml`. Have the
kubelet give pods a file with resolvers that they reach (of systemd-resolved: /run/systemd/resolve/resolv.conf), restart
it, and delete CoreDNS's pods. Taking `loop` out of the Corefile hides the fault and mends nothing.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import OWN_FILE, Upstreams
from netdoctor.facts.cluster.kubelet_resolvers import KubeletResolvers, is_loopback
from netdoctor.facts.cluster.last_ends import LastEnds
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.workloads import Pods, dns_pods
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_DNS
from netdoctor.system.kubelet_settings import REAL, SETTINGS

SAID = "CoreDNS forwards queries to itself"
RESTART = "kubectl -n kube-system rollout restart deployment/coredns"


@probe(
    area=Area.DNS,
    healthy="CoreDNS does not forward to itself",
    explains=("coredns-not-ready", "coredns-upstream-dead", "cluster-ip-unreachable", *CLUSTER_DNS),
)
def coredns_forwards_to_itself(
    ends: LastEnds | CannotRead,
    resolvers: KubeletResolvers | CannotRead,
    upstreams: Upstreams | CannotRead,
    pods: Pods,
    services: Services,
) -> Iterator[Finding]:
    """A loop that CoreDNS saw, or the kubelet's loopback resolver in CoreDNS's own resolv.conf."""
    ended = () if isinstance(ends, CannotRead) else ends.of_cause("coredns-forwards-to-itself")
    loopback = () if isinstance(resolvers, CannotRead) else resolvers.on_loopback
    uses = _uses(loopback, upstreams)
    if any(pod.host_network for pod in dns_pods(services, pods)) or not (ended or uses):
        return
    if isinstance(resolvers, CannotRead) or not loopback:
        yield Finding(
            f"{SAID}: the resolver that it forwards to leads back to it",
            (ended[0].evidence(),),
            by_hand=command("kubectl -n kube-system edit configmap coredns  # forward"),
        )
        return
    named = ", ".join(loopback)
    data = Values(address=loopback[0], file=resolvers.path)
    yield Finding(
        f"{SAID}: the kubelet gives its pod nameserver {named} from {resolvers.path}, which is the pod itself there",
        (
            *(end.evidence() for end in ended[:1]),
            Evidence(resolvers.path, f"nameserver {named}", "addresses that pods reach", data),
            *uses,
        ),
        confidence=Confidence.CONFIRMED,
        by_hand=_by_hand(resolvers),
    )


def _uses(loopback: tuple[str, ...], upstreams: Upstreams | CannotRead) -> tuple[Evidence, ...]:
    """That CoreDNS has these addresses, and no others, from its own resolv.conf."""
    if isinstance(upstreams, CannotRead) or not upstreams.items or OWN_FILE not in upstreams.source:
        return ()
    if not {upstream.address for upstream in upstreams.items} <= set(loopback):
        return ()
    return (Evidence(upstreams.source, ", ".join(map(str, upstreams.items)), "addresses that pods reach"),)


def _by_hand(resolvers: KubeletResolvers) -> tuple[str, ...]:
    """Give pods the node's real resolvers, where they are known."""
    good = any(not is_loopback(address) for address in resolvers.real)
    wanted = REAL if good else "a file whose nameservers pods reach"
    return (
        *command(f"sudoedit {SETTINGS}  # resolvConf: {wanted}"),
        *command("sudo systemctl restart kubelet"),
        *command(RESTART),
    )
