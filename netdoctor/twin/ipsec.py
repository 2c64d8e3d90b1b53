"""IPsec's policies: those that need no key are copied, where there are no others beside them."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator, Mapping

from netdoctor.system.kernel_modules import present
from netdoctor.twin.state import CopiedProgram
from netdoctor.twin.wire.netlink import CREATE, EXCLUSIVE, Netlink, by_kind, packed
from netdoctor.twin.wire.uapi.xfrm import XFRM_MSG, XFRM_POLICY, XFRMA

SELECTOR = struct.Struct("=16s16s8xHBBB3xiI")  # struct xfrm_selector, without its ports
# struct xfrm_userpolicy_info: the selector, two lifetimes, priority, index, direction, action, flags, share
INFO = struct.Struct("=56s96xIIBBBB4x")
ID = struct.Struct("=56sIB3x")  # struct xfrm_userpolicy_id
BLOCK = 1  # XFRM_POLICY_BLOCK
DIRECTIONS = {XFRM_POLICY.IN: "in", XFRM_POLICY.OUT: "out", XFRM_POLICY.FWD: "fwd"}
KEPT = (XFRMA.POLICY_TYPE, XFRMA.MARK, XFRMA.IF_ID)


def policies() -> Iterator[CopiedProgram | str]:
    """The policies of the calling thread's namespace; in words, all together, where some need keys."""
    found = _dumped()
    if any(by_kind(body, INFO.size).keys() - {*KEPT} for body in found):
        yield f"IPsec ({len(found)} policies)"
        return
    for body in found:
        yield _policy(body)


def _dumped() -> list[bytes]:
    """The policies that do not belong to a single socket."""
    if not present("xfrm_user"):
        return []
    try:
        with Netlink(socket.NETLINK_XFRM) as netlink:
            bodies = [body for _, body in netlink.dump(XFRM_MSG.GETPOLICY, b"")]
    except OSError:  # a kernel without IPsec
        return []
    return [body for body in bodies if INFO.unpack_from(body)[3] < XFRM_POLICY.MAX]


def _policy(body: bytes) -> CopiedProgram:
    selector, _, index, direction, action, *_ = INFO.unpack_from(body)
    told = by_kind(body, INFO.size)
    kept = packed((kind, told[kind]) for kind in KEPT if kind in told)
    verdict = "block" if action == BLOCK else "allow"
    return CopiedProgram(
        f"IPsec policy {index} ({DIRECTIONS[direction]} {_in_words(selector)} {verdict})",
        socket.NETLINK_XFRM,
        ((XFRM_MSG.NEWPOLICY, body[: INFO.size] + kept, CREATE | EXCLUSIVE),),
        (XFRM_MSG.DELPOLICY, ID.pack(selector, index, direction) + kept, 0),
        (f"sudo ip xfrm policy delete dir {DIRECTIONS[direction]} index {{}}{_told_apart(told)}", (index,)),
    )


def _told_apart(told: Mapping[int, bytes]) -> str:
    """What `ip xfrm policy delete` has to be told of a policy beside its index, else it finds none."""
    mark, mask = struct.unpack_from("=II", told.get(XFRMA.MARK, bytes(8)))
    (interface,) = struct.unpack_from("=I", told.get(XFRMA.IF_ID, bytes(4)))
    words = f" mark {mark} mask {mask}" if mask else ""
    words += f" if_id {interface}" if interface else ""
    return words + (" ptype sub" if any(told.get(XFRMA.POLICY_TYPE, b"")) else "")


def _in_words(selector: bytes) -> str:
    to, source, family, to_length, source_length, *_ = SELECTOR.unpack(selector)
    size = 4 if family == socket.AF_INET else 16
    ends = [
        f"{ipaddress.ip_address(raw[:size])}/{length}" for raw, length in ((source, source_length), (to, to_length))
    ]
    return " -> ".join(ends)
