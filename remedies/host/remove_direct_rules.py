"""Remove firewalld's direct rules, now and at boot.

## What it does
Removes every direct rule from the permanent configuration and from the rules in force, over D-Bus, without a reload.
Removing a direct rule flushes nothing (measured with firewalld 1.3.3 and 2.3.1). It acts only if no rule changes
the fate of a packet: each is an ACCEPT in table filter, nothing in its chain drops (neither the policy nor a rule),
firewalld itself filters with nftables (FirewallBackend=nftables), and a copy of the node without the rules answers like
one with them: to current connections, each source that a rule names, neighbours, strangers, and pods. With any other
direct rule, chain or passthrough it leaves everything as it is, and shows the reason and the commands.

## What it costs
Nothing restarts. It does not bring back rules that were wiped before: resync-kube-proxy and restore-pod-masquerade do
that.

## By hand
`firewall-cmd --permanent --direct --get-all-rules`; the same with `--remove-rule ...`, with and without `--permanent`.

## Undo
Restores /etc/firewalld/direct.xml and firewalld's backup of it to the byte, and the rules in force. firewalld 2 flushes
iptables when it adds the first direct rule: undo saves the rules of others first, and writes back those that are gone
(measured: all 79 of them back, kube-proxy's were missing for 0.03 s). Rules in ebtables are not saved.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes.direct_rules import RemoveDirectRules, by_hand, words
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.node.connections import Connections
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.model import NeedsTheNode
from netdoctor.system.host import Host


@remedy(fixes="direct-rules-flush-iptables")
def remove_direct_rules(
    findings: tuple[Finding, ...],  # noqa: ARG001 - one direct rule is enough for the flush: all have to go
    firewalld: Firewalld,
    network: NodeNetwork | CannotRead,
    cluster: ClusterAddresses,
    host: Host,
) -> Iterator[Change]:
    """All direct rules at once, where none of them changes what becomes of a packet."""
    from netdoctor.rehearsal.direct_rules import that_matter

    if not host.live:
        raise NeedsTheNode("firewalld itself has to say which direct rules it has")
    if not firewalld.has_direct_rules:
        return
    if isinstance(network, CannotRead):
        raise NotApplicable(f"what its direct rules do could not be tried on a copy of the node: {network}")
    change = RemoveDirectRules.planned()
    rules = (*change.in_force, *change.at_boot)
    # asked here and not as a fact: who is connected is no part of a recording
    connections = Connections.collect(host).items
    matter = that_matter(change.in_force, rules, network.state, cluster, connections)
    if matter:
        stays = [
            f"the direct rule `{words(rule)}` may be needed: {why}. By hand: {by_hand(rule)}" for rule, why in matter
        ]
        raise NotApplicable("; ".join(stays))
    yield change
