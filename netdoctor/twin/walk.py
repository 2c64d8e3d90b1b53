"""A packet's way through the twin: hook by hook, with the rule that ends it or the last place where it was seen."""

from __future__ import annotations

from dataclasses import dataclass

from netdoctor.system.nft_trace import Dropped
from netdoctor.system.traffic import Reply
from netdoctor.twin.twin import NODE, Flow

REQUEST, REPLY, ERROR_MESSAGE = "request", "reply", "error"


@dataclass(frozen=True, slots=True)
class Packet:
    """What a packet looked like when it was seen."""

    protocol: str
    source: str
    destination: str
    source_port: int = 0
    destination_port: int = 0
    icmp: str = ""  # type/code

    def __str__(self) -> str:
        """As tcpdump would write it."""
        if self.icmp:
            return f"{self.source} > {self.destination} {self.protocol} {self.icmp}"
        return f"{self.source}:{self.source_port} > {self.destination}:{self.destination_port} {self.protocol}"


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One place on a packet's way.

    `verdict` is "" where it merely passed: the place is then a bracket, as in `forward -1`.
    """

    where: str  # NODE, or the pod in whose namespace it is
    direction: str  # REQUEST, REPLY or ERROR_MESSAGE
    packet: Packet
    interface_in: str
    interface_out: str
    family: str
    table: str
    chain: str
    handle: int  # on the node; 0: the chain's policy
    text: str
    verdict: str

    @property
    def is_bracket(self) -> bool:
        """Whether no rule is behind it."""
        return not self.verdict

    @property
    def is_policy(self) -> bool:
        """Whether the chain's policy decided, and no rule."""
        return self.verdict.startswith("policy")

    @property
    def drops(self) -> bool:
        """Whether the packet ended here."""
        return self.verdict in ("drop", "policy drop")


@dataclass(frozen=True, slots=True)
class Walk:
    """The way of a flow's packets, and how the question ended."""

    flow: Flow
    reply: Reply
    steps: tuple[TraceStep, ...]

    @property
    def stop(self) -> TraceStep | None:
        """The rule or policy that ended a packet of the question; None where none did."""
        return next((s for s in self.steps if s.drops and s.direction != ERROR_MESSAGE), None)

    @property
    def last(self) -> TraceStep | None:
        """The last place at which the question, or its answer, was seen on the node."""
        here = [s for s in self.steps if s.where == NODE and s.direction != ERROR_MESSAGE]
        return next((s for s in reversed(here) if s.direction == REPLY), here[-1] if here else None)

    def dropped(self) -> Dropped:
        """Where it ended, as the drop locator says it."""
        if stop := self.stop:
            return Dropped(stop.family, stop.table, stop.chain, stop.handle, stop.text)
        last = next((s for s in reversed(self.steps) if s.is_bracket and s.direction != ERROR_MESSAGE), None)
        return Dropped(last_seen=last.chain if last else "")
