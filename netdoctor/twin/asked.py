"""A flow that failed on the node, to be asked in copies."""

from __future__ import annotations

from dataclasses import dataclass

from netdoctor.system.traffic import Reply
from netdoctor.twin.twin import Flow

PATIENCE = 0.08  # seconds of silence; a time-out that is believed too soon loses a cure, and never invents one


@dataclass(frozen=True, slots=True)
class Asked:
    """A flow as it failed on the node."""

    name: str
    flow: Flow
    reply: Reply

    def passes(self, reply: Reply) -> bool:
        """Whether it would be cured by this reply: any answer, but no refusal where a refusal was the failure."""
        return reply.answered if self.reply.arrived else reply.arrived
