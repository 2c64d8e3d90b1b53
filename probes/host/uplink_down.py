"""The node's uplink is down, or has no carrier.

## What it checks
When no resolver answers the host: the interfaces of the routes to them are administratively up and have a carrier. If
no route leads to them, the interfaces that have the node's address, unless a default route uses another one.

## Why it matters
Without it nothing leaves the node. When an interface goes down the kernel removes its routes, so the default route
is missing too: that is a consequence, and the kernel refuses to add the route again.

## When it is not a fault
A second uplink that is down while the outside answers, or while the silent resolvers are not behind it.

## By hand
`ip link show INTERFACE`: for DOWN, `networkctl up INTERFACE` or `nmcli device connect INTERFACE` where that service
configures it, which adds the routes too; else `ip link set INTERFACE up`, then add the routes. NO-CARRIER points to a
cable, a switch or the other end. It is not repaired unasked: to set the uplink down is how a node is isolated.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.link_managers import NETWORK_MANAGER, NETWORKD, LinkManagers
from netdoctor.facts.node.links import Interface, Links
from netdoctor.facts.traffic.names import UpstreamAnswers, UpstreamLookup
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import OUTSIDE

SET_UP = {NETWORKD: "sudo networkctl up {}", NETWORK_MANAGER: "sudo nmcli device connect {}"}  # with its routes
LEADING_NOWHERE = ("dummy",)  # kinds of links without another end: ipvs keeps its addresses on one that is down


@probe(
    area=Area.NODE,
    healthy="the uplink is up",
    explains=(
        "default-route-missing",
        "gateway-silent",
        "packets-refused-by-routing",
        "found-by-experiment",
        "coredns-upstream-dead",
        "image-not-obtainable",
        "cluster-ip-unreachable",
        *OUTSIDE,
    ),
)
def uplink_down(
    links: Links, answers: UpstreamAnswers | CannotRead, managers: LinkManagers | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """The interface that leads out, down or without a carrier, while nobody outside answers the host."""
    lookups = () if isinstance(answers, CannotRead) else answers.from_host()
    if any(lookup.reply.answered for lookup in lookups):
        return
    leading = _leading_to(lookups, links)
    if any(link.carries for link in leading):
        return
    for link in leading or _own(links, this):
        state, wanted = ("NO-CARRIER", "a carrier") if link.up else ("DOWN", "UP")
        yield Finding(
            f"the uplink {link.name} {'has no carrier' if link.up else 'is down'}: nothing leaves the node",
            (
                Evidence(f"ip link show {link.name}", state, wanted, Values(interface=link.name, value=state)),
                *(lookup.evidence("an answer") for lookup in lookups[:1]),
            ),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED if lookups else Confidence.LIKELY,
            by_hand=_by_hand(link, managers),
        )


def _by_hand(link: Interface, managers: LinkManagers | CannotRead) -> tuple[str, ...]:
    """Set it up; without a carrier the cause is at the other end, and it can only be looked at."""
    if link.up:
        return command("ip -s link show dev {}", link.name)
    manager = "" if isinstance(managers, CannotRead) else managers.by_link.get(link.name, "")
    return command(SET_UP.get(manager, "sudo ip link set dev {} up"), link.name)


def _leading_to(lookups: tuple[UpstreamLookup, ...], links: Links) -> list[Interface]:
    """The interfaces of the routes to these resolvers, each once."""
    hops = [hop for lookup in lookups for hop in links.next_hops(lookup.upstream.address)]
    found = [links.named(hop.device) for hop in hops]
    return list(dict.fromkeys(link for link in found if link))


def _own(links: Links, this: ThisNode) -> list[Interface]:
    """The node's own interfaces that cannot send; none where a default route leads over one that can."""
    defaults = [link for link in links.links if link.name in links.default_devices]
    if any(link.carries for link in defaults):
        return []
    own = [link for link in links.links if link in defaults or set(link.addresses) & set(this.addresses)]
    ports = {link.master for link in links.links}
    return [link for link in own if not link.carries and _can_be_an_uplink(link, ports)]


def _can_be_an_uplink(link: Interface, ports: set[str]) -> bool:
    """Whether it has another end; a bridge that is not the master of a link (`ports`) leads nowhere."""
    if link.name == "lo" or link.kind in LEADING_NOWHERE:
        return False
    return link.kind != "bridge" or link.name in ports
