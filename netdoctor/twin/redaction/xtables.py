"""xtables' matches and targets as nftables holds them: structures of C, in which addresses have their places.

Layouts: linux/netfilter/xt_*.h, nf_nat.h, linux/netfilter_bridge/ebt_*.h. Every length stays.
"""

from __future__ import annotations

import struct

from netdoctor.twin.redaction.comments import BLANK
from netdoctor.twin.redaction.pseudonyms import Pseudonyms

IP6, BRIDGE = 10, 7  # families
MAP_IPS = 1  # a NAT range has addresses
NAT = ("DNAT", "SNAT", "NETMAP", "MASQUERADE", "REDIRECT")
COMMENT_LENGTH = 256
PATTERN, PATTERN_LENGTH = 20, 148  # places in xt_string_info
# places of addresses and of their masks, None where there is none
MASKED: dict[tuple[str, int], tuple[tuple[int, int | None], ...]] = {
    **{("conntrack", revision): ((0, 16), (32, 48), (64, 80), (96, 112)) for revision in (1, 2, 3)},
    ("TEE", 1): ((0, None),),
    ("TPROXY", 0): ((8, None),),
    ("TPROXY", 1): ((8, None),),
}
BRIDGE_MASKED: dict[str, tuple[tuple[int, int | None], ...]] = {
    "ip": ((0, 8), (4, 12)),
    "ip6": ((0, 32), (16, 48)),
    "arp": ((8, 12), (16, 20)),
}
RANGES = {("iprange", 1): ((0, 16), (32, 48))}
PREFIXES = {"LOG": (2, 30), "NFLOG": (12, 64)}  # what the log says: place and length


def redacted(name: str, revision: int, info: bytes, family: int, chain: str, pseudonyms: Pseudonyms) -> bytes:
    """The structure of one match or target of a rule in this family and chain, with other addresses and comments."""
    if name == "comment":
        return _string(pseudonyms.comment(_words(info), chain), COMMENT_LENGTH, info)
    data = bytearray(info)
    size = 16 if family == IP6 or (family == BRIDGE and name == "ip6") else 4
    masked = _masked(name, revision, family)
    _change_masked(data, masked, size, pseudonyms)
    ranges = _ranges(name, revision, info, family)
    _change_ranges(data, ranges, size, pseudonyms)
    if name in PREFIXES and family != BRIDGE:
        _blank_log_prefix(data, *PREFIXES[name])
    if name == "string" and len(info) > PATTERN_LENGTH:
        _blank_pattern(data)
    its_addresses_are_known = bool(masked or ranges) or name in NAT
    if its_addresses_are_known:
        return pseudonyms.swept(bytes(data))
    return pseudonyms.swept(replaced(bytes(data), pseudonyms))


def replaced(data: bytes, pseudonyms: Pseudonyms) -> bytes:
    """Bytes of which nothing else is known, with others for those addresses in it that are known."""
    out = bytearray(data)
    for size in (16, 4):
        for place in range(0, len(data) - size + 1, 4):
            word = data[place : place + size]
            if pseudonyms.known(word):
                out[place : place + size] = pseudonyms.raw(word)
    return bytes(out)


def leading_ones(mask: bytes) -> int:
    """How long a prefix this mask makes."""
    bits = f"{int.from_bytes(mask, 'big'):0{8 * len(mask)}b}"
    return len(bits) - len(bits.lstrip("1"))


def _masked(name: str, revision: int, family: int) -> tuple[tuple[int, int | None], ...]:
    if family == BRIDGE:
        return BRIDGE_MASKED.get(name, ())
    return MASKED.get((name, revision), ())


def _change_masked(
    data: bytearray, masked: tuple[tuple[int, int | None], ...], size: int, pseudonyms: Pseudonyms
) -> None:
    """Other addresses at these places, as prefixes of the length that their masks make."""
    info = bytes(data)
    for place, mask in masked:
        length = 8 * size if mask is None else leading_ones(info[mask : mask + size])
        if length:
            data[place : place + size] = pseudonyms.prefix(info[place : place + size], length)


def _ranges(name: str, revision: int, info: bytes, family: int) -> tuple[tuple[int, int], ...]:
    """The places of the first and the last address of each range."""
    if name in NAT and family != BRIDGE:
        return _nat(revision, info, family)
    return RANGES.get((name, revision), ())


def _change_ranges(data: bytearray, ranges: tuple[tuple[int, int], ...], size: int, pseudonyms: Pseudonyms) -> None:
    info = bytes(data)
    for first, last in ranges:
        low, high = pseudonyms.span(info[first : first + size], info[last : last + size])
        data[first : first + size] = low
        data[last : last + size] = high


def _blank_log_prefix(data: bytearray, place: int, length: int) -> None:
    before = bytes(data[place : place + length])
    data[place : place + length] = _string(BLANK if _words(before) else "", length, before)


def _blank_pattern(data: bytearray) -> None:
    """What is looked for in packets may be a secret."""
    length = data[PATTERN_LENGTH]
    data[PATTERN : PATTERN + length] = b"x" * length


def _nat(revision: int, info: bytes, family: int) -> tuple[tuple[int, int], ...]:
    old = revision == 0 and family != IP6  # IPv4's own: a count, and ranges of 4 bytes
    flags = struct.unpack_from("=I", info, 4 if old else 0)[0]
    if not flags & MAP_IPS:
        return ()
    return ((8, 12),) if old else ((4, 20),)


def _words(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="replace")


def _string(text: str, length: int, before: bytes) -> bytes:
    """The text as a string of C in so many bytes; what was there where it is the same."""
    if text == _words(before):
        return before
    return text.encode()[: length - 1].ljust(len(before), b"\0")
