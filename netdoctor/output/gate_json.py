"""The gate's verdict as a JSON document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netdoctor.diagnosis.gate import Gate, Need, Verdict
from netdoctor.output.report_document import CauseEntry
from netdoctor.output.report_sections import cause_entries


@dataclass(frozen=True, slots=True)
class GateDocument:
    """What `netdoctor gate` has found."""

    verdict: Verdict
    reason: str  # the first cause, or what could not be asked; "" when open
    needs: tuple[Need, ...]
    causes: tuple[CauseEntry, ...]  # as in a report
    source: str  # where the modules are described
    namespace: str
    modules: tuple[str, ...]
    asked_from: str
    seconds: float
    kubeconfig: str
    schema_version: Literal[2]


def gate_document(gate: Gate, kubeconfig: str) -> GateDocument:
    """The document of a gate that asked by this kubeconfig."""
    return GateDocument(
        verdict=gate.verdict,
        reason=gate.reason,
        needs=gate.needs,
        causes=cause_entries(gate.causes),
        source=gate.source,
        namespace=gate.namespace,
        modules=gate.modules,
        asked_from=gate.asked_from,
        seconds=gate.seconds,
        kubeconfig=kubeconfig,
        schema_version=2,
    )
