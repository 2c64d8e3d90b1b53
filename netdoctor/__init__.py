"""netdoctor finds the cause of a Kubernetes node's network fault, repairs it, and proves the repair.

One way through::

    Facts -> Probe -> Finding -> Diagnosis -> Experiment -> Verdict                              (check)
    Verdict -> Plan -> Rehearsal -> consent -> Change -> the same Probe, on new Facts -> confirm     (fix)

- ``facts/``       what was read, one file per source; a probe asks for a fact by the type of its parameter
- ``probes/``      one fault, one file; a probe does no input or output, it judges facts
- ``diagnosis/``   hangs each symptom under the cause that explains it, and tries on copies of the node what cures it
- ``remedies/``    one repair, one file; a remedy yields changes
- ``rehearsal/``   makes them on a copy first
- ``repair/``      writes each one down, makes it, proves it, and rolls it back
- ``changes/``     one kind of edit, one file; each can undo itself, and stands in the journal before it is made

Which room may import which stands in pyproject.toml, and in docs/architecture.md with two pictures.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdoctor.diagnosis.catalogue import probe as probe
    from netdoctor.diagnosis.catalogue import remedy as remedy
    from netdoctor.model import Area as Area
    from netdoctor.model import Change as Change
    from netdoctor.model import Evidence as Evidence
    from netdoctor.model import Finding as Finding
    from netdoctor.model import NotApplicable as NotApplicable
    from netdoctor.model import Risk as Risk
    from netdoctor.model import Severity as Severity
    from netdoctor.model import Subject as Subject
    from netdoctor.values import Values as Values

__version__ = "0.1.0"
EXPORTED = {
    **dict.fromkeys(("probe", "remedy"), "netdoctor.diagnosis.catalogue"),
    **dict.fromkeys(
        ("Area", "Change", "Evidence", "Finding", "NotApplicable", "Risk", "Severity", "Subject"), "netdoctor.model"
    ),
    "Values": "netdoctor.values",
}


def __getattr__(name: str) -> object:
    """What probes and remedies import, when the first of them does: `netdoctor --help` goes without it."""
    from importlib import import_module

    if name in EXPORTED:
        return getattr(import_module(EXPORTED[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
