"""The node's network as the kernel has it: what its twin is made of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.gateways.scope import Scope
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.system.host import Host
from netdoctor.twin import recorded_state
from netdoctor.twin.capture import capture
from netdoctor.twin.state import State

SOURCE = "network state"
MOST_PODS = 40  # on a node with more, the twin has those that were asked, and the first of the others


@dataclass(frozen=True, slots=True)
class NodeNetwork:
    """network state of the node and its pods"""

    state: State

    @classmethod
    def collect(
        cls, host: Host, points: VantagePoints, attachments: Attachments, failed: FailedFlows, scope: Scope
    ) -> NodeNetwork:
        """Read it after the flows were asked, and only where one failed or a recording wants it. Raises CannotRead."""
        if not failed.items and not scope.whole_state:
            raise CannotRead(SOURCE, "not read, because no flow has failed")
        if not host.is_root:
            raise CannotRead(SOURCE, "not root", Why.NOT_PERMITTED)
        pods = {f"{p.namespace}/{p.pod}": (p.netns, p.address) for p in points.pods}
        others = {
            f"{a.namespace}/{a.pod}": (a.netns, a.addresses[0])
            for a in attachments.pods
            if os.path.exists(a.netns)  # noqa: PTH110 - a bare path of the runtime's
        }
        others = {name: where for name, where in others.items() if name not in pods}
        room = max(0, MOST_PODS - len(pods))
        pods |= dict(list(others.items())[:room])
        return cls(capture(pods, list(others)[room:]))

    def recorded(self) -> dict[str, Any]:
        """As JSON."""
        return recorded_state.recorded(self.state)

    @classmethod
    def replayed(cls, stored: Any) -> NodeNetwork:
        """What `recorded` gave. Raises BadInput."""
        return cls(recorded_state.replayed(stored))
