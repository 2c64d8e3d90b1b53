"""A namespace's addresses, next hops, routes, routing rules and neighbours: sent back to the kernel as it told them."""

from __future__ import annotations

import errno
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence

from netdoctor.errors import CannotRead
from netdoctor.twin.state import IFADDR, NUD_NOARP, NUD_PERMANENT, NUD_VALID, RTMSG, NetworkState
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import (
    APPEND,
    CREATE,
    EXCLUSIVE,
    KIND,
    Netlink,
    attributes,
    by_kind,
    name_of,
    packed,
    u32,
)

PROXY, NUD_STALE = 0x08, 0x04
CACHE_INFO, EXPIRES, ADDRESS_FLAGS = 6, 12, 8
NOT_KEPT, DEPRECATED, FOREVER = 0x148, 0x20, 0xFFFFFFFF  # not: tentative, a failed check, a source of temporary ones
NH_ID, GATEWAY, OIF, MULTIPATH = 30, 5, 4, 9
ONLINK, CLONED = 4, 0x200
LOCAL_KINDS = (2, 3, 4, 5)  # local, broadcast, anycast, multicast


def send_back(netlink: Netlink, state: NetworkState, uplinks: Collection[int]) -> None:
    """All of them, in an order in which the kernel takes them. `uplinks`: indexes of links behind which the outside is.

    Raises CannotRead with the first that it does not take.
    """
    new = CREATE | EXCLUSIVE
    must("address", netlink.request([(rtnl.NEW_ADDRESS, _address(body), new) for body in state.addresses]))
    must("nexthop", netlink.request([(rtnl.NEW_NEXTHOP, body, new) for body in state.nexthops]))
    _routes(netlink, state.routes)
    _rules(netlink, state.rules)
    kept = [(rtnl.NEW_NEIGHBOUR, body, CREATE) for body in _neighbours(state, uplinks)]
    must("neighbour", netlink.request(kept))


def must(what: str, codes: Sequence[int], but: Iterable[int] = (errno.EEXIST,)) -> None:
    """Raise CannotRead for the first of these error numbers that counts."""
    for place, code in enumerate(codes):
        if code and code not in but:
            raise CannotRead("twin", f"{what} {place + 1} of {len(codes)} could not be copied: {name_of(code)}")


def _address(body: bytes) -> bytes:
    items = [(kind, value) for kind, value in attributes(body, IFADDR) if kind != CACHE_INFO]
    if body[0] == 10:  # usable at once: there is nobody to ask whether it is taken
        items = [(k, struct.pack("=I", u32(v) & ~NOT_KEPT | rtnl.NODAD) if k == ADDRESS_FLAGS else v) for k, v in items]
        if body[2] & DEPRECATED:  # which is no flag that can be set, but a time that is over
            items.append((CACHE_INFO, struct.pack("=IIII", 0, FOREVER, 0, 0)))
    return body[:IFADDR] + packed(items)


def _neighbours(state: NetworkState, uplinks: Collection[int]) -> Iterator[bytes]:
    """The neighbours that somebody set, or answers for; of IPv6 those on bridges and in pods that are known besides.

    Rules of the packet filter can stop a neighbour's question of IPv6, and then only who is known already is reached.
    """
    for body in state.neighbours:
        index, condition = struct.unpack_from("=iH", body, 4)
        if body[0] in (2, 10) and (condition & NUD_PERMANENT or body[10] & PROXY):
            yield body
        elif body[0] == 10 and condition & NUD_VALID & ~NUD_NOARP and index not in uplinks:
            yield body[:8] + struct.pack("=H", NUD_STALE) + body[10:]


def _routes(netlink: Netlink, wanted: Iterable[bytes]) -> None:
    # what the kernel makes itself for each address is left to it: table local, and IPv6's own
    given = [body for body in wanted if not _by_kernel(body)]
    given.sort(key=lambda body: -body[6])  # links first: a gateway has to be reachable
    asked = [(rtnl.NEW_ROUTE, _route(body), CREATE | APPEND) for body in given]
    codes = netlink.request(asked)
    again = [request for request, code in zip(asked, codes, strict=True) if code and code != errno.EEXIST]
    must("route", netlink.request(again) if again else [])
    # a connected route that the node has lost must be lost here too
    have = {_route_key(body) for body in wanted}
    made = [body for family in (2, 10) for body in _dumped(netlink, 26, family)]
    lost = [body for body in made if body[4] == rtnl.MAIN and _route_key(body) not in have]
    must("lost route", netlink.request([(rtnl.DELETE_ROUTE, body, 0) for body in lost]))


def _by_kernel(body: bytes) -> bool:
    """Whether the kernel makes it by itself, or learned it from an answer to a packet: a smaller MTU, a redirect."""
    if u32(body[8:12]) & CLONED:
        return True
    table, protocol, kind = body[4], body[5], body[7]
    if body[0] == 2:
        return table == rtnl.LOCAL and protocol == 2
    return protocol == 2 or kind in LOCAL_KINDS


def _route_key(body: bytes) -> tuple[int, int, bytes, bytes]:
    found = by_kind(body, RTMSG)
    return body[1], body[4], found.get(1, b""), found.get(OIF, b"")


def _route(body: bytes) -> bytes:
    head = bytearray(body[:RTMSG])
    struct.pack_into("=I", head, 8, u32(body[8:12]) & ONLINK)  # not what the kernel found out: dead, no carrier
    items = attributes(body, RTMSG)
    by_nexthop = any(kind == NH_ID for kind, _ in items)
    drop = {EXPIRES, 20, *((GATEWAY, OIF, MULTIPATH) if by_nexthop else ())}
    return bytes(head) + packed(
        (kind, _hops(value) if kind & KIND == MULTIPATH else value) for kind, value in items if kind & KIND not in drop
    )


def _hops(data: bytes) -> bytes:
    """The next hops of a multipath route, without the flags that the kernel keeps (dead, no carrier)."""
    out, offset = b"", 0
    while offset + 8 <= len(data):
        length = struct.unpack_from("=H", data, offset)[0]
        if length < 8:
            break
        part = bytearray(data[offset : offset + length])
        part[2] &= ONLINK
        out += bytes(part) + b"\0" * (-length % 4)
        offset += (length + 3) & ~3
    return out


def _rules(netlink: Netlink, wanted: Sequence[bytes]) -> None:
    for family in (2, 10):
        now = _dumped(netlink, 34, family)
        then = [body for body in wanted if body[0] == family]
        if then and now != then:
            must("rule", netlink.request([(rtnl.NEW_RULE, body, CREATE) for body in then if body not in now]))
            must("rule", netlink.request([(rtnl.DELETE_RULE, body, 0) for body in now if body not in then]))


def _dumped(netlink: Netlink, kind: int, family: int) -> list[bytes]:
    """Routes or rules of a family; none where the kernel does not know it."""
    try:
        return [body for _, body in netlink.dump(kind, bytes([family]) + b"\0" * 11)]
    except OSError:  # a kernel without IPv6
        return []
