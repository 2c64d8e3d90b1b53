"""Set one interface's reverse-path filter to loose.

## What it does
Sets `net.ipv4.conf.INTERFACE.rp_filter` to 2 on the interface where the replies arrive: a packet is accepted when its
sender can be reached through any interface. Where the next boot would not end with 2, it also writes its own file in
/etc/sysctl.d. No other interface is touched.

## What it costs
Nothing restarts. Pods, NodePorts and ports of the node that the check made unreachable through this interface can be
reached again, unless a rule forbids it. Senders with a forged address are no longer refused there, as long as a route
leads to that address: on a node with a default route that is any address.

## By hand
`sysctl -w net.ipv4.conf.INTERFACE.rp_filter=2`; better, where possible: change the routes so that replies arrive
where requests leave.

## Undo
Removes the file and sets the old value.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes._at_boot import keep_at_boot
from netdoctor.changes.file import WriteFile
from netdoctor.changes.sysctl import KEY, SetSysctl
from netdoctor.errors import CannotRead
from netdoctor.facts.node.sysctl import SysctlFiles, path_of
from netdoctor.facts.traffic.departures import Departures
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.model import FROM_PODS, Access
from netdoctor.system.host import Host

LOOSE = "2"
SETTINGS = "/proc/sys/net/"

# the check refuses senders by the interface, whatever they ask for: the node's own ports open to them with the rest
FROM_OUTSIDE = (Access.OUTSIDE_TO_POD, Access.OUTSIDE_TO_NODE_PORT, Access.OUTSIDE_TO_NODE, Access.NAMED_SOURCE)


@remedy(fixes="reverse-path-filter-drops", opens=(*FROM_PODS, *FROM_OUTSIDE))
def loosen_reverse_path_filter(
    findings: tuple[Finding, ...],  # noqa: ARG001 - which interface it is, the capture has seen
    departures: Departures,
    files: SysctlFiles,
    network: NodeNetwork | CannotRead,
    host: Host,
) -> Iterator[Change]:
    """The setting and the file, for each interface by which answers come in and are dropped."""
    for name in sorted({d.back_by for d in departures.items if d.refused_on_return}):
        key = f"net.ipv4.conf.{name.replace('.', '/')}.rp_filter"  # as sysctl writes an interface with a dot
        if not KEY.fullmatch(key):
            by_hand = f"write {LOOSE} to /proc/sys/net/ipv4/conf/{name}/rp_filter by hand"
            raise NotApplicable(f"the name {name} cannot be part of a sysctl key: {by_hand}")
        known = {} if isinstance(network, CannotRead) else network.state.node.sysctls
        yield SetSysctl.planned(host, key, LOOSE, known.get(path_of(key).removeprefix(SETTINGS)))
        if file := keep_at_boot(key, LOOSE, f"rp-filter-{name}", files):
            yield WriteFile.planned(*file, live=host.live)
