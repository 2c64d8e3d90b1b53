"""Traces of what is asked in the twin.

The tables that mark and bracket stand in the twin alone: the node's own rules are never touched.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack

from netdoctor.errors import CannotRead, Why
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import Event, listen, messages, read_events
from netdoctor.system.trace_table import BRACKETS, TABLE
from netdoctor.twin.trace_events import EventReader
from netdoctor.twin.twin import NODE, OUTSIDE, Flow, Twin
from netdoctor.twin.walk import Walk

# the bridge's own hooks: its filters at -200 and 200, br_netfilter at 0
BRIDGE_BRACKETS = {hook: (-350, 350) for hook in ("prerouting", "input", "forward", "output", "postrouting")}
OUTPUT_BRACKETS = {"output": (-350, -195, -160, -90, 400)}
MARK = "meta l4proto { tcp, udp, icmp, ipv6-icmp } meta nftrace set 1;"
FIRST = -350
QUIET = 0.01  # seconds without an event, after which none will come
TRIES = 2


class Tracer:
    """Traces whatever is asked in a twin while it is open. Raises CannotRead where nft is not installed."""

    def __init__(self, twin: Twin, *, texts: bool = True) -> None:
        """`texts`: also of the rules of kube-proxy and the CNI, of which there may be thousands."""
        self._twin = twin
        self._texts = texts
        self._listeners: dict[str, socket.socket] = {}
        with ExitStack() as until_all_trace:
            for name in twin.namespaces:
                if name == NODE or (name != OUTSIDE and twin.state.by_name[name].nftables):
                    self._listeners[name] = until_all_trace.enter_context(twin.run(listen, name))
                    devices = [link.name for link in twin.state.by_name[name].interfaces() if link.name != "lo"]
                    twin.run(lambda them=devices: _mark(them), name)  # type: ignore[misc]
                    until_all_trace.callback(twin.run, _unmark, name)
            self._open = until_all_trace.pop_all()
        self._readers = {name: EventReader(twin, name, texts=texts) for name in self._listeners}

    def __enter__(self) -> Tracer:
        """Itself; closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def walk(self, flow: Flow) -> Walk:
        """Ask once, and see every packet of it."""
        for _ in range(TRIES):
            for listener in self._listeners.values():
                _discard(listener)
            reply = self._twin.begin(flow)
            events = {name: _received(listener) for name, listener in self._listeners.items()}
            if events[NODE] or flow.source == NODE:
                break
        order = sorted(events, key=lambda name: (name != flow.source, name != NODE))
        steps = [step for name in order for step in self._readers[name].steps(flow, events[name])]
        return Walk(flow, reply, tuple(steps))


def walk(twin: Twin, flow: Flow) -> Walk:
    """Ask once, with every packet traced. Raises CannotRead where nft is not installed."""
    with Tracer(twin) as tracer:
        return tracer.walk(flow)


def _mark(devices: list[str]) -> None:
    """Tables of ours in this thread's namespace: they mark every packet, and bracket the hooks."""
    host = Host()
    host.run(["nft", "-f", "-"], stdin=_table("inet", {**BRACKETS, **OUTPUT_BRACKETS}))
    try:
        host.run(["nft", "-f", "-"], stdin=_table("bridge", BRIDGE_BRACKETS))
    except CannotRead as error:
        if error.why is not Why.UNSUPPORTED:  # some kernels have no bridge tables
            raise
    chains = [
        f'chain i{number} {{ type filter hook ingress device "{name}" priority -500; policy accept; {MARK} }}'
        for number, name in enumerate(devices)
    ]
    host.run(["nft", "-f", "-"], stdin="\n".join([f"table netdev {TABLE} {{", *chains, "}"]))


def _table(family: str, brackets: Mapping[str, tuple[int, ...]]) -> str:
    chains = []
    for hook, priorities in brackets.items():
        for priority in priorities:
            name = f"{hook}_{priority}".replace("-", "m")
            mark = MARK if priority == FIRST else ""
            chains.append(f"chain {name} {{ type filter hook {hook} priority {priority}; policy accept; {mark} }}")
    return "\n".join([f"table {family} {TABLE} {{", *chains, "}"])


def _unmark() -> None:
    host = Host()
    for family in ("inet", "bridge", "netdev"):
        host.run(["nft", "-f", "-"], stdin=f"add table {family} {TABLE}\ndelete table {family} {TABLE}\n")


def _discard(listener: socket.socket) -> None:
    """What the copy's own traffic (neighbours, multicast) has left in the buffer takes the room of what is asked."""
    for _ in messages(listener, 0):
        pass


def _received(listener: socket.socket) -> list[Event]:
    events: list[Event] = []
    for data in messages(listener, QUIET):
        events += read_events(data)
    return events
