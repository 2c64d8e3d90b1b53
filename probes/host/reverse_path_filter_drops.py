"""The reverse-path filter drops replies from outside.

## What it checks
When pods, or the host itself, get no answer from outside: whether a reply comes back to the node, through which
interface, and whether a strict reverse-path check (`rp_filter` 1) drops packets meanwhile.

## Why it matters
With two uplinks, or a routing rule for the pods' addresses, requests may leave through one interface and replies arrive
on another. With `rp_filter` 1 the kernel accepts a packet only on the interface through which it would reach the
sender; it drops all others and logs nothing.

## When it is not a fault
When replies arrive where requests leave, despite a strict check; also when a routing rule with `iif` sends pod traffic
over a second uplink: the check follows such a rule.

## By hand
`nstat -az TcpExtIPReversePathFilter` before and after a query; `tcpdump -ni any host RESOLVER`;
`ip route get RESOLVER from POD iif BRIDGE` shows on which interface a reply must arrive.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.departures import Departures
from netdoctor.model import Confidence
from netdoctor.symptoms import OUTSIDE


@probe(
    area=Area.NODE,
    healthy="the reverse-path filter accepts replies",
    explains=("found-by-experiment", "coredns-upstream-dead", *OUTSIDE),
)
def reverse_path_filter_drops(departures: Departures, this: ThisNode) -> Iterator[Finding]:
    """Replies that came back through another interface, with a check that dropped packets."""
    lost = [departure for departure in departures.items if departure.refused_on_return]
    if not lost:
        return
    first = lost[0]
    who = "pods ask" if first.pod_address else "this node asks"
    yield Finding(
        f"what {who} leaves by {first.uplink}, the answers come in by {first.back_by}, and the reverse-path check "
        f"of {first.back_by} (rp_filter {first.rp_filter}) drops them",
        (
            Evidence(
                first.flow,
                str(first),
                "the answer is taken",
                Values(interface=first.back_by, setting="rp_filter", value=first.rp_filter),
            ),
            Evidence(
                "TcpExtIPReversePathFilter in /proc/net/netstat",
                f"grew by {first.reverse_path_drops} meanwhile",
                "0",
                Values(count=first.reverse_path_drops),
            ),
        ),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
    )
