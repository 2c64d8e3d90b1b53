"""The elements of nftables' sets and maps with other addresses: which bytes are one is told by the set's type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

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

Element = list[Attribute]
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


@dataclass(frozen=True, slots=True)
class _Mark:
    """A key at which an interval begins or has ended, and the element that says so."""

    place: int
    starts: bool
    element: Element

    @classmethod
    def read(cls, element: Element) -> _Mark:
        flags = int.from_bytes(_get(element, NFTA_SET_ELEM.FLAGS), "big")
        return cls(int.from_bytes(_key_of(element), "big"), not flags & NFT_SET_ELEM.INTERVAL_END, element)

    def order(self) -> tuple[int, bool]:
        return self.place, self.starts


@dataclass(frozen=True, slots=True)
class _Interval:
    """The first and the last key, and the elements that mark them; None where the next interval marks the end."""

    low: int
    high: int
    start: Element
    end: Element | None

    def order(self) -> tuple[int, int]:
        return self.low, self.high


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
    lists = [_elements(each.body) for each in objects]
    rest = iter(_moved([element for elements in lists for element in elements], kind, pseudonyms))
    out = []
    for number, (each, elements) in enumerate(zip(objects, lists, strict=True), start=1):
        is_last = number == len(objects)
        part = list(rest) if is_last else list(islice(rest, len(elements)))
        if part or not elements:
            out.append(NftObject(ELEMENTS, each.family, pseudonyms.swept(_with_elements(each.body, part))))
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


def _elements(body: bytes) -> list[Element]:
    """The elements in a message."""
    listed = by_kind(body).get(NFTA_SET_ELEM_LIST.ELEMENTS, b"")
    return [attributes(element) for _, element in attributes(listed)]


def _with_elements(body: bytes, elements: list[Element]) -> bytes:
    """The same message with these elements."""
    content = packed((NFTA_LIST.ELEM | NESTED, packed(element)) for element in elements)
    return packed(
        (kind, content if kind & KIND == NFTA_SET_ELEM_LIST.ELEMENTS else value) for kind, value in attributes(body)
    )


def _moved(before: list[Element], kind: SetKind, pseudonyms: Pseudonyms) -> list[Element]:
    """All elements of a set with other keys, data and comments."""
    has_ends = any(_has(element, NFTA_SET_ELEM.KEY_END) for element in before)
    paired = kind.interval and kind.key in ADDRESSES and not has_ends
    after = [_element(element, kind, pseudonyms, keys=not paired) for element in before]
    if paired:
        return _paired(after, pseudonyms)
    return _apart(before, after, kind.key) if kind.interval else after


def _has(element: Element, number: int) -> bool:
    return any(kind & KIND == number for kind, _ in element)


def _get(element: Element, number: int) -> bytes:
    return next((value for kind, value in element if kind & KIND == number), b"")


def _element(element: Element, kind: SetKind, pseudonyms: Pseudonyms, *, keys: bool) -> Element:
    """One element with other data and comment, and unless it is one end of an interval another key."""
    first, last = _key_of(element), value_of(_get(element, NFTA_SET_ELEM.KEY_END))
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


def _paired(elements: list[Element], pseudonyms: Pseudonyms) -> list[Element]:
    """Elements of a set of intervals, of which each is where one begins or, flagged, where it has ended."""
    keyed = [each for each in elements if _has(each, NFTA_SET_ELEM.KEY)]
    if not keyed:
        return elements
    size = len(_key_of(keyed[0]))
    marks = [_Mark.read(each) for each in keyed]
    falling = marks[0].place > marks[-1].place
    marks.sort(key=_Mark.order)
    before_the_first = [mark for mark in marks if mark.place == 0 and not mark.starts]  # nft puts one there
    new = [*before_the_first, *_marks(_moved_intervals(marks, size, pseudonyms), size)]
    new.sort(key=_Mark.order, reverse=falling)
    without_key = [each for each in elements if not _has(each, NFTA_SET_ELEM.KEY)]
    return [*without_key, *(mark.element for mark in new)]


def _moved_intervals(marks: list[_Mark], size: int, pseudonyms: Pseudonyms) -> list[_Interval]:
    """Where the intervals between these marks went, in order; keys are of this size."""
    found = []
    following = [*marks[1:], _Mark(1 << 8 * size, starts=True, element=[])]
    for mark, after in zip(marks, following, strict=True):
        if mark.starts:
            low, high = pseudonyms.span(mark.place.to_bytes(size, "big"), (after.place - 1).to_bytes(size, "big"))
            end = None if after.starts else after.element
            found.append(_Interval(int.from_bytes(low, "big"), int.from_bytes(high, "big"), mark.element, end))
    found.sort(key=_Interval.order)
    return found


def _marks(intervals: list[_Interval], size: int) -> Iterator[_Mark]:
    """What marks these intervals, without those that begin in one before them."""
    top = 1 << 8 * size
    reached = -1
    followers = [*(each.low for each in intervals), top][1:]
    for each, follower in zip(intervals, followers, strict=True):
        if each.low <= reached:
            continue
        reached = each.high
        yield _Mark(each.low, starts=True, element=_keyed(each.start, each.low, size))
        after = each.high + 1
        if each.end is not None or after not in (follower, top):
            yield _Mark(after, starts=False, element=_keyed(each.end or _end_of(each.start), after, size))


def _key_of(element: Element) -> bytes:
    return value_of(_get(element, NFTA_SET_ELEM.KEY))


def _keyed(element: Element, key: int, size: int) -> Element:
    value = key.to_bytes(size, "big")
    return [(kind, with_value(old, value) if kind & KIND == NFTA_SET_ELEM.KEY else old) for kind, old in element]


def _end_of(start: Element) -> Element:
    return [
        *((kind, value) for kind, value in start if kind & KIND == NFTA_SET_ELEM.KEY),
        (NFTA_SET_ELEM.FLAGS, NFT_SET_ELEM.INTERVAL_END.to_bytes(4, "big")),
    ]


def _apart(before: list[Element], after: list[Element], kind: int) -> list[Element]:
    """Without those that moved into one that stayed: the kernel refuses a set in which they overlap."""
    boxes = [_box(element, kind) for element in after]
    stayed = [box for box, old, new in zip(boxes, before, after, strict=True) if old == new and _reaches(box)]
    return [
        new
        for box, old, new in zip(boxes, before, after, strict=True)
        if old == new or not any(_overlap(box, each) for each in stayed)
    ]


def _box(element: Element, kind: int) -> Box:
    first = _key_of(element)
    last = value_of(_get(element, NFTA_SET_ELEM.KEY_END)) or first
    parts = fields(kind, len(first))
    return tuple((first[place : place + size], last[place : place + size]) for _, place, size in parts)


def _reaches(box: Box) -> bool:
    return any(low != high and high[0] >= CLASS_E for low, high in box)


def _overlap(one: Box, other: Box) -> bool:
    return all(a <= d and c <= b for (a, b), (c, d) in zip(one, other, strict=True))
