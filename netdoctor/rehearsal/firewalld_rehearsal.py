"""Two copies of a node, one with a real firewalld in it: what the node's own would do is done by that one.

firewalld flushes iptables when it starts. So it starts in a copy without rules, takes over what the node's firewalld
has at run time only, and is believed once its table says what the node's says; then the node's other rules are loaded.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from netdoctor.errors import CannotRead
from netdoctor.rehearsal.second_firewalld import SOURCE, second_firewalld
from netdoctor.system.firewalld_bus import FirewalldBus, firewalld_bus
from netdoctor.system.host import Host
from netdoctor.twin.build import build, load_filters
from netdoctor.twin.capture import sysctls
from netdoctor.twin.state import State
from netdoctor.twin.twin import NODE, Twin
from netdoctor.twin.wire import nftables

TABLE = "firewalld"
LOOKS = 4  # at the node's firewalld: a pod that comes or goes may be changing it
BINDINGS = {"interfaces": "addInterface", "sources": "addSource"}  # of zones: no two can have the same one


class _Kind(NamedTuple):
    """Zones, or policies: what asks for their names, for the settings of one, and what sets some of them."""

    interface: str
    names: str
    read: str
    write: str


class _Direct(NamedTuple):
    """A kind of direct configuration: what asks for all of it, its word in other methods, and their signature."""

    read: str
    what: str
    signature: str


KINDS = (
    _Kind("zone", "getZones", "getZoneSettings2", "setZoneSettings2"),
    _Kind("policy", "getPolicies", "getPolicySettings", "setPolicySettings"),
)
DIRECT = (
    _Direct("getAllChains", "Chain", "sss"),
    _Direct("getAllRules", "Rule", "sssias"),
    _Direct("getAllPassthroughs", "Passthrough", "sas"),
)


@runtime_checkable
class ByFirewalld(Protocol):
    """A change that firewalld carries out: any firewalld, so that a second one can show it."""

    def apply_over(self, bus: FirewalldBus) -> None:
        """Make the change in the firewalld on this bus, and nowhere else. Raises CannotRead."""


@contextmanager
def copies_with_firewalld(state: State) -> Iterator[tuple[Twin, Twin, FirewalldBus]]:
    """Two copies of this node, the second with a firewalld, for the length of a with block; and the bus to that one.

    Both have the table that the node's firewalld has now. Raises CannotRead where that is not possible.
    """
    if not state.node.has_table("inet", TABLE):
        raise CannotRead(SOURCE, f"firewalld keeps no table inet {TABLE} on this node")
    bare = replace(state.node, nftables=(), nfacct=(), ipsets="", legacy="", legacy6="")
    after = build(replace(state, node=bare))
    before = None
    try:
        settings = after.run(sysctls)
        with second_firewalld(after.namespaces[NODE]) as bus:
            before = _alike(state, after, bus)
            after.run(lambda: _load_the_others(state))
            after.run(lambda: _put_back(settings))
            yield before, after, bus
    finally:
        after.close()
        if before:
            before.close()


def _alike(state: State, after: Twin, bus: FirewalldBus) -> Twin:
    """A copy of the node with its firewalld's table as it is now, once the second firewalld has the same table."""
    difference = ""
    for look in range(LOOKS):
        time.sleep(look / 2)
        with firewalld_bus() as nodes:
            _take_over(nodes, bus)
        theirs = [each for each in nftables.dump() if each.place[1] == TABLE]
        others = [each for each in state.node.nftables if each.place[1] != TABLE]
        before = build(replace(state, node=replace(state.node, nftables=(*theirs, *others))))
        try:
            difference = _difference(_table(before), _table(after))
        except BaseException:
            before.close()
            raise
        if not difference:
            return before
        before.close()
    raise CannotRead(SOURCE, f"it cannot be given all that the node's has at run time only ({difference})")


def _take_over(nodes: FirewalldBus, mine: FirewalldBus) -> None:
    """Give my firewalld what the node's has at run time and not in its files. Raises CannotRead."""
    for kind in KINDS:
        _take_over_settings(kind, nodes, mine)
    for name in nodes.call("ipset", "getIPSets"):
        with suppress(CannotRead):  # entries that time out are not told
            mine.call("ipset", "setEntries", "sas", name, nodes.call("ipset", "getEntries", "s", name))
    for direct in DIRECT:
        _take_over_direct(direct, nodes, mine)


def _take_over_settings(kind: _Kind, nodes: FirewalldBus, mine: FirewalldBus) -> None:
    """Give my firewalld the zones, or the policies, as the node's has them; first whatever is bound to another one."""
    theirs = nodes.call(kind.interface, kind.names)
    differing: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys((*theirs, *mine.call(kind.interface, kind.names))):
        now = mine.call(kind.interface, kind.read, "s", name)
        wanted = nodes.call(kind.interface, kind.read, "s", name) if name in theirs else {}
        differing[name] = _changed(now, wanted)
        _release(kind, name, now, differing[name], mine)
    for name, changed in differing.items():
        _bind(kind, name, changed, mine)
        others = {key: value for key, value in changed.items() if key not in BINDINGS}
        if others:
            mine.call(kind.interface, kind.write, "sa{sv}", name, others)


