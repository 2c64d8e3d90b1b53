"""The elements of nftables' sets and maps with other addresses: which bytes are one is told by the set's type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdoctor.twin.redaction.expressions import value_of, with_value
from netdoctor.twin.redaction.pseudonyms import Pseudonyms
from netdoctor.twin.redaction.xtables import replaced
from netdoctor.twin.wire.netlink import KIND, NESTED, Attribute, attributes, by_kind, packed
from netdoctor.twin.wire.nftables import ELEMENTS, NftObject
from netdoctor.twin.wire.uapi.nf_tables import (
    NFT_SET,
    NFT_SET_ELEM,
    NFTA_LIST,
    NFTA_SET,
    NFTA_SET_ELEM,
    NFTA_SET_ELEM_LIST,
)

IPV4, IPV6, ETHER = 7, 8, 9  # nft's numbers of types
ADDRESSES = {IPV4: 4, IPV6: 16, ETHER: 6}
# bytes of other types in a key, padded, where they are not 4: time, label, interface's name, dates, cgroup
PADDED = {IPV6: 16, ETHER: 8, 18: 8, 30: 16, 41: 16, 43: 8, 46: 8}
UNKNOWN = (3, 4, 5)  # bit mask, integer, string: of any length
VERDICT = 0xFFFFFF00
DESCRIBED = (NFTA_SET.FLAGS, NFTA_SET.KEY_TYPE, NFTA_SET.DATA_TYPE)
CLASS_E = 0xF0  # the first byte of what IPv4 addresses move to
ELEMENT_COMMENT, LONGEST_COMMENT = 0, 127

Box = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class SetKind:
    """What a set holds: types of its key and data, and whether it holds intervals."""

    key: int
    data: int
    interval: bool

    @classmethod
    def read(cls, body: bytes) -> SetKind:
        """From the message that describes it."""
        found = by_kind(body)
        flags, key, data = (int.from_bytes(found.get(number, b""), "big") for number in DESCRIBED)
        return cls(key, data, bool(flags & NFT_SET.INTERVAL))


def fields(kind: int, length: int) -> list[tuple[int, int, int]]:
    """Type, place and padded length of each part of a key of this type and length; none where that cannot be told."""
    if not kind or kind >= VERDICT:
        return []
    types: list[int] = []
    while kind:
        types.insert(0, kind & 63)
        kind >>= 6
    sizes = [0 if each in UNKNOWN else PADDED.get(each, 4) for each in types]
    if sizes.count(0) == 1:
        sizes[sizes.index(0)] = length - sum(sizes)
    if min(sizes) <= 0 or not sum(sizes) - 3 <= length <= sum(sizes):
        return []
    places = [sum(sizes[:number]) for number in range(len(sizes))]
    return list(zip(types, places, sizes, strict=True))


def redacted(objects: Sequence[NftObject], kind: SetKind, pseudonyms: Pseudonyms) -> list[NftObject]:
    """The messages with the elements of one set. An element that the set then holds twice is left out."""
    lists = [[attributes(element) for _, element in attributes(_elements(each.body))] for each in objects]
    before = [element for each in lists for element in each]
    paired = (
        kind.interval and kind.key in ADDRESSES and not any(_has(element, NFTA_SET_ELEM.KEY_END) for element in before)
    )
    after = [_element(element, kind, pseudonyms, keys=not paired) for element in before]
    if paired:
        after = _intervals(after, pseudonyms)
    elif kind.interval:
        after = _apart(before, after, kind.key)
    rest = iter(after)
    out = []
    for number, (each, elements) in enumerate(zip(objects, lists, strict=True)):
        part = list(rest) if number == len(objects) - 1 else [new for _, new in zip(elements, rest, strict=False)]
        content = packed((NFTA_LIST.ELEM | NESTED, packed(element)) for element in part)
        items = [(k, content) if k & KIND == NFTA_SET_ELEM_LIST.ELEMENTS else (k, v) for k, v in attributes(each.body)]
        if part or not elements:
            out.append(NftObject(ELEMENTS, each.family, pseudonyms.swept(packed(items))))
    return out


def userdata(data: bytes, number: int, chain: str, pseudonyms: Pseudonyms) -> bytes:
    """What nft keeps beside an object, with the comment (of this number) blanked that is not the network's own."""
    out, offset = b"", 0
    while offset + 2 <= len(data):
        kind, length = data[offset], data[offset + 1]
        value = data[offset + 2 : offset + 2 + length]
        if kind == number:
            words = value.rstrip(b"\0").decode(errors="replace")
            if (new := pseudonyms.comment(words, chain)) != words:
                value = new.encode()[:LONGEST_COMMENT] + b"\0"
        out += bytes([kind, len(value)]) + value
        offset += 2 + length
    return out


def _elements(body: bytes) -> bytes:
    return by_kind(body).get(NFTA_SET_ELEM_LIST.ELEMENTS, b"")


def _has(element: list[Attribute], number: int) -> bool:
    return any(kind & KIND == number for kind, _ in element)


def _get(element: list[Attribute], number: int) -> bytes:
    return next((value for kind, value in element if kind & KIND == number), b"")


