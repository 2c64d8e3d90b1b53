"""The twin itself: its namespaces, and questions asked in it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from netdoctor.system.datagram import ask_udp
from netdoctor.system.foreign_text import to_address
from netdoctor.system.patience import patience
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_dns, ask_tcp, in_namespace
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.state import Listener, State

if TYPE_CHECKING:
    from netdoctor.twin.listening import Responder
    from netdoctor.twin.outside import Outside
    from netdoctor.twin.overlay import Overlay

T = TypeVar("T")
NODE, OUTSIDE = "node", "outside"
SILENCE = 0.06  # seconds: delivery inside one machine is immediate, and a dead neighbour is known after 33 ms
DOUBT = 0.2  # a time-out is believed once it lasts so long too: another process may have had the processor
PROMPT = 0.5  # of the time that a question is given; a busy machine takes longer to answer the control question
TURNS = 3  # for what is silent while the control question is not answered promptly
CONTROL = Listener("udp", "127.0.0.1", 7)  # in the outside's namespace, where no rule of the node's is
NEIGHBOUR_MILLISECONDS = 3000  # three questions, a second apart
NAME = "netdoctor-ask.example.com"  # as long as the names that no cache holds


@dataclass(frozen=True, slots=True)
class Flow:
    """A question: from which namespace to which address, protocol and port.

    `beyond` are listeners outside the node that it may meet: its far end, or endpoints on other nodes;
    `in_cluster`: those know the way back to pods; `hosts`: the node that each of them is on, where that is known.
    """

    source: str  # NODE, OUTSIDE, or a pod's namespace/name
    destination: str
    protocol: str
    port: int
    beyond: tuple[Listener, ...] = ()
    in_cluster: bool = False
    source_address: str = ""  # of OUTSIDE: whom it is asked as
    hosts: tuple[tuple[str, str], ...] = ()
    name: str = NAME  # what DNS is asked for: its length may decide; "": an empty datagram is sent

    def __str__(self) -> str:
        """As evidence names it."""
        return f"{self.source} -> {self.destination}:{self.port}/{self.protocol}"


class Twin:
    """A copy of a node's network. Close it, or it goes with the process."""

    outside: Outside
    overlay: Overlay
    responder: Responder

    def __init__(self, state: State) -> None:
        self.state = state
        self.namespaces: dict[str, Namespace] = {}
        self.tracked = 0  # connections that were copied
        self._met: set[tuple[Listener, bool]] = set()

    def run(self, work: Callable[[], T], where: str = NODE) -> T:
        """Do the work in one of its namespaces; commands that it starts run there too."""
        return self.namespaces[where].run(work)

    def ask(self, flow: Flow) -> Reply:
        """How the flow ends here. `milliseconds` mean nothing: nobody waits for a time-out."""
        self.meet(flow)
        reply = self._ask(flow, SILENCE)
        return self._ask(flow, DOUBT) if reply.answer is Answer.TIMEOUT else reply

    def ask_all(self, flows: list[Flow], seconds: float = SILENCE) -> list[Reply]:
        """How each of these ends, asked all at once.

        Silence is believed once a control question, which no rule can stop, was answered promptly beside it.
        """
        for flow in flows:
            self.meet(flow)
        replies, prompt = self._ask_together(flows, seconds)
        for turn in range(1, TURNS):
            silent = [place for place, reply in enumerate(replies) if reply.answer is Answer.TIMEOUT]
            if prompt or not silent:
                break
            again, prompt = self._ask_together([flows[place] for place in silent], seconds * 2**turn)
            for place, reply in zip(silent, again, strict=True):
                replies[place] = reply
        return replies

    def _ask_together(self, flows: list[Flow], seconds: float) -> tuple[list[Reply], bool]:
        """How each ends within so many seconds, and whether a control question was answered promptly."""
        seconds = patience(seconds)
        control = question(CONTROL.address, CONTROL.protocol, CONTROL.port, seconds)
        asked = [(self.namespaces[f.source].path, _question(f, seconds)) for f in flows]
        *replies, controlled = ask_all([*asked, (self.namespaces[OUTSIDE].path, control)], seconds)
        return replies, controlled.answered and controlled.milliseconds <= PROMPT * seconds * 1000

    def begin_all(self, flows: list[Flow], seconds: float) -> list[Future[Reply]]:
        """Ask each of these, and wait for none: its end comes within so many seconds of a quiet machine."""
        for flow in flows:
            self.meet(flow)
        seconds = patience(seconds)
        return [in_namespace(self.namespaces[f.source].path, _question(f, seconds)) for f in flows]

    def _ask(self, flow: Flow, seconds: float) -> Reply:
        return self.namespaces[flow.source].run(_question(flow, patience(seconds)))

    def begin(self, flow: Flow) -> Reply:
        """Ask once and do not doubt the answer: for watching where its packets go."""
        self.meet(flow)
        return self._ask(flow, SILENCE)

    def meet(self, flow: Flow) -> None:
        """Have the outside own what the flow may meet there."""
        if flow.source == OUTSIDE and flow.source_address:
            self._meet_source(flow)
        new = [x for x in flow.beyond if (x, flow.in_cluster) not in self._met]
        self._met |= {(x, flow.in_cluster) for x in new}
        if new:
            self._meet_beyond(new, flow)

    def _meet_source(self, flow: Flow) -> None:
        """Have the outside own whom it asks as, and know a way to the address of the node's that it asks."""
        source, target = to_address(flow.source_address), to_address(flow.destination)
        self.outside.own([source])
        own = {address.ip for _, address in self.state.node.own_addresses()}
        if target in own and not self.outside.knows(target):
            self.outside.know(target, source)

    def _meet_beyond(self, new: list[Listener], flow: Flow) -> None:
        """Have these at the other end of an overlay, or else in the outside unless it is known that they are dead."""
        near = []
        for listener in new:
            is_far = flow.in_cluster and self._meet_over_overlay(listener, flow)
            if not is_far:
                near.append(listener)
        self.outside.own(to_address(x.address) for x in near)
        if flow.in_cluster:
            self.outside.know_pods()
        alive = [x for x in near if to_address(x.address) not in self.outside.dead]
        self.run(lambda: self.responder.listen_all(alive), OUTSIDE)

    def _meet_over_overlay(self, listener: Listener, flow: Flow) -> bool:
        """Have it on its node at the other end of an overlay, unless that is dead; False where it is by no overlay."""
        address, host = to_address(listener.address), dict(flow.hosts).get(listener.address)
        hop = self.overlay.hop(address, to_address(host) if host else None)
        if hop is None:
            return False
        if hop.node not in self.outside.dead:
            self.outside.own([hop.node])
            self.overlay.meet(address, hop).run(lambda: self.responder.listen(listener))
        return True

    def close(self) -> None:
        """Let everything go."""
        responder: Responder | None = getattr(self, "responder", None)
        if responder:
            responder.close()
        overlay: Overlay | None = getattr(self, "overlay", None)
        if overlay:
            overlay.close()
        for namespace in self.namespaces.values():
            namespace.close()


