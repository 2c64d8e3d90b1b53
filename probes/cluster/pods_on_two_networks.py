"""Pods of this node are on two networks.

## What it checks
Whether each pod of this node has an address of the network that the CNI configuration in use gives to new pods, and
whether it was connected to that configuration's bridge. libcni's cache holds the configuration that a pod was really
connected by.

## Why it matters
The runtime takes the first file of `/etc/cni/net.d` by name. A file that a second program leaves there (podman, CRI-O,
an earlier CNI) takes over for every pod that is made from then on; a file that was corrected leaves pods behind that
nobody recreated. Both kinds run side by side: routes of other nodes, masquerade and NetworkPolicies are made for one
network only, and CoreDNS on the wrong one is silent to the others.

## When it is not a fault
A second file that no pod was connected by changes nothing. A second interface of a pod, as Multus makes it, is not
looked at. Where all pods are on a different network from the next one's, that is a warning.

## By hand
`sudo ls /etc/cni/net.d`, `kubectl get pods -A -o wide`. Move the file away that is not the cluster's, then delete each
pod that has an address of the wrong network: its controller recreates it. Restarting the runtime moves no pod.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Nodes, Pods
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.traffic.claims import About, Claims
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.relations import Contradiction, contradictions, in_none_of
from netdoctor.model import Confidence
from netdoctor.shell import all_of, command
from netdoctor.symptoms import POD_TRAFFIC

SHOWN = 3  # pods that are named


@probe(
    area=Area.PODS,
    healthy="pods are on one network",
    explains=(
        "postgres-without-endpoints", "endpoint-port-closed", "pod-ranges-disagree",
        "pods-masqueraded-among-themselves", *POD_TRAFFIC,
    ),
)  # fmt: skip
def pods_on_two_networks(
    claims: Claims,
    cni: CniConfig,
    nodes: Nodes | CannotRead,
    pods: Pods,
    failed: FailedFlows | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """Pods that were not connected by the configuration in use."""
    found = list(contradictions(claims, "pods-on-two-networks"))
    strangers = list(dict.fromkeys(each.claim.source for each in found))
    if not strangers:
        return
    of = len({claim.source for claim in claims.of(About.OWN_POD_ADDRESS)})
    given = _given(nodes, this)
    is_wrong = any(in_none_of(cidr, cni.pod_networks) for cidr in given)
    new_pods = _in_words(cni, found[0], given, is_wrong=is_wrong)
    yield Finding(
        f"{new_pods}: {len(strangers)} of {of} pods on this node are not on it ({_listed(strangers, found)}); "
        f"{found[0].consequence}",
        (*(each.evidence()[0] for each in found[:SHOWN]), _in_use(cni), *_of_node(cni, given, this)),
        Subject(node=this.name),
        severity=Severity.ERROR if len(strangers) < of else Severity.WARNING,
        confidence=_confidence(failed),
        by_hand=_mend_file(cni, given) if is_wrong else _recreate(strangers, pods),
    )


def _in_words(cni: CniConfig, first: Contradiction, given: tuple[str, ...], *, is_wrong: bool) -> str:
    """Which network new pods get."""
    network = first.against[0].value
    if is_wrong:
        by = f"because {cni.path} is first by name" if cni.others else f"by {cni.path}"
        return f"new pods get {network}, {by}, and the cluster has given this node {_or(given)}"
    return f"new pods get {network} ({cni.path})"


def _confidence(failed: FailedFlows | CannotRead) -> Confidence:
    """Confirmed where a flow fails; bridges may route to each other."""
    fails = not isinstance(failed, CannotRead) and bool(failed.items)
    return Confidence.CONFIRMED if fails else Confidence.LIKELY


def _listed(pods: list[str], found: list[Contradiction]) -> str:
    """The first pods, each with what it has."""
    has = {each.claim.source: each.claim.value for each in reversed(found)}
    said = ", ".join(f"{pod} has {has[pod]}" for pod in pods[:SHOWN])
    return f"{said} and {len(pods) - SHOWN} more" if len(pods) > SHOWN else said


def _in_use(cni: CniConfig) -> Evidence:
    others = ", ".join(cni.others)
    also = f", before {others}" if others else ""
    return Evidence("CNI configuration in use", f"{cni.path}{also}", "the cluster's", Values(file=cni.path))


def _given(nodes: Nodes | CannotRead, this: ThisNode) -> tuple[str, ...]:
    """The networks that the cluster has given this node for its pods."""
    listed = () if isinstance(nodes, CannotRead) else nodes.items
    return next((node.pod_cidrs for node in listed if node.name == this.name), ())


def _of_node(cni: CniConfig, given: tuple[str, ...], this: ThisNode) -> list[Evidence]:
    if not given or not cni.pod_networks:
        return []
    return [Evidence(f"podCIDRs of node {this.name}", _or(given), f"one that fits {_or(cni.pod_networks)}")]


def _or(networks: tuple[str, ...]) -> str:
    return " and ".join(networks)


def _mend_file(cni: CniConfig, given: tuple[str, ...]) -> tuple[str, ...]:
    """Move the file away where another one takes its place, else give it the network that the cluster has chosen."""
    if cni.others:
        return command("sudo mv {:path} /root/", cni.path)
    return command("sudoedit {:path}  # subnet: {}", cni.path, _or(given))


def _recreate(strangers: list[str], pods: Pods) -> tuple[str, ...]:
    """Delete them, where a controller recreates them."""
    owned = {f"{pod.namespace}/{pod.name}": pod for pod in pods.items if pod.owner}
    chosen = [owned[name] for name in strangers if name in owned]
    return all_of(command("kubectl -n {} delete pod/{}", pod.namespace, pod.name) for pod in chosen)
