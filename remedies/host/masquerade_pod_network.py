"""Masquerade the pod network where nobody else does.

## What it does
Where packets of pods were seen leaving the uplink with the pods' own addresses and nobody answered, loads a table of
netdoctor's own, `ip netdoctor_masquerade`: traffic from pods that leaves the node gets the node's address. To pods of
every node, and to each range that a rule of iptables leaves unmasqueraded, they keep their own. Where a rule sends pods
past kube-proxy's masquerade too, the table masquerades what kube-proxy has marked for that. Then it deletes the
tracked connections of pods to the outside that are not masqueraded. No rule of anybody else is touched, and neither
flushing iptables nor reloading firewalld removes the table.

Where systemd runs, a file in /etc/netdoctor holds the table, and the unit `netdoctor-masquerade.service` loads it at
each boot. Elsewhere it is there until the next boot.

## What it costs
Nothing restarts. Tracked connections to the outside that could no longer work are deleted.

## When it is left to you
- The CNI's own rules for running pods are gone: [restore-pod-masquerade](restore-pod-masquerade.md) writes them again.
- The CNI's plugin is neither `bridge` nor `flannel`: its agent masquerades as it is told, or its pods are routable.
- The node learns routes from other routers (BGP, OSPF): they may know the way to pods.
- ip-masq-agent decides, or a rule of iptables leaves unmasqueraded what pods asked: correct its ranges.
- The CNI is told not to masquerade (`ipMasq` false), and a rule lets everything of the pods pass as it is.

## By hand
`iptables -t nat -A POSTROUTING -s POD_CIDR ! -d POD_CIDR -j MASQUERADE`, or `"ipMasq": true` in the CNI's configuration
and new pods.

## Undo
Deletes the table and the files.
"""

import re
import shutil
from collections.abc import Iterable, Iterator

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes._boot_unit import keep_rules_at_boot
from netdoctor.changes.masquerade_network import MasqueradeNetwork
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.cluster.pod_network import PodNetwork
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.node.links import Links
from netdoctor.facts.node.masquerade import Masquerade
from netdoctor.facts.node.masquerade_exceptions import MasqueradeExceptions
from netdoctor.facts.traffic.departures import Departure, Departures
from netdoctor.model import Access
from netdoctor.system.foreign_text import to_address, to_network
from netdoctor.system.host import Host
from netdoctor.system.systemd import runs_here

PLUGINS = ("bridge", "flannel")  # they masquerade what they are told to; agents of others decide for themselves
AGENT = "ip-masq-agent"
AGENTS_CHAINS = ("IP-MASQ", "KIND-MASQ", "FLANNEL")
# as iproute2 calls those who write routes that they have learnt; 17 is kube-router
ROUTING_DAEMONS = re.compile(r" proto (gated|zebra|bird|xorp|babel|bgp|isis|ospf|rip|eigrp|17)\b")


@remedy(fixes="pod-masquerade-missing", opens=(Access.POD_TO_OUTSIDE,))
def masquerade_pod_network(
    findings: tuple[Finding, ...],  # noqa: ARG001 - what was seen on the uplink is in the departures
    departures: Departures,
    masquerade: Masquerade,
    network: PodNetwork,
    cni: CniConfig,
    iptables: Iptables,
    links: Links,
    cluster: ClusterAddresses,
    pods: Pods | CannotRead,
    host: Host,
) -> Iterator[Change]:
    """The table, and what keeps it at boot."""
    bare = [packet for packet in departures.items if packet.is_bare and packet.pod_address]
    if not bare:
        return
    if masquerade.missing:
        raise NotApplicable("the CNI has written rules for these pods, which are gone: they have to be written again")
    networks = _of_ipv4(network.cidrs)
    _insist_that_nobody_decides(bare, networks, cni, links, pods)
    exceptions = _exceptions(bare, networks, iptables, cni)
    ranges = [destination for each in exceptions for destination, _ in each.ranges]
    kept = _of_ipv4([*ranges, *cluster.pod_cidrs])
    nft = _nft(host)
    at_boot = host.live and runs_here()
    mark = max(each.mark for each in exceptions)
    change = MasqueradeNetwork.planned(networks, kept, cni.bridge, at_boot=at_boot, mark=mark)
    yield change
    if at_boot:
        title = "Masquerade of the pod network, as netdoctor fix has made it"
        yield from keep_rules_at_boot("masquerade.nft", title, change.table_anew, f"{nft} -f")


def _nft(host: Host) -> str:
    """The path of nft, for a unit that runs it. Raises NotApplicable."""
    path = shutil.which("nft") if host.live else "nft"
    if path is None:
        raise NotApplicable("nft is not installed")
    return path


def _of_ipv4(networks: Iterable[str]) -> list[str]:
    return [each for each in networks if to_network(each).version == 4]


def _insist_that_nobody_decides(
    bare: list[Departure], networks: list[str], cni: CniConfig, links: Links, pods: Pods | CannotRead
) -> None:
    """Raise NotApplicable where somebody may want that pods keep their addresses, or masquerades them otherwise."""
    if not cni.bridge or not any(map(cni.plugin, PLUGINS)):
        kinds = ", ".join(str(plugin["type"]) for plugin in cni.plugins)
        raise NotApplicable(f"whether pods are masqueraded is up to the CNI ({kinds or 'none is configured'})")
    learnt = next(filter(ROUTING_DAEMONS.search, links.routes), "")
    if learnt:
        raise NotApplicable(f"this node learns routes ({learnt}): other routers may know the way to its pods")
    if isinstance(pods, Pods) and _has_agent(pods):
        raise NotApplicable(f"{AGENT} decides what is masqueraded: look at its ConfigMap and its log")
    for packet in bare:
        if not any(to_address(packet.pod_address) in to_network(cidr) for cidr in networks):
            raise NotApplicable(f"{packet.pod_address} is in no network of pods ({', '.join(networks)})")


def _has_agent(pods: Pods) -> bool:
    return any(pod.namespace == "kube-system" and pod.name.startswith(AGENT) for pod in pods.items)


def _exceptions(
    bare: list[Departure], networks: list[str], iptables: Iptables, cni: CniConfig
) -> list[MasqueradeExceptions]:
    """What rules leave unmasqueraded. Raises NotApplicable where somebody wants that for what was seen, or may."""
    iptables.insist()
    found = []
    for rules in (iptables.nft, iptables.legacy):
        chains = rules.chains.get("nat", {})
        if chain := next((name for name in chains if name.startswith(AGENTS_CHAINS)), ""):
            raise NotApplicable(f"the program that writes chain {chain} of table nat decides what is masqueraded")
        left = MasqueradeExceptions.of(rules, networks, bare[0].uplink)
        if left.unclear:
            raise NotApplicable(f"a rule lets packets pass as they are, and which is not clear: {left.unclear[0]}")
        if left.of_all and not (cni.plugin("bridge") or {}).get("ipMasq"):
            raise NotApplicable(f"{cni.path} has no ipMasq, and a rule lets pods pass as they are: {left.of_all[0]}")
        _insist_that_nobody_was_left_out(bare, left)
        found.append(left)
    return found


def _insist_that_nobody_was_left_out(bare: list[Departure], left: MasqueradeExceptions) -> None:
    """Raise NotApplicable where a rule leaves out the range that one of these packets went to."""
    asked = [to_address(packet.destination) for packet in bare if packet.destination]
    for destination, rule in left.ranges:
        if any(address in to_network(destination) for address in asked):
            raise NotApplicable(f"a rule leaves {destination} unmasqueraded: {rule}")
