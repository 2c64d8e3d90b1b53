"""The node's table of tracked connections is full.

## What it checks
`net.netfilter.nf_conntrack_count`, the connections that the node tracks, against `net.netfilter.nf_conntrack_max`.

## Why it matters
Once the table is full, the kernel drops packets that would open a new connection, unless it finds one that it can
discard. There is no ICMP error; its log says `nf_conntrack: table full, dropping packet`. Each DNS query is a
connection. Existing connections keep working.

## When it mends itself
When the program that opens the connections stops: an idle UDP connection expires after 30 s, an established TCP
connection only after days.

## By hand
`conntrack -C` and `sysctl net.netfilter.nf_conntrack_max`; `conntrack -L | awk '{print $1, $4, $5}' | sort | uniq -c`
shows which hosts they belong to. kube-proxy sets the limit when it starts: raise `conntrack.maxPerCore` and
`conntrack.min` in its configuration, or its next start overwrites a value that was set with sysctl.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, NotApplicable, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.sysctl import TRACKED, TRACKED_MOST, Sysctls
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import POD_TRAFFIC

FULL = 0.99  # of the limit: entries come and go while they are counted


@probe(area=Area.NODE, healthy="connection tracking has room", explains=("coredns-upstream-dead", *POD_TRAFFIC))
def connection_tracking_full(sysctls: Sysctls, this: ThisNode) -> Iterator[Finding]:
    """The table of tracked connections is full."""
    count, limit = sysctls[TRACKED], sysctls[TRACKED_MOST]
    if count is None or limit is None:
        raise NotApplicable("the kernel tracks no connections")
    if not (count.isdecimal() and limit.isdecimal()):
        raise CannotRead("connection tracking", f"{count!r:.40} of {limit!r:.40} is not a count and its limit")
    if int(limit) and int(count) >= FULL * int(limit):
        yield Finding(
            f"the table of tracked connections is full, {count} of {limit}: the node drops packets that "
            "would open a new connection",
            (sysctls.evidence(TRACKED, f"well below {limit}"), sysctls.evidence(TRACKED_MOST, f"well above {count}")),
            Subject(node=this.name),
            confidence=Confidence.LIKELY,  # how many packets were dropped is not known
            by_hand=command("sudo sysctl -w net.netfilter.nf_conntrack_max={}", 2 * int(limit)),
        )