def _element(element: list[Attribute], kind: SetKind, pseudonyms: Pseudonyms, *, keys: bool) -> list[Attribute]:
    """One element with other data and comment, and unless it is one end of an interval another key."""
    first, last = value_of(_get(element, NFTA_SET_ELEM.KEY)), value_of(_get(element, NFTA_SET_ELEM.KEY_END))
    new: dict[int, bytes] = {}
    if keys:
        new[NFTA_SET_ELEM.KEY], new[NFTA_SET_ELEM.KEY_END] = _key(first, last or first, kind.key, pseudonyms)
    if data := value_of(_get(element, NFTA_SET_ELEM.DATA)):
        half = len(data) // 2
        if not fields(kind.data, len(data)) and fields(kind.data, half):  # a map to ranges
            new[NFTA_SET_ELEM.DATA] = b"".join(_key(data[:half], data[half:], kind.data, pseudonyms))
        else:
            new[NFTA_SET_ELEM.DATA] = _key(data, data, kind.data, pseudonyms)[0]
    out = []
    for number, value in element:
        if number & KIND == NFTA_SET_ELEM.USERDATA:
            out.append((number, userdata(value, ELEMENT_COMMENT, "", pseudonyms)))
        else:
            out.append((number, with_value(value, new[number & KIND]) if number & KIND in new else value))
    return out


def _key(first: bytes, last: bytes, kind: int, pseudonyms: Pseudonyms) -> tuple[bytes, bytes]:
    """The first and the last key of an element, part by part."""
    low, high = bytearray(first), bytearray(last)
    parts = fields(kind, len(first))
    for number, place, size in parts or [(UNKNOWN[0], 0, len(first))]:
        there = slice(place, place + ADDRESSES.get(number, size))
        if number in ADDRESSES:
            low[there], high[there] = pseudonyms.span(first[there], last[there])
        elif number in UNKNOWN:
            low[there], high[there] = replaced(first[there], pseudonyms), replaced(last[there], pseudonyms)
    return bytes(low), bytes(high)


def _intervals(elements: list[list[Attribute]], pseudonyms: Pseudonyms) -> list[list[Attribute]]:
    """Elements of a set of intervals, of which each is where one begins or, flagged, where it has ended."""
    keyed = [(value_of(_get(each, NFTA_SET_ELEM.KEY)), each) for each in elements if _has(each, NFTA_SET_ELEM.KEY)]
    if not keyed:
        return elements
    size = len(keyed[0][0])
    top = 1 << 8 * size
    marks = [(int.from_bytes(key, "big"), not _flags(each) & NFT_SET_ELEM.INTERVAL_END, each) for key, each in keyed]
    falling = marks[0][0] > marks[-1][0]
    marks.sort(key=lambda mark: mark[:2])
    spans: list[tuple[int, int, list[Attribute], list[Attribute] | None]] = []
    out: list[tuple[int, bool, list[Attribute]]] = []
    for (place, starts, element), (after, again, end) in zip(marks, [*marks[1:], (top, True, [])], strict=True):
        if starts:
            span = (number.to_bytes(size, "big") for number in (place, after - 1))
            low, high = (int.from_bytes(each, "big") for each in pseudonyms.span(*span))
            spans.append((low, high, element, None if again else end))
        elif place == 0:  # what nft puts before the first
            out.append((place, starts, element))
    spans.sort(key=lambda span: span[:2])
    reached = -1
    for number, (low, high, start, ended) in enumerate(spans):
        if low <= reached:
            continue
        reached = high
        out.append((low, True, _keyed(start, low, size)))
        following = spans[number + 1][0] if number + 1 < len(spans) else top
        if ended is not None or high + 1 not in (following, top):
            out.append((high + 1, False, _keyed(ended or _end_of(start), high + 1, size)))
    out.sort(key=lambda mark: mark[:2], reverse=falling)
    return [*(each for each in elements if not _has(each, NFTA_SET_ELEM.KEY)), *(element for _, _, element in out)]


def _flags(element: list[Attribute]) -> int:
    return int.from_bytes(_get(element, NFTA_SET_ELEM.FLAGS), "big")


def _keyed(element: list[Attribute], key: int, size: int) -> list[Attribute]:
    value = key.to_bytes(size, "big")
    return [(kind, with_value(old, value) if kind & KIND == NFTA_SET_ELEM.KEY else old) for kind, old in element]


def _end_of(start: list[Attribute]) -> list[Attribute]:
    return [
        *((kind, value) for kind, value in start if kind & KIND == NFTA_SET_ELEM.KEY),
        (NFTA_SET_ELEM.FLAGS, NFT_SET_ELEM.INTERVAL_END.to_bytes(4, "big")),
    ]


def _apart(before: list[list[Attribute]], after: list[list[Attribute]], kind: int) -> list[list[Attribute]]:
    """Without those that moved into one that stayed: the kernel refuses a set in which they overlap."""
    boxes = [_box(element, kind) for element in after]
    stayed = [box for box, old, new in zip(boxes, before, after, strict=True) if old == new and _reaches(box)]
    return [
        new
        for box, old, new in zip(boxes, before, after, strict=True)
        if old == new or not any(_overlap(box, each) for each in stayed)
    ]


def _box(element: list[Attribute], kind: int) -> Box:
    first = value_of(_get(element, NFTA_SET_ELEM.KEY))
    last = value_of(_get(element, NFTA_SET_ELEM.KEY_END)) or first
    parts = fields(kind, len(first))
    return tuple((first[place : place + size], last[place : place + size]) for _, place, size in parts)


def _reaches(box: Box) -> bool:
    return any(low != high and high[0] >= CLASS_E for low, high in box)


def _overlap(one: Box, other: Box) -> bool:
    return all(a <= d and c <= b for (a, b), (c, d) in zip(one, other, strict=True))
