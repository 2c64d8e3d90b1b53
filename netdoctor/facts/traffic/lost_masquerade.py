"""Pods that have lost their masquerade, and that nobody outside answers."""

from __future__ import annotations

from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.node.masquerade import Masquerade, Unmasqueraded
from netdoctor.facts.traffic.names import UpstreamAnswers, UpstreamLookup
from netdoctor.facts.traffic.vantage import VantagePoints


@dataclass(frozen=True, slots=True)
class LostMasquerade:
    """Pods without a masquerade, and what they asked of the outside."""

    pods: tuple[Unmasqueraded, ...]
    asked: tuple[UpstreamLookup, ...]


def lost_masquerade(
    masquerade: Masquerade, points: VantagePoints, answers: UpstreamAnswers | CannotRead
) -> LostMasquerade:
    """The pods that have lost it; none where the outside answers one of them, because a router knows their network."""
    lost = {pod.address for pod in masquerade.missing}
    lookups = () if isinstance(answers, CannotRead) else answers.from_pods()
    asked = tuple(lookup for lookup in lookups if points.named(lookup.vantage).address in lost)
    is_answered = any(lookup.reply.answered for lookup in asked)
    return LostMasquerade(() if is_answered else masquerade.missing, asked)
