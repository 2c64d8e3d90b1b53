"""Checks that do not apply, those with the same reason together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import Result
from netdoctor.redact import one_line


@dataclass(frozen=True, slots=True)
class SameReason:
    """The probes that one reason keeps from a question, and the areas that they belong to."""

    areas: str
    reason: str
    probes: tuple[str, ...]


def by_reason(results: Iterable[Result], catalogue: Catalogue) -> list[SameReason]:
    """Each reason once, in the order in which it is met first; redacted and in one line."""
    found: dict[str, list[str]] = {}
    for result in results:
        found.setdefault(one_line(result.reason), []).append(result.probe)
    return [SameReason(_areas(probes, catalogue), reason, tuple(probes)) for reason, probes in found.items()]


def _areas(probes: list[str], catalogue: Catalogue) -> str:
    return ", ".join(dict.fromkeys(catalogue.probes[probe].area for probe in probes))
