"""A namespace's addresses, next hops, routes, routing rules and neighbours: sent back to the kernel as it told them."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence

from netdoctor.errors import CannotRead
from netdoctor.twin.state import NetworkState
from netdoctor.twin.wire.messages import (
    NUD_VALID,
    AddressMessage,
    NeighbourMessage,
    RouteHop,
    RouteMessage,
    RuleMessage,
    joined_hops,
    next_hops,
)
from netdoctor.twin.wire.netlink import (
    APPEND,
    CREATE,
    EXCLUSIVE,
    KIND,
    Netlink,
    attributes,
    name_of,
    packed,
    u32,
)
from netdoctor.twin.wire.uapi.rtnetlink import IFA, IFA_F, NTF, NUD, RT_TABLE, RTA, RTM, RTM_F, RTN, RTNH_F, RTPROT

NOT_KEPT = IFA_F.TENTATIVE | IFA_F.DADFAILED | IFA_F.MANAGETEMPADDR
FOREVER = 0xFFFFFFFF
LOCAL_KINDS = (RTN.LOCAL, RTN.BROADCAST, RTN.ANYCAST, RTN.MULTICAST)
LEARNED = NUD_VALID & ~NUD.NOARP
FAMILIES = (socket.AF_INET, socket.AF_INET6)


def send_back(netlink: Netlink, state: NetworkState, uplinks: Collection[int]) -> None:
    """All of them, in an order in which the kernel takes them. `uplinks`: indexes of links behind which the outside is.

    Raises CannotRead with the first that it does not take.
    """
    new = CREATE | EXCLUSIVE
    must("address", netlink.request([(RTM.NEWADDR, _address(body), new) for body in state.addresses]))
    must("nexthop", netlink.request([(RTM.NEWNEXTHOP, body, new) for body in state.nexthops]))
    _add_routes(netlink, state.routes)
    _remove_lost_routes(netlink, state.routes)
    _rules(netlink, state.rules)
    kept = [(RTM.NEWNEIGH, body, CREATE) for body in _neighbours(state, uplinks)]
    must("neighbour", netlink.request(kept))


def must(what: str, codes: Sequence[int], but: Iterable[int] = (errno.EEXIST,)) -> None:
    """Raise CannotRead for the first of these error numbers that counts."""
    for place, code in enumerate(codes):
        if code and code not in but:
            raise CannotRead("twin", f"{what} {place + 1} of {len(codes)} could not be copied: {name_of(code)}")


def _address(body: bytes) -> bytes:
    header = AddressMessage.HEADER.size
    own = AddressMessage(body)
    items = [(kind, value) for kind, value in attributes(body, header) if kind != IFA.CACHEINFO]
    if own.family == socket.AF_INET6:
        items = [(kind, _usable_at_once(value) if kind == IFA.FLAGS else value) for kind, value in items]
        if own.header_flags & IFA_F.DEPRECATED:  # which is no flag that can be set, but a time that is over
            items.append((IFA.CACHEINFO, struct.pack("=IIII", 0, FOREVER, 0, 0)))
    return body[:header] + packed(items)


def _usable_at_once(flags: bytes) -> bytes:
    """The flags of an address without the kernel's own: there is nobody to ask whether it is taken."""
    return struct.pack("=I", u32(flags) & ~NOT_KEPT | IFA_F.NODAD)


def _neighbours(state: NetworkState, uplinks: Collection[int]) -> Iterator[bytes]:
    """The neighbours that somebody set, or answers for; of IPv6 those on bridges and in pods that are known besides.

    Rules of the packet filter can stop a neighbour's question of IPv6, and then only who is known already is reached.
    """
    for body in state.neighbours:
        known = NeighbourMessage(body)
        if known.family in FAMILIES and (known.state & NUD.PERMANENT or known.flags & NTF.PROXY):
            yield body
        elif known.family == socket.AF_INET6 and known.state & LEARNED and known.index not in uplinks:
            yield known.header(NUD.STALE, known.flags) + body[known.HEADER.size :]


def _add_routes(netlink: Netlink, wanted: Iterable[bytes]) -> None:
    # what the kernel makes itself for each address is left to it: table local, and IPv6's own
    given = [body for body in wanted if not _by_kernel(body)]
    given.sort(key=lambda body: -RouteMessage(body).scope)  # links first: a gateway has to be reachable
    asked = [(RTM.NEWROUTE, _route(body), CREATE | APPEND) for body in given]
    codes = netlink.request(asked)
    again = [request for request, code in zip(asked, codes, strict=True) if code and code != errno.EEXIST]
    must("route", netlink.request(again) if again else [])


def _remove_lost_routes(netlink: Netlink, wanted: Iterable[bytes]) -> None:
    """A connected route that the node has lost must be lost here too."""
    have = {_route_key(body) for body in wanted}
    made = [body for family in FAMILIES for body in _dumped(netlink, RTM.GETROUTE, family)]
    lost = [x for x in made if RouteMessage(x).header_table == RT_TABLE.MAIN and _route_key(x) not in have]
    must("lost route", netlink.request([(RTM.DELROUTE, body, 0) for body in lost]))


def _by_kernel(body: bytes) -> bool:
    """Whether the kernel makes it by itself, or learned it from an answer to a packet: a smaller MTU, a redirect."""
    route = RouteMessage(body)
    if route.flags & RTM_F.CLONED:
        return True
    if route.family == socket.AF_INET:
        return route.header_table == RT_TABLE.LOCAL and route.protocol == RTPROT.KERNEL
    return route.protocol == RTPROT.KERNEL or route.type in LOCAL_KINDS


def _route_key(body: bytes) -> tuple[int, int, bytes, bytes]:
    route = RouteMessage(body)
    return route.destination_length, route.header_table, route.destination, route.attributes.get(RTA.OIF, b"")


def _route(body: bytes) -> bytes:
    route = RouteMessage(body)
    header = route.header(flags=route.flags & RTNH_F.ONLINK)  # not what the kernel found out: dead, no carrier
    items = attributes(body, route.HEADER.size)
    by_nexthop = any(kind == RTA.NH_ID for kind, _ in items)
    drop = {RTA.CACHEINFO, RTA.PREF, *((RTA.GATEWAY, RTA.OIF, RTA.MULTIPATH) if by_nexthop else ())}
    kept = [(kind, value) for kind, value in items if kind & KIND not in drop]
    return header + packed((kind, _hops(value) if kind & KIND == RTA.MULTIPATH else value) for kind, value in kept)


def _hops(data: bytes) -> bytes:
    """The next hops of a multipath route, without the flags that the kernel keeps (dead, no carrier)."""
    hops = [RouteHop(hop) for hop in next_hops(data)]
    return joined_hops(hop.with_flags(hop.flags & RTNH_F.ONLINK) for hop in hops)


def _rules(netlink: Netlink, wanted: Sequence[bytes]) -> None:
    for family in FAMILIES:
        now = _dumped(netlink, RTM.GETRULE, family)
        then = [body for body in wanted if RuleMessage(body).family == family]
        if then and now != then:
            must("rule", netlink.request([(RTM.NEWRULE, body, CREATE) for body in then if body not in now]))
            must("rule", netlink.request([(RTM.DELRULE, body, 0) for body in now if body not in then]))


def _dumped(netlink: Netlink, kind: int, family: int) -> list[bytes]:
    """Routes or rules of a family; none where the kernel does not know it."""
    try:
        return [body for _, body in netlink.dump(kind, RouteMessage.request_for(family))]
    except OSError:  # a kernel without IPv6
        return []
