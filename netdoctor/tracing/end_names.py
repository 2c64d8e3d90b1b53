"""What a user writes for an end of a flow, taken apart: names as kubectl, DNS and netdoctor print them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from netdoctor.errors import BadInput
from netdoctor.near_names import near_names
from netdoctor.system.foreign_text import is_address, is_number

POD, SERVICE, NODE_OBJECT = "pod", "Service", "node"
KINDS = {
    "pod": POD, "pods": POD, "po": POD, "svc": SERVICE, "service": SERVICE, "services": SERVICE,
    "node": NODE_OBJECT, "nodes": NODE_OBJECT, "no": NODE_OBJECT,
}  # fmt: skip
DNS_NAME = re.compile(r"(?P<name>[^./]+)\.(?P<namespace>[^./]+)\.svc(?:\.[\w.-]*)?")
BRACKETED = re.compile(r"\[(?P<address>[^\[\]]+)\](?::(?P<port>.*))?")
GENERATED = re.compile(r"(?:-[a-z0-9]{6,10})?-[a-z0-9]{5}$")  # what a ReplicaSet appends
PROTOCOLS = ("tcp", "udp")


@dataclass(frozen=True, slots=True)
class EndName:
    """A word taken apart: [NAMESPACE/]NAME or an address, and what stands before and behind it."""

    name: str
    kind: str = ""  # POD, SERVICE or NODE_OBJECT; "" where the word does not say
    port: str = ""


def end_name(word: str) -> EndName:
    """Take apart `pod/client`, `svc/postgres:5432`, `postgres.default.svc`, `8.8.8.8:53`, `[2001:db8::1]:53` ..."""
    name, port = _without_port(" ".join(word.split()))
    before, slash, rest = name.partition("/")
    kind = KINDS.get(before, "") if slash else ""
    if kind:
        name = rest
    if kind in ("", SERVICE) and (dns := DNS_NAME.fullmatch(name)):
        return EndName(f"{dns['namespace']}/{dns['name']}", SERVICE, port)
    return EndName(name, kind, port)


def _without_port(word: str) -> tuple[str, str]:
    """The word up to its port, and the port, "" where it has none."""
    bracketed = BRACKETED.fullmatch(word)
    if bracketed and is_address(bracketed["address"]):
        return bracketed["address"], bracketed["port"] or ""
    if is_address(word) or word.count(":") != 1:
        return word, ""
    name, _, port = word.partition(":")
    return name, port


def port_and_protocol(named: EndName, port: str, protocol: str) -> tuple[str, str]:
    """The port that is asked for by name or number, "" for none, and the protocol that is said, "" for none.

    `port` is what stands beside the end, such as `5432` or `5432/tcp`. Raises BadInput for two that contradict.
    """
    port = " ".join(port.split())
    if port and named.port and port != named.port:
        raise BadInput(f"{named.name}:{named.port} has a port already, and {port} is another one")
    chosen, slash, said = (port or named.port).partition("/")
    said = said.lower()
    if not slash:
        return chosen, protocol
    if said not in PROTOCOLS:
        raise BadInput(f"{chosen}/{said}: only tcp and udp can be traced")
    if protocol and said != protocol:
        raise BadInput(f"{chosen}/{said} contradicts --{protocol}")
    return chosen, said


def port_number(port: str, destination: str) -> int:
    """A port by its number. Raises BadInput."""
    port = " ".join(port.split())
    if not port:
        raise BadInput(f"write the port too: {destination} PORT")
    if not is_number(port):
        raise BadInput(f"{port} is not a port number, and only a Service has names for its ports: {destination}")
    if not 1 <= int(port) <= 65535:
        raise BadInput(f"port {port} is out of range: ports are 1 to 65535")
    return int(port)


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that is most like a word, with or without its namespace and what was generated; "" for none."""
    forms: dict[str, str] = {}
    for name in names:
        bare = name.partition("/")[2]
        for form in (name, bare, GENERATED.sub("", name), GENERATED.sub("", bare)):
            forms.setdefault(form, name)
    wanted = word if word in forms else word.rpartition("/")[2]  # the right name in another namespace
    found = near_names(word, forms) or near_names(wanted, forms)
    return forms[found[0]] if found else ""
