"""firewalld forwards only the ports that it is told of itself, and rejects what kube-proxy and the CNI translate.

## What it checks
Where firewalld (2.3 and later) has `StrictForwardPorts=yes`: whether unanswered packets end in its chains for
translated connections, `filter_INPUT_dnat`, `filter_FORWARD_dnat` and `filter_OUTPUT_dnat`.

## Why it matters
Without the setting firewalld accepts every connection that somebody has translated. With it, only its own forward-ports
pass: ClusterIPs, NodePorts, hostPorts and published ports of containers are rejected, for pods, this node and the
outside, in whichever zone the pods are. Opening ports in a zone does not change that.

## When it is not a fault
Where translated connections are answered: then nothing is traced, or another rule takes them.

## By hand
`StrictForwardPorts=no` in /etc/firewalld/firewalld.conf, then `firewall-cmd --reload`. It opens every port that is
published on this node to whom its rules let in, so it is not changed unasked.
"""

import re
from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.firewalld_settings import FIREWALLD_CONF, FirewalldSettings
from netdoctor.facts.traffic.drops import Drop, Drops
from netdoctor.model import Confidence
from netdoctor.symptoms import CLUSTER_IPS

CHAIN = re.compile(r"filter_(INPUT|FORWARD|OUTPUT)_dnat")
BY_HAND = (
    "sudo sed -i s/^StrictForwardPorts=.*/StrictForwardPorts=no/ /etc/firewalld/firewalld.conf",
    "sudo firewall-cmd --reload",
)


@probe(
    area=Area.NODE,
    healthy="firewalld lets translated connections pass",
    explains=("found-by-experiment", "host-port-unreachable", "ports-closed-to-outside", *CLUSTER_IPS),
)
def firewalld_forwards_own_ports(
    firewalld: Firewalld, settings: FirewalldSettings, drops: Drops, this: ThisNode
) -> Iterator[Finding]:
    """The setting, and packets that ended where it makes firewalld reject them."""
    if not firewalld.running:
        raise NotApplicable("firewalld does not run")
    ended = [drop for drop in drops.items if drop.dropped.table == "firewalld" and CHAIN.fullmatch(drop.dropped.chain)]
    if settings.strict_forward_ports and ended:
        yield Finding(
            "firewalld rejects what kube-proxy and the CNI have translated (StrictForwardPorts=yes): it forwards only "
            "the ports that it is told of itself",
            (
                Evidence(FIREWALLD_CONF, "StrictForwardPorts=yes", "no"),
                *map(_trace, ended[:3]),
            ),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
            by_hand=BY_HAND,
        )


def _trace(drop: Drop) -> Evidence:
    rule = f"{drop.dropped} ({drop.dropped.text})" if drop.dropped.text else str(drop.dropped)
    return Evidence(f"trace of {drop.flow}", rule, "accepted", drop.dropped.values)
