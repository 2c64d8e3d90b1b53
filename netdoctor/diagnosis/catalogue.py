"""Every probe and remedy. A file in probes/ or remedies/ is the only registration."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from types import ModuleType
from typing import TypeVar

from netdoctor.model import Access, Area, Change, Finding, Probe, Remedy, Risk

Item = TypeVar("Item", Probe, Remedy)


def _manual(function: Callable[..., object]) -> str:
    return sys.modules[function.__module__].__doc__ or ""


def probe(
    *,
    area: Area,
    healthy: str,
    requires: tuple[str, ...] = (),
    explains: tuple[str, ...] = (),
    symptom: bool = False,
    act: bool = False,
) -> Callable[[Callable[..., Iterator[Finding]]], Probe]:
    """Make a probe of a function that takes facts and yields findings.

    `area` is the line of the report that it belongs to, `healthy` its title where the fault is absent. `requires`
    names the probes that must pass before this question makes sense; `explains` names those that fail because this
    one does; a `symptom` is what users see, and never a cause by itself; an `act` is what somebody did, which the
    remedies of its effects repair. The probe is called as the function (and its
    file), with hyphens.
    """
    return lambda run: Probe(
        run.__name__.replace("_", "-"), run, requires, explains, symptom, _manual(run), area, healthy, act
    )


def remedy(
    *, fixes: str, risk: Risk = Risk.SAFE, opens: tuple[Access, ...] = ()
) -> Callable[[Callable[..., Iterator[Change]]], Remedy]:
    """Make a remedy of a function that takes the findings of the probe it fixes, then facts, and yields changes.

    `opens` says what it is meant to open; a repair that opens anything else is refused after its rehearsal. The plan
    yields what is to do on these facts, whatever the findings: it is tried on copies of the node as well.
    """
    return lambda plan: Remedy(plan.__name__.replace("_", "-"), fixes, plan, risk, _manual(plan), opens)


def _one_per_file(package: ModuleType, kind: type[Item]) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.ispkg:
            continue
        stem = module.name.rpartition(".")[2]
        item = getattr(importlib.import_module(module.name), stem, None)
        if not isinstance(item, kind):
            raise TypeError(f"{module.name} has no {kind.__name__.lower()} called {stem}")
        if item.name in found:
            raise TypeError(f"two files are called {stem}.py")
        found[item.name] = item
    return found


@cache
def _files() -> tuple[dict[str, Probe], dict[str, Remedy]]:
    """Those of the files, found once: a process that has given up its rights may not be able to read them again."""
    import netdoctor.probes
    import netdoctor.remedies

    return _one_per_file(netdoctor.probes, Probe), _one_per_file(netdoctor.remedies, Remedy)


@dataclass(frozen=True)
class Catalogue:
    """The probes and remedies by name, with both graphs checked."""

    probes: dict[str, Probe]
    remedies: dict[str, Remedy]

    @classmethod
    def load(cls) -> Catalogue:
        """Import every file. Raises TypeError, LookupError or CycleError for a catalogue that contradicts itself."""
        probes, remedies = _files()
        return cls.of({**probes}, {**remedies})

    @classmethod
    def of(cls, probes: dict[str, Probe], remedies: dict[str, Remedy]) -> Catalogue:
        """A checked catalogue of the given ones: no unknown name, no cycle (it would hide every finding on it)."""
        named = [(p.name, other) for p in probes.values() for other in (*p.requires, *p.explains)]
        named += [(r.name, r.fixes) for r in remedies.values()]
        for who, other in named:
            if other not in probes:
                raise LookupError(f"{who} names an unknown probe: {other}")
        for relation in ("requires", "explains"):
            try:
                TopologicalSorter({p.name: getattr(p, relation) for p in probes.values()}).prepare()
            except CycleError as error:
                raise LookupError(f"{relation} goes round in a circle: {' -> '.join(error.args[1])}") from error
        return cls(probes, remedies)

    def order(self) -> list[str]:
        """Probe names, each after everything that it requires."""
        return list(TopologicalSorter({p.name: p.requires for p in self.probes.values()}).static_order())

    def causes_first(self) -> list[str]:
        """Probe names, each before everything that it explains."""
        order = TopologicalSorter({p.name: p.explains for p in self.probes.values()}).static_order()
        return list(order)[::-1]

    def remedies_for(self, probe_name: str) -> list[Remedy]:
        """The remedies of one probe, safe ones first, then by name."""
        fitting = [r for r in self.remedies.values() if r.fixes == probe_name]
        return sorted(fitting, key=lambda r: (r.risk is not Risk.SAFE, r.name))
