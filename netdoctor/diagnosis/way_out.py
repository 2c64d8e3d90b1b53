"""A cause's way out: a remedy where one has something to do on this node, else what to type."""

from __future__ import annotations

from dataclasses import replace

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.wanted_changes import planned
from netdoctor.facts import Facts
from netdoctor.model import Diagnosis, NeedsTheNode, Remedy


def with_way_out(catalogue: Catalogue, diagnosis: Diagnosis, facts: Facts) -> Diagnosis:
    """The diagnosis without the remedies that have nothing to do, where its cause has a command.

    A probe may find a fault in several forms, of which its remedies repair some. For a recording that does not tell
    whether one has something to do, it stays.
    """
    if not diagnosis.cause.by_hand:
        return diagnosis
    named = [catalogue.remedies[name] for name in diagnosis.remedies]
    busy = [remedy.name for remedy in named if _has_something_to_do(remedy, diagnosis, facts)]
    return replace(diagnosis, remedies=tuple(busy))


def _has_something_to_do(remedy: Remedy, diagnosis: Diagnosis, facts: Facts) -> bool:
    try:
        changes, _ = planned(remedy, (diagnosis.cause,), facts)
    except NeedsTheNode:
        return True
    return bool(changes)
