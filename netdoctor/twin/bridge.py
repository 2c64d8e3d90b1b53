"""A bridge of the node and its ports: the options that are copied, and the ports that somebody has disabled."""

from __future__ import annotations

import time
from collections.abc import Sequence

from netdoctor.twin.state import Link
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.messages import LinkMessage
from netdoctor.twin.wire.netlink import KIND, Netlink, attributes, by_kind, packed
from netdoctor.twin.wire.rtnl import Request
from netdoctor.twin.wire.uapi.if_link import BR_STATE, IFLA_BR, IFLA_BRPORT
from netdoctor.twin.wire.uapi.rtnetlink import RTM

# the rest is read-only, and STP would hold back the ports
OPTIONS = (
    IFLA_BR.AGEING_TIME,
    IFLA_BR.PRIORITY,
    IFLA_BR.VLAN_FILTERING,
    IFLA_BR.VLAN_PROTOCOL,
    IFLA_BR.GROUP_FWD_MASK,
    IFLA_BR.MCAST_SNOOPING,
    IFLA_BR.NF_CALL_IPTABLES,
    IFLA_BR.NF_CALL_IP6TABLES,
    IFLA_BR.NF_CALL_ARPTABLES,
)
# what `bridge link set` sets, such as hairpin and isolated; not the state
PORT_OPTIONS = (
    IFLA_BRPORT.PRIORITY,
    IFLA_BRPORT.COST,
    IFLA_BRPORT.MODE,
    IFLA_BRPORT.GUARD,
    IFLA_BRPORT.PROTECT,
    IFLA_BRPORT.FAST_LEAVE,
    IFLA_BRPORT.LEARNING,
    IFLA_BRPORT.UNICAST_FLOOD,
    IFLA_BRPORT.PROXYARP,
    IFLA_BRPORT.LEARNING_SYNC,
    IFLA_BRPORT.PAD,
    IFLA_BRPORT.MCAST_FLOOD,
    IFLA_BRPORT.MCAST_TO_UCAST,
    IFLA_BRPORT.NEIGH_SUPPRESS,
    IFLA_BRPORT.ISOLATED,
)
DISABLED = bytes([BR_STATE.DISABLED])
HOLD_SECONDS, PAUSE, CALM = 1.5, 0.03, 3


def options(link: Link) -> list[Request]:
    """Requests for a bridge's options, one by one: a kernel may refuse some, and needs none."""
    wanted = [item for item in attributes(link.data) if item[0] & KIND in OPTIONS]
    return [rtnl.change_link(link.index, rtnl.linkinfo("bridge", packed([item]))) for item in wanted]


def port_options(link: Link) -> list[Request]:
    """The request for a port's options; none where it has none."""
    data = packed(item for item in attributes(link.port_data) if item[0] & KIND in PORT_OPTIONS)
    return [rtnl.change_link(link.index, rtnl.bridge_portinfo(data))] if data else []


def hold_ports(netlink: Netlink, links: Sequence[Link]) -> None:
    """Set the ports that somebody disabled; the kernel enables a port when its carrier comes, so it takes patience."""
    held = [link for link in links if link.up and link.carrier and _port_state(link) == DISABLED]
    end, calm = time.monotonic() + HOLD_SECONDS, 0
    while held and calm < CALM and time.monotonic() < end:
        now = {link.index: _port_state(link) for link in _links(netlink)}
        calm = calm + 1 if all(now.get(link.index) == DISABLED for link in held) else 0
        netlink.request([rtnl.port_state(link.index, DISABLED) for link in held])
        time.sleep(PAUSE)


def _links(netlink: Netlink) -> list[Link]:
    return [Link(body) for _, body in netlink.dump(RTM.GETLINK, LinkMessage.request_for())]


def _port_state(link: Link) -> bytes | None:
    return by_kind(link.port_data).get(IFLA_BRPORT.STATE)
