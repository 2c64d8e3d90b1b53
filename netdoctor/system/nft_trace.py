"""Which rule of the kernel's packet filter drops a packet: nftables' own trace, read over netlink.

A table of our own marks the packets of one flow, and no other; it is there for as long as the flow is asked, and
removed whatever happens. Empty chains in it, placed between the kernel's hooks, say how far a packet came where no rule
of nftables has dropped it: a legacy iptables rule, for instance, drops between two of them.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host
from netdoctor.system.trace_table import TABLE, held
from netdoctor.values import Values

# linux/netfilter/nfnetlink.h, nf_tables.h
NETLINK_NETFILTER, SOL_NETLINK, ADD_MEMBERSHIP, GROUP_TRACE = 12, 270, 1, 9
TRACE_MESSAGE = (10 << 8) | 17
A_TABLE, A_CHAIN, A_HANDLE, A_TYPE, A_VERDICT, A_ID, A_NETWORK, A_TRANSPORT = 1, 2, 3, 4, 5, 6, 8, 9
A_IIF, A_OIF, A_POLICY = 10, 12, 16
V_CODE, V_CHAIN = 1, 2
T_POLICY, T_RETURN, T_RULE = 1, 2, 3
FAMILIES = {1: "inet", 2: "ip", 5: "netdev", 7: "bridge", 10: "ip6"}
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 4 << 20  # the default holds some fifty events
DROP = 0
QUIET = 0.12  # seconds without an event, after which none will come: delivery inside one machine is immediate
LONGEST = 1.0
NAME = re.compile(r"[\w./-]+")
RULE = re.compile(r"(.*?) *# handle (\d+)$")
HEADER = re.compile(r".*\{ # handle \d+$")  # of the table, and of the chain


@dataclass(frozen=True, slots=True)
class Dropped:
    """Where a packet ended: the rule or the policy that dropped it, or the last place at which it was seen."""

    family: str = ""
    table: str = ""
    chain: str = ""
    handle: int = 0  # 0: the chain's policy
    text: str = ""  # the rule as nft, and where it is one, as iptables prints it
    last_seen: str = ""  # "forward -1": the last place, where no rule is to blame

    @property
    def values(self) -> Values:
        """The rule or the policy, as a report's data has it; empty where none dropped it."""
        handle = self.handle or None
        return Values(family=self.family, table=self.table, chain=self.chain, handle=handle, rule=self.text)

    @property
    def by_rule(self) -> bool:
        """Whether a rule or a policy dropped it."""
        return bool(self.table)

    def __str__(self) -> str:
        """As evidence names it."""
        if not self.by_rule:
            return f"last seen at {self.last_seen}" if self.last_seen else "never seen"
        return f"{self.family} {self.table} {self.chain}" + (f" handle {self.handle}" if self.handle else " policy")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that the kernel says of a traced packet: a rule that matched, the end of a chain, or its policy."""

    family: str
    table: str
    chain: str
    handle: int
    kind: int  # T_POLICY, T_RETURN or T_RULE
    verdict: int  # of a rule: DROP, ACCEPT, or a negative number (jump -3, goto -4, return -5)
    jump: str  # the chain that it goes on with
    policy: int
    interface_in: int  # 0: none, or told by an earlier event of the same chain
    interface_out: int
    packet: bytes  # tells the packets apart that pass one hook
    network: bytes  # the packet's header of layer 3, where this event tells it
    transport: bytes

    @property
    def drops(self) -> bool:
        """Whether the packet ended here."""
        return (self.kind == T_RULE and self.verdict == DROP) or (self.kind == T_POLICY and self.policy == DROP)


def trace(host: Host, source: str, destination: str, protocol: str, port: int, ask: Callable[[], object]) -> Dropped:
    """Begin a question whose packets go from `source` to `destination`, and see where they end.

    `ask` must not wait for the answer. Needs root and nft. Raises CannotRead.
    """
    flow = f"ip saddr {source} ip daddr {destination} {protocol} dport {port}"
    if kernel_modules.present("nft_limit"):  # a busy flow would fill the trace; elsewhere LONGEST has to do
        flow += " limit rate 50/second"
    events: list[Event] = []
    with listen() as listener, held(host, flow):
        ask()
        end = time.monotonic() + LONGEST
        for data in messages(listener, QUIET):
            events += read_events(data)
            if time.monotonic() > end or any(event.drops for event in events):
                break
    return _end_of(host, events)


def listen() -> socket.socket:
    """A socket that gets the trace of the calling thread's namespace. Raises CannotRead."""
    kernel_modules.require("nf_tables", "nftables trace")
    with ExitStack() as until_it_listens:
        try:
            listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
            until_it_listens.enter_context(listener)
            # as much as net.core.rmem_max allows, where a user namespace may not have more
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            with suppress(PermissionError):
                listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
            listener.bind((0, 0))
            listener.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, GROUP_TRACE)
        except OSError as error:
            raise CannotRead.of("nftables trace", error) from error
        until_it_listens.pop_all()
    return listener


