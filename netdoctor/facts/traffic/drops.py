"""Where packets that were not answered end: the rule that drops them, found by sending them once more.

They are sent in a twin of the node, so that the node's own rules stay untouched; only what the twin shows differently
is traced on the node itself. Nothing is traced where everything is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from netdoctor.errors import CannotRead, Why
from netdoctor.facts import Finalizers
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.facts.traffic.failed_flows import FailedFlow, FailedFlows, refused_by_routing
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host
from netdoctor.system.legacy_iptables import grown, legacy_counters
from netdoctor.system.nft_trace import Dropped, trace
from netdoctor.system.trace_table import remove, sweep
from netdoctor.system.traffic import in_namespace

SECONDS = 0.15  # enough for a packet that is dropped at once


@dataclass(frozen=True, slots=True)
class Drop:
    """A flow that is not answered, and where its packets end."""

    flow: str
    kind: str
    dropped: Dropped
    legacy: str = ""  # the rule of legacy iptables whose counter moved meanwhile
    route: str = ""  # why routing refuses the packet, in the words of `ip route get`, "" where it does not
    destination: str = ""


@dataclass(frozen=True, slots=True)
class Drops:
    """where unanswered packets end"""

    without_experiments: ClassVar[bool] = True  # then all is traced on the node itself
    items: tuple[Drop, ...]

    @classmethod
    def collect(
        cls,
        host: Host,
        failed: FailedFlows,
        experiments: Experiments | CannotRead,
        cni: CniConfig,
        finalizers: Finalizers,
    ) -> Drops:
        """Where each failed flow ended in the twin; what passes there is traced on the node. Raises CannotRead."""
        sweep(host)
        if not failed.items:
            if not failed.asked:
                raise CannotRead("nftables trace", "no pod could be asked, so no packet was lost")
            return cls(())
        known = {} if isinstance(experiments, CannotRead) else {t.flow: t for t in experiments.trials if t.alike}
        rest = [flow for flow in failed.items if flow.name not in known]
        pairs = ((flow, known[flow.name]) for flow in failed.items if flow.name in known)
        found = [Drop(f.name, f.kind, t.dropped, t.legacy, t.route, f.destination) for f, t in pairs]
        return cls((*found, *_on_the_node(host, rest, cni.bridge, finalizers)))


def _on_the_node(host: Host, flows: list[FailedFlow], bridge: str, finalizers: Finalizers) -> Iterator[Drop]:
    """Trace these on the node itself, each in a table of ours that marks this flow alone. Raises CannotRead."""
    flows = [flow for flow in flows if ":" not in flow.destination]
    if not flows:
        return
    if not host.is_root:
        raise CannotRead("nftables trace", "not root", Why.NOT_PERMITTED)
    if not kernel_modules.present("nf_tables"):
        yield from _by_legacy_counters(host, flows)
        return
    finalizers.add(lambda: remove(host))  # Ctrl-C ends the thread that would take the table away
    for flow in flows:
        before = legacy_counters(host)
        dropped = trace(host, flow.source, flow.destination, flow.protocol, flow.port, partial(_ask, flow))
        moved = grown(before, legacy_counters(host)) if not dropped.by_rule else ""
        refused = "" if dropped.by_rule or moved else refused_by_routing(host, flow, bridge)
        yield Drop(flow.name, flow.kind, dropped, moved, refused, flow.destination)


def _by_legacy_counters(host: Host, flows: list[FailedFlow]) -> Iterator[Drop]:
    """The rules of legacy iptables whose counters move, where nothing can be traced. Raises CannotRead without one."""
    for flow in flows:
        before = legacy_counters(host)
        in_namespace(flow.netns, flow.ask(SECONDS)).result()
        moved = grown(before, legacy_counters(host))
        if not moved:
            kernel_modules.require("nf_tables", "nftables trace")
        yield Drop(flow.name, flow.kind, Dropped(), moved, "", flow.destination)


def _ask(flow: FailedFlow) -> object:
    return in_namespace(flow.netns, flow.ask(SECONDS))
