"""The registers of nftables' rules: which expressions load, change and take them, and what one holds."""

from __future__ import annotations

from dataclasses import dataclass

from netdoctor.twin.wire.uapi.nft_expressions import (
    NFT_CT,
    NFT_RT,
    NFT_XFRM_KEY,
    NFTA_BITWISE,
    NFTA_BYTEORDER,
    NFTA_CT,
    NFTA_DUP,
    NFTA_DYNSET,
    NFTA_EXTHDR,
    NFTA_FIB,
    NFTA_FWD,
    NFTA_HASH,
    NFTA_IMMEDIATE,
    NFTA_LOOKUP,
    NFTA_META,
    NFTA_NG,
    NFTA_OSF,
    NFTA_PAYLOAD,
    NFTA_RT,
    NFTA_SOCKET,
    NFTA_TPROXY,
    NFTA_TUNNEL,
    NFTA_XFRM,
)

# expressions that load addresses: the attribute that says what they load, and the length of each address; 0: of the
# family
ADDRESS_KEYS: dict[str, tuple[int, dict[int, int]]] = {
    "ct": (
        NFTA_CT.KEY,
        {NFT_CT.SRC: 0, NFT_CT.DST: 0, NFT_CT.SRC_IP: 4, NFT_CT.DST_IP: 4, NFT_CT.SRC_IP6: 16, NFT_CT.DST_IP6: 16},
    ),
    "rt": (NFTA_RT.KEY, {NFT_RT.NEXTHOP4: 4, NFT_RT.NEXTHOP6: 16}),
    "xfrm": (
        NFTA_XFRM.KEY,
        {
            NFT_XFRM_KEY.DADDR_IP4: 4,
            NFT_XFRM_KEY.DADDR_IP6: 16,
            NFT_XFRM_KEY.SADDR_IP4: 4,
            NFT_XFRM_KEY.SADDR_IP6: 16,
        },
    ),
}
# the attribute that names the register which an expression loads
TARGET_REGISTER: dict[str, int] = {
    "payload": NFTA_PAYLOAD.DREG,
    "meta": NFTA_META.DREG,
    "ct": NFTA_CT.DREG,
    "rt": NFTA_RT.DREG,
    "xfrm": NFTA_XFRM.DREG,
    "fib": NFTA_FIB.DREG,
    "exthdr": NFTA_EXTHDR.DREG,
    "immediate": NFTA_IMMEDIATE.DREG,
    "numgen": NFTA_NG.DREG,
    "osf": NFTA_OSF.DREG,
    "bitwise": NFTA_BITWISE.DREG,
    "byteorder": NFTA_BYTEORDER.DREG,
    "hash": NFTA_HASH.DREG,
    "socket": NFTA_SOCKET.DREG,
    "tunnel": NFTA_TUNNEL.DREG,
    "lookup": NFTA_LOOKUP.DREG,
}
# the attribute that names the register which an expression changes
SOURCE_REGISTER: dict[str, int] = {"bitwise": NFTA_BITWISE.SREG, "byteorder": NFTA_BYTEORDER.SREG}
# the attribute that names the register whose address an expression takes
TAKEN_REGISTER: dict[str, int] = {
    "tproxy": NFTA_TPROXY.REG_ADDR,
    "dup": NFTA_DUP.SREG_ADDR,
    "fwd": NFTA_FWD.SREG_ADDR,
    "payload": NFTA_PAYLOAD.SREG,
    "dynset": NFTA_DYNSET.SREG_KEY,
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a register holds: parts of addresses as (place, bytes of an address, bytes that are there), and a mask."""

    parts: tuple[tuple[int, int, int], ...] = ()
    mask: bytes = b""
    protocol: bool = False  # it says which protocol follows
    anything: bool = False  # bytes of a packet: an address may be among them