def _question(flow: Flow, seconds: float) -> Callable[[], Reply]:
    return question(flow.destination, flow.protocol, flow.port, seconds, flow.source_address, flow.name)


def question(
    destination: str, protocol: str, port: int, seconds: float, source: str = "", name: str = NAME
) -> Callable[[], Reply]:
    """The question of a flow, to be asked in its namespace, real or not."""
    if protocol == "tcp":
        return lambda: ask_tcp(destination, port, seconds, source=source)
    if not name:
        return lambda: ask_udp(destination, port, seconds, source=source)
    return lambda: ask_dns(destination, name, seconds, port=port, source=source)


def alike(node: Reply, twin: Reply) -> bool:
    """Whether a flow ended in the twin as on the node: kind, and type and code of an ICMP error.

    That something arrived is all that the twin's listeners can say: any answer of a server is one.
    """
    if node.arrived and twin.arrived:
        return (node.answer is Answer.REFUSED) == (twin.answer is Answer.REFUSED)
    if node.answer is Answer.TIMEOUT and node.milliseconds < NEIGHBOUR_MILLISECONDS:
        # a silent neighbour is known after three questions: at once here, on the node when nobody waits any more
        return twin.answer is Answer.TIMEOUT or (
            twin.answer is Answer.HOST_UNREACHABLE and twin.icmp.startswith(("3/1 ", "1/3 "))
        )
    return node.answer is twin.answer and node.icmp.partition(" ")[0] == twin.icmp.partition(" ")[0]
