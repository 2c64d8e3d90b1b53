"""Large packets of pods are lost without an error.

## What it checks
Where small packets of a pod pass, to a resolver outside and to CoreDNS: echo requests that must not be fragmented, of
sizes up to the MTU of the pod's link, and a TCP stream in full segments, then in small ones.

## Why it matters
A tunnel, a VPN, PPPoE or an overlay takes smaller packets than the pod's interface allows. The router before it says so
by ICMP (fragmentation needed); where a firewall drops that error, nobody learns of it. Names resolve and connections
are accepted, then each hangs with its first full packet: TLS after the Client Hello, image layers, large results.

## When it is not a fault
When the error arrives: then the sender uses smaller packets. When no echo request, or only a small one, is answered, a
filter is at work and echo requests show nothing. Lost echo requests alone are a warning: TCP may be clamped.

## By hand
`nsenter --net=/proc/PID/ns/net ping -M do -s 1472 8.8.8.8`; `ip link`. Set `mtu` of the CNI configuration to what gets
through and recreate the pods, allow ICMP 3/4, or clamp TCP with 40 bytes less than that: `iptables -t mangle -A FORWARD
-p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss SIZE`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.large_packets import LargePackets, SizedFlow
from netdoctor.facts.traffic.vantage import pod_of
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import PROVIDERS


@probe(area=Area.PODS, healthy="large packets of pods pass", explains=("image-not-obtainable", *PROVIDERS))
def large_packets_lost(
    large: LargePackets, links: Links | CannotRead, cni: CniConfig | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Flows whose large packets vanish."""
    for flow in large.items:
        if flow.loses_streams or flow.loses_echoes:
            yield _finding(flow, links, cni, this.name)


def _finding(flow: SizedFlow, links: Links | CannotRead, cni: CniConfig | CannotRead, node: str) -> Finding:
    what, hurts = "large packets", "large UDP packets are lost, and so is TCP that is not clamped"
    if flow.loses_streams:
        what, hurts = "full packets", "connections open, and hang with the first full packet"
    passes = f"; {flow.largest} bytes get through" if flow.largest else ""
    path = "" if isinstance(cni, CannotRead) else cni.path
    return Finding(
        f"{what} from {flow.vantage} to {flow.target} vanish without an ICMP error (pods send up to {flow.mtu} bytes"
        f"{passes}{_narrow(flow, links)}): {hurts}",
        (*_echoes(flow), *_streams(flow), *_mtus(links)),
        Subject(node=node),
        severity=Severity.ERROR if flow.loses_streams else Severity.WARNING,
        confidence=Confidence.CONFIRMED,
        by_hand=command("sudoedit {:path}  # mtu: {}", path, flow.largest) if flow.largest and path else (),
    )


def _narrow(flow: SizedFlow, links: Links | CannotRead) -> str:
    """The link of this node that takes less than the pods send."""
    known = () if isinstance(links, CannotRead) else links.links
    devices = () if isinstance(links, CannotRead) else [hop.device for hop in links.next_hops(flow.address)]
    narrow = [f"{link.name} takes {link.mtu}" for link in known if link.name in devices and link.mtu < flow.mtu]
    return "; ".join(["", *narrow])


def _echoes(flow: SizedFlow) -> list[Evidence]:
    lost = [echo for echo in flow.echoes if echo.size > flow.largest]
    data = Values(pod=pod_of(flow.vantage), address=flow.address, value=str(flow.largest))
    if not flow.largest or not lost:
        return []
    said = f"{flow.largest} bytes are answered, {lost[0].size} are not: {lost[0].reply}"
    return [Evidence(f"echo requests {flow}", said, f"{flow.mtu} bytes are answered, or an ICMP error", data)]


def _streams(flow: SizedFlow) -> list[Evidence]:
    if not flow.loses_streams:
        return []
    data = Values(pod=pod_of(flow.vantage), address=flow.address, protocol="tcp", answer=str(flow.full.answer))
    said = "acknowledged in small segments only"
    return [Evidence(f"TCP stream {flow}", said, "acknowledged in full segments", data)]


def _mtus(links: Links | CannotRead) -> list[Evidence]:
    """The links of the default route."""
    known = () if isinstance(links, CannotRead) else links.links
    devices = () if isinstance(links, CannotRead) else links.default_devices
    return [
        Evidence(f"MTU of {link.name}", str(link.mtu), "that of the path", Values(interface=link.name))
        for link in known
        if link.name in devices
    ]
