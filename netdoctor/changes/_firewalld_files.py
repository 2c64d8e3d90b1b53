"""firewalld's XML files below /etc: what of them is netdoctor's, and that alone taken out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from netdoctor.changes.file import FileState, put
from netdoctor.errors import Drifted

COMMENT = "<!--"  # firewalld writes none: who has written one has edited the file by hand
SOURCE = re.compile(rb"<source\b[^<>]*?(?:/>|>\s*</source\s*>)")
Element = tuple[str, tuple[tuple[str, str], ...], str, Any]  # tag, attributes, text, and the elements in it
EMPTY: tuple[Any, frozenset[Element]] = ((), frozenset())
# the elements of a zone's file: what firewalld calls them in a zone's settings, and which attributes are listed there
LISTS = {
    "interface": ("interfaces", ("name",)),
    "service": ("services", ("name",)),
    "protocol": ("protocols", ("value",)),
    "icmp-block": ("icmp_blocks", ("name",)),
    "port": ("ports", ("port", "protocol")),
    "source-port": ("source_ports", ("port", "protocol")),
    "forward-port": ("forward_ports", ("port", "protocol", "to-port", "to-addr")),
}
FLAGS = ("masquerade", "forward", "icmp-block-inversion")  # there with underscores
RULES = "rules_str"  # compared by their number: each is one text there
TARGET, NO_TARGET = "target", "default"


def contents(state: FileState) -> tuple[Any, frozenset[Element]]:
    """The root's attributes and the elements in it, whatever their order and indentation. Raises Drifted for no XML."""
    try:
        root = ElementTree.fromstring(state.data.encode("latin-1"))
    except (ElementTree.ParseError, LookupError, ValueError, RecursionError) as error:  # LookupError by its encoding
        raise Drifted(f"somebody has written a firewalld file that is not XML: {trouble(error)}") from error
    return tuple(sorted(root.attrib.items())), frozenset(_element(child) for child in root)


def trouble(error: Exception) -> str:
    """What is wrong, by its line: expat repeats names of the text."""
    line = getattr(error, "lineno", None) or (getattr(error, "position", None) or (0,))[0]
    return f"line {line}" if line else "it cannot be read"


def _element(node: ElementTree.Element) -> Element:
    inside = tuple(sorted((_element(child) for child in node), key=repr))
    return node.tag, tuple(sorted(node.attrib.items())), (node.text or "").strip(), inside


def source_of(address: str) -> Element:
    """The element that binds an address to a zone."""
    return "source", (("address", address),), "", ()


def is_by_firewalld(state: FileState) -> bool:
    """Whether nobody has left a comment in it."""
    return COMMENT not in state.text


def is_read(state: FileState, settings: Mapping[str, tuple[str, Any]]) -> bool:
    """Whether firewalld, with these permanent settings of the zone, has read its file: else it would overwrite it."""
    try:
        root, elements = contents(state)
    except Drifted:
        return False
    known = {key: value for key, (_, value) in settings.items()}
    found: dict[str, list[dict[str, str]]] = {}  # the attributes of each element, by its tag
    for tag, attributes, _, _ in elements:
        found.setdefault(tag, []).append(dict(attributes))
    target = dict(root).get(TARGET, NO_TARGET)
    return (
        all(_listed(found.get(tag, ()), names) == _told(known.get(key, ())) for tag, (key, names) in LISTS.items())
        and _sources_in(found.get("source", ())) == {str(one).lower() for one in known.get("sources", ())}
        and all((tag in found) == bool(known.get(tag.replace("-", "_"), tag in found)) for tag in FLAGS)
        and target == known.get(TARGET, target)
        and len(found.get("rule", ())) == len(known.get(RULES, ()))
    )


def _listed(elements: Iterable[Mapping[str, str]], names: Iterable[str]) -> set[tuple[str, ...]]:
    """These attributes of each element of a file."""
    return {tuple(one.get(name, "") for name in names) for one in elements}


def _told(values: Iterable[Any]) -> set[tuple[Any, ...]]:
    """The same as firewalld tells it: words, or tuples of words."""
    return {(one,) if isinstance(one, str) else tuple(one) for one in values}


def _sources_in(elements: Iterable[Mapping[str, str]]) -> set[str]:
    """The sources of a file, as firewalld names them."""
    found = (one.get("address") or one.get("mac") or f"ipset:{one.get('ipset')}" for one in elements)
    return {one.lower() for one in found}


def without(state: FileState, address: str) -> FileState:
    """The zone's file without the source, and with every other byte of it. Raises Drifted where that cannot be done."""
    data = state.data.encode("latin-1")
    begin = next(_sources(data, address), None)
    found = SOURCE.match(data, begin) if begin is not None else None
    if begin is None or found is None:
        raise Drifted(
            f"the source {address} is not found where firewalld writes it: somebody has changed the file since"
        )
    line = data.rfind(b"\n", 0, begin) + 1
    end = found.end()
    if not data[line:begin].strip() and data[end : end + 1] == b"\n":  # a line of its own
        begin, end = line, end + 1
    left = replace(state, data=(data[:begin] + data[end:]).decode("latin-1"))
    attributes, elements = contents(state)
    if contents(left) != (attributes, elements - {source_of(address)}):
        raise Drifted(f"the source {address} cannot be taken out alone: somebody has changed the file since")
    return left


def _sources(data: bytes, address: str) -> Iterator[int]:
    """Where in the file the zone's own elements for this source begin."""
    places: list[int] = []
    depth = 0
    parser = expat.ParserCreate()

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        if depth == 1 and tag == "source" and attributes == {"address": address}:
            places.append(parser.CurrentByteIndex)
        depth += 1

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise Drifted(f"somebody has written a firewalld file that is not XML: {trouble(error)}") from error
    yield from places


def put_back(path: str, now: FileState | None, was: FileState | None) -> None:
    """The bytes that were there; mode and owner stay those of now: firewalld keeps them. Raises CannotRead."""
    if now is not None and was is not None:
        was = replace(was, mode=now.mode, uid=now.uid, gid=now.gid)
    if now != was:
        put(path, was)
