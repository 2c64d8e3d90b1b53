"""A recording that can be shown to anybody: addresses, interfaces, hosts and comments that identify somebody replaced.

The same stands for the same in the facts and in the node's network, so that prefixes, routes and rules still fit and
the twin of the redacted state behaves as the twin of the node. Everything is gone through twice: first to see which
addresses there are, then to write others, in the same order. What `Pseudonyms` says of names holds here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from netdoctor.twin.redaction import messages
from netdoctor.twin.redaction.foreign_names import ForeignNames
from netdoctor.twin.redaction.pseudonyms import Pseudonyms
from netdoctor.twin.redaction.rules import redacted_ruleset
from netdoctor.twin.state import Listener, NetworkState, State
from netdoctor.twin.wire.messages import LinkMessage, NeighbourMessage
from netdoctor.twin.wire.uapi.if_link import IFLA

NONE: set[str] = set()
Say = Callable[[str], str]


def redact_recording(
    facts_json: Any, state: State | None, hosts: set[str], keep: set[str], outside: set[str] = NONE, domain: str = ""
) -> tuple[Any, State | None]:
    """Facts as JSON and the node's network, redacted in the same way.

    `hosts`: names of the node; `keep`: names of namespaces, Services and pods, of which none is taken for a host's;
    `outside`: names of hosts outside of the cluster; `domain`: the cluster's own, where it is not cluster.local.
    Keys of one word name facts, fields, tables and chains, and stay. The facts are given without the state: packed, it
    is not text.
    """
    networks = (state.node, *state.pods) if state else ()
    interfaces = {link.name for network in networks for link in network.interfaces()}
    pseudonyms = Pseudonyms(hosts, keep | interfaces)  # an interface is named in messages too
    seen = pseudonyms.fresh()
    if state:
        _state(state, seen)
    names = ForeignNames(outside - hosts, keep | interfaces, domain)
    _json(facts_json, lambda text: seen.text(names.met(text)))
    pseudonyms.adopt(seen)
    return _json(facts_json, lambda text: names.text(pseudonyms.text(text))), _state(
        state, pseudonyms
    ) if state else None


def redacted(state: State, pseudonyms: Pseudonyms) -> State:
    """The node's network with other addresses. Names of pods stay; see `Pseudonyms`."""
    seen = pseudonyms.fresh()
    _state(state, seen)
    pseudonyms.adopt(seen)
    return _state(state, pseudonyms)


def _json(value: Any, say: Say) -> Any:
    if isinstance(value, str):
        return say(value)
    if isinstance(value, dict):
        return {_key(str(key), say): _json(item, say) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(item, say) for item in value]
    return value


def _key(key: str, say: Say) -> str:
    return key if key.isidentifier() else say(key)


def _state(state: State, pseudonyms: Pseudonyms) -> State:
    said: dict[str, str] = {}

    def say(words: str) -> str:
        """Each text once: the namespaces have thousands of settings, and nearly all are the same."""
        if words not in said:
            said[words] = pseudonyms.text(words)
        return said[words]

    for each in (state.node, *state.pods):
        for body in each.addresses:
            messages.meet_network(body, pseudonyms)
        for body in each.links:
            messages.meet_hardware(LinkMessage(body).attributes.get(IFLA.ADDRESS, b""), pseudonyms)
        for body in each.neighbours:
            messages.meet_hardware(NeighbourMessage(body).link_layer_address, pseudonyms)
    return replace(
        state,
        node=replace(_network(state.node, pseudonyms, say), name=state.node.name),
        pods=tuple(_network(pod, pseudonyms, say) for pod in state.pods),
        left_out=tuple(map(say, state.left_out)),
    )


def _network(state: NetworkState, pseudonyms: Pseudonyms, say: Say) -> NetworkState:
    return replace(
        state,
        name=say(state.name),
        address=say(state.address),
        links=tuple(messages.link(body, pseudonyms) for body in state.links),
        addresses=tuple(messages.address(body, pseudonyms) for body in state.addresses),
        routes=tuple(messages.route(body, pseudonyms) for body in state.routes),
        rules=tuple(messages.rule(body, pseudonyms) for body in state.rules),
        neighbours=tuple(messages.neighbour(body, pseudonyms) for body in state.neighbours),
        nexthops=tuple(messages.nexthop(body, pseudonyms) for body in state.nexthops),
        conntrack=tuple(messages.connection(body, pseudonyms) for body in state.conntrack),
        nftables=redacted_ruleset(state.nftables, pseudonyms),
        ipsets=_once(pseudonyms.text(state.ipsets)),
        legacy=pseudonyms.text(state.legacy),
        legacy6=pseudonyms.text(state.legacy6),
        sysctls=_settings(state.sysctls, say),
        listeners=tuple(Listener(each.protocol, say(each.address), each.port) for each in state.listeners),
        programs=tuple(map(say, state.all_programs)),
        copied_programs=(),  # what a filter compares is no text
    )


def _once(ipsets: str) -> str:
    """Without members that are now there twice: the program ends at the second."""
    return "".join(dict.fromkeys(ipsets.splitlines(keepends=True)))


def _settings(settings: Mapping[str, str], say: Say) -> dict[str, str]:
    return {say(key): say(value) for key, value in settings.items()}
