"""The bridge, or a pod's port on it, is down.

## What it checks
The CNI's Linux bridge is up, and so is each interface that belongs to it.

## Why it matters
A pod whose port is down sends and receives nothing, though its address, its routes and every rule are right.

## By hand
`ip link set INTERFACE up`; `bridge link` shows the ports.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.links import Links
from netdoctor.model import Confidence
from netdoctor.shell import all_of, command
from netdoctor.symptoms import POD_TRAFFIC


@probe(area=Area.NODE, healthy="the bridge and its ports are up", explains=POD_TRAFFIC)
def pod_link_down(links: Links, cni: CniConfig, this: ThisNode) -> Iterator[Finding]:
    """The bridge or ports of it that are administratively down."""
    bridge = links.named(cni.bridge)
    if bridge is None:
        raise NotApplicable(f"there is no Linux bridge {cni.bridge}" if cni.bridge else "the CNI has no Linux bridge")
    down = [link for link in (bridge, *(k for k in links.links if k.master == bridge.name)) if not link.up]
    if down:
        names = ", ".join(link.name for link in down)
        yield Finding(
            f"{names} {'is' if len(down) == 1 else 'are'} down: pods behind it send and receive nothing",
            tuple(
                Evidence(f"ip link show {link.name}", "DOWN", "UP", Values(interface=link.name)) for link in down[:4]
            ),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
            by_hand=all_of(command("sudo ip link set dev {} up", link.name) for link in down),
        )
