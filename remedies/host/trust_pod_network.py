"""Put the pod network into firewalld's zone trusted.

## What it does
Adds the pod network's prefix as a source of zone trusted, once to the rules in force and once to the permanent
configuration, over D-Bus. firewalld is not reloaded: a reload wipes the rules of kube-proxy and the CNI where a direct
rule exists, and always with firewalld 1.3 and older.

## What it costs
Nothing restarts and no connection breaks. Packets whose source is a pod's address pass firewalld, towards other pods,
the node and the outside; NetworkPolicies are enforced elsewhere and still hold.

Zone trusted lets pods reach every port of the node. Where the CNI's plugin `firewall` puts each pod into it (minikube's
network configuration), they had that access before, and it is restored. Elsewhere pods need other pods, the outside,
DNS, the kubelet, and what Services and NodePorts lead to; where a rehearsal shows that any other port of the node would
open to them (etcd, a database), the repair is refused unless you say `--allow-exposure`.

## By hand
`firewall-cmd --zone=trusted --add-source=POD_CIDR`, and the same with `--permanent`. No `--reload`.

## Undo
Removes the source from both, and restores the zone's file and firewalld's backup of it to the byte; a file that did not
exist before is deleted. If somebody else has edited the zone since, their edit stays.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, remedy
from netdoctor.changes.firewalld import TrustSource
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.pod_network import PodNetwork
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.model import FROM_PODS
from netdoctor.system.host import Host

ZONE = "trusted"


@remedy(fixes="firewalld-rejects-pods", opens=FROM_PODS)
def trust_pod_network(
    findings: tuple[Finding, ...],  # noqa: ARG001 - the whole network is trusted, whichever pods were hit
    firewalld: Firewalld,
    network: PodNetwork,
    cni: CniConfig | CannotRead,
    host: Host,
) -> Iterator[Change]:
    """One source for each prefix of the pod network."""
    if not firewalld.running:
        return
    earlier: tuple[str, ...] = ()
    given = not isinstance(cni, CannotRead) and cni.puts_pods_into(ZONE)
    for cidr in network.cidrs:
        there = cidr in firewalld.zones[ZONE].sources, cidr in firewalld.permanent_zones[ZONE].sources
        if not all(there):
            # firewalld on this machine is not the recorded one
            if host.live:
                yield TrustSource.planned(ZONE, cidr, given_back=given, earlier=earlier)
            else:
                yield TrustSource(ZONE, cidr, *there, None, None, given, earlier)
            if not there[1]:
                earlier = (*earlier, cidr)