def _release(kind: _Kind, name: str, now: dict[str, Any], changed: dict[str, Any], mine: FirewalldBus) -> None:
    """Take from a zone of mine what is bound to it and shall not be: another zone may have that now."""
    fewer = {}
    for key in BINDINGS:
        if key in changed and key in now:
            signature, bound = now[key]
            fewer[key] = (signature, [one for one in bound if one in changed[key][1]])
    if fewer:
        mine.call(kind.interface, kind.write, "sa{sv}", name, fewer)


def _bind(kind: _Kind, name: str, changed: dict[str, Any], mine: FirewalldBus) -> None:
    """Bind to a zone of mine what shall be, one by one: their order may be that of the rules."""
    for key, add in BINDINGS.items():
        if key not in changed:
            continue
        for one in changed[key][1]:
            with suppress(CannotRead):  # it has that one already
                mine.call(kind.interface, add, "ss", name, one)


def _take_over_direct(direct: _Direct, nodes: FirewalldBus, mine: FirewalldBus) -> None:
    """Remove the direct chains, rules or passthroughs that mine alone has, then add those that the node's alone has."""
    here, there = mine.call("direct", direct.read), nodes.call("direct", direct.read)
    for one in here:
        if one not in there:
            mine.call("direct", f"remove{direct.what}", direct.signature, *one)
    for one in there:
        if one not in here:
            mine.call("direct", f"add{direct.what}", direct.signature, *one)


def _changed(now: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The lists and switches that differ, as they are wanted; firewalld leaves out what is empty."""
    changed = {}
    for key in dict.fromkeys((*now, *wanted)):
        kind = (wanted.get(key) or now[key])[0]
        if kind == "b" or kind.startswith("a"):
            was, will = (each.get(key, (kind, False if kind == "b" else []))[1] for each in (now, wanted))
            if was != will and (kind == "b" or sorted(was) != sorted(will)):
                changed[key] = (kind, will)
    return changed


def _table(twin: Twin) -> dict[str, list[str]]:
    """firewalld's table in a copy, without counters: the lines of what is in force, by the names of chains and sets.

    Chains that no other leads to any more, firewalld leaves behind.
    """
    text = twin.run(lambda: Host().run(["nft", "-s", "list", "table", "inet", TABLE], timeout=10))
    blocks: dict[str, list[str]] = {}
    hooks: list[str] = []
    for block in re.split(r"\n(?=\t[a-z]+ \S+ \{)", text)[1:]:
        head, *lines = (line.strip() for line in block.splitlines() if line.strip() not in ("", "}"))
        kind, name, _ = head.split()
        if kind != "chain":  # a set has no order
            lines = sorted(re.split(r"[,\s]+", " ".join(lines)))
        elif any(line.startswith("type ") for line in lines):
            hooks.append(name)
        elif all(line.endswith(" accept") for line in lines):  # in whatever order
            lines.sort()
        blocks[name] = lines
    found: dict[str, list[str]] = {}
    while hooks:
        name = hooks.pop()
        if name in blocks and name not in found:
            found[name] = blocks[name]
            hooks += re.findall(r"(?:jump |goto |@)([\w-]+)", " ".join(found[name]))
    return found


def _difference(node: dict[str, list[str]], mine: dict[str, list[str]]) -> str:
    """The first thing in which two tables differ; "" where they say the same."""
    for name in dict.fromkeys((*node, *mine)):
        here, there = node.get(name, []), mine.get(name, [])
        if here != there:
            odd = [line for line in here if line not in there] + [line for line in there if line not in here]
            return f"{name}: {odd[0] if odd else 'another order'}"
    return ""


def _load_the_others(state: State) -> None:
    """In this thread's namespace: the node's rules without firewalld's table, in place of what firewalld has made."""
    tables = [each.place for each in nftables.dump() if each.kind == nftables.TABLE and each.place[1] != TABLE]
    lines = [f"delete table {family} {name}" for family, name, _ in tables]
    Host().run(["nft", "-f", "-"], stdin="\n".join(lines) + "\n")
    if state.node.ipsets:
        Host().run(["ipset", "destroy"])
    others = tuple(each for each in state.node.nftables if each.place[1] != TABLE)
    load_filters(replace(state.node, nftables=others))


def _put_back(settings: dict[str, str]) -> None:
    """In this thread's namespace: the sysctls that firewalld has set as it started; first those that set others."""
    first = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
    for _ in range(2):
        now = sysctls()
        for key in sorted(settings, key=lambda key: key not in first):
            if now.get(key) != settings[key]:
                with suppress(OSError):
                    Path("/proc/sys/net", key).write_text(settings[key], encoding="ascii")