def messages(listener: socket.socket, quiet: float) -> Iterator[bytes]:
    """What a listener has been sent, until nothing comes for so many seconds."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while poll.poll(quiet * 1000):
        try:
            data = listener.recv(1 << 18)
        except OSError:  # ENOBUFS: there were more events than fit; those that did come after this error
            continue
        yield data


def _attributes(data: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def read_events(data: bytes) -> Iterator[Event]:
    """The events in what `listen`'s socket received."""
    offset = 0
    while offset + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if length < 16:
            break
        if kind == TRACE_MESSAGE:
            attributes = _attributes(data[offset + 20 : offset + length])
            verdict = _attributes(attributes.get(A_VERDICT, b""))
            code = verdict.get(V_CODE, b"")
            yield Event(
                family=FAMILIES.get(data[offset + 16], "?"),
                table=attributes.get(A_TABLE, b"").rstrip(b"\0").decode(errors="replace"),
                chain=attributes.get(A_CHAIN, b"").rstrip(b"\0").decode(errors="replace"),
                handle=int.from_bytes(attributes.get(A_HANDLE, b""), "big"),
                kind=int.from_bytes(attributes.get(A_TYPE, b""), "big"),
                verdict=struct.unpack("!i", code)[0] if len(code) == 4 else 1,
                jump=verdict.get(V_CHAIN, b"").rstrip(b"\0").decode(errors="replace"),
                policy=int.from_bytes(attributes[A_POLICY], "big") if A_POLICY in attributes else 1,
                interface_in=int.from_bytes(attributes.get(A_IIF, b""), "big"),
                interface_out=int.from_bytes(attributes.get(A_OIF, b""), "big"),
                packet=attributes.get(A_ID, b""),
                network=attributes.get(A_NETWORK, b""),
                transport=attributes.get(A_TRANSPORT, b""),
            )
        offset += (length + 3) & ~3


def _end_of(host: Host, events: list[Event]) -> Dropped:
    last = ""
    for event in events:
        if event.table == TABLE:
            last = event.chain.replace("_m", " -").replace("_", " ")
        elif event.drops and event.kind == T_POLICY:
            return Dropped(event.family, event.table, event.chain, 0, "policy drop")
        elif event.drops:
            text = rule_text(host, event.family, event.table, event.chain, event.handle)
            return Dropped(event.family, event.table, event.chain, event.handle, text)
    return Dropped(last_seen=last)


def rule_text(host: Host, family: str, table: str, chain: str, handle: int) -> str:
    """The rule with this handle, as iptables prints it where it is one of iptables', else as nft does."""
    return chain_rules(host, family, table, chain).get(handle, "")


def _listed(text: str) -> dict[int, str]:
    """The rules in what `nft -a list chain` prints, by handle; "" for one of which nft can show nothing."""
    rules: dict[int, str] = {}
    begun = ""
    for line in text.splitlines():
        rule = f"{begun} {line.strip()}".strip()
        begun = rule if rule.endswith(",") else ""  # a long set goes on in the next line
        if not HEADER.match(rule) and (match := RULE.match(rule)):
            rules[int(match[2])] = match[1]
    return rules


def chain_rules(host: Host, family: str, table: str, chain: str) -> dict[int, str]:
    """The rules of a chain by handle, in order; none where it cannot be listed.

    nft reads its arguments as one command: a name that is not a plain one is not given to it.
    """
    if not all(NAME.fullmatch(name) for name in (table, chain)):
        return {}
    try:
        listed = host.run(["nft", "-a", "-s", "list", "chain", family, table, chain])
    except CannotRead:
        return {}
    rules = _listed(listed)
    if family in ("ip", "ip6") and table in ("filter", "nat", "mangle", "raw", "security"):
        program = "iptables-nft" if family == "ip" else "ip6tables-nft"
        try:
            saved = [r for r in host.run([program, "-t", table, "-S", chain]).splitlines() if r.startswith("-A ")]
        except CannotRead:
            saved = []
        if len(saved) == len(rules):
            return dict(zip(rules, saved, strict=True))
    return rules
