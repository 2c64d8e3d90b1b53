"""The CNI gives pods an IPv6 address, and IPv6 is off.

## What it checks
The CNI refused a pod because the kernel did not let it set an IPv6 address or setting. The settings disable_ipv6 of
the node, of the bridge and of new interfaces are read beside it.

## Why it matters
The kernel answers "permission denied" to an IPv6 address on an interface for which IPv6 is off. It is neither SELinux
nor a missing right, and each try fails in the same way.

## When it is not a fault
IPv6 may be off where the CNI's ranges are IPv4 alone.

## By hand
`sysctl -a --pattern 'disable_ipv6'`; `cat /etc/cni/net.d/*`. Take the IPv6 range out of the configuration, or set
disable_ipv6 to 0 and remove the line that sets it at boot.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.ipv6_switches import Ipv6Switches
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusals
from netdoctor.model import Confidence
from netdoctor.shell import command


@probe(
    area=Area.PODS,
    healthy="the kernel has the addresses that the CNI gives",
    explains=("new-pod-without-network", "coredns-not-ready"),
)
def cni_address_family_disabled(
    refusals: SandboxRefusals, switches: Ipv6Switches | CannotRead, cni: CniConfig | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """What the plugin said, and where IPv6 is off."""
    for refusal in refusals.of_cause("cni-address-family-disabled"):
        off = () if isinstance(switches, CannotRead) else switches.off
        where = f" ({', '.join(f'{key} = 1' for key in off)})" if off else ""
        evidence = () if isinstance(switches, CannotRead) else switches.evidence()
        path = "" if isinstance(cni, CannotRead) else cni.path
        yield Finding(
            f"the CNI gives pods an IPv6 address, and IPv6 is off on this node{where}: pods get no network",
            (refusal.evidence(), *evidence),
            refusal.subject(this.name),
            confidence=Confidence.CONFIRMED if evidence else Confidence.LIKELY,
            by_hand=(
                *(command("sudoedit {:path}", path) if path else ()),
                *(command("sudo sysctl -w {}", tuple(f"{key}=0" for key in off)) if off else ()),
            ),
        )
