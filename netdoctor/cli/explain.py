"""`netdoctor explain`: the manual page of a probe or remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.model import Probe, Remedy


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """The manual page of a probe or remedy, with its neighbours; without NAME, a list of them all."""
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.terminal.manual_page import show, show_list

    catalogue = Catalogue.load()
    if name is None:
        show_list(_list(catalogue))
    elif name in catalogue.remedies:
        remedy = catalogue.remedies[name]
        show(remedy.manual, {"fixes": [remedy.fixes], "risk": [remedy.risk]})
    elif name in catalogue.probes:
        show(catalogue.probes[name].manual, _neighbours(catalogue, catalogue.probes[name]))
    else:
        raise click.UsageError(f"no probe or remedy is called {name}{_near(name, catalogue.probes)}")


def _list(catalogue: Catalogue) -> list[str]:
    """The names of all, by their kind, each with the first line of its page."""
    probes = catalogue.probes.values()
    of_gateways = [probe for probe in probes if _is_of_gateways(probe)]
    others = [probe for probe in probes if probe not in of_gateways]
    return [
        *_section("causes", (probe for probe in others if not probe.symptom)),
        "",
        *_section("symptoms, which a cause explains", (probe for probe in others if probe.symptom)),
        "",
        *_section("what the LiteLLM gateways need besides", of_gateways),
        "",
        *_section("remedies", catalogue.remedies.values()),
    ]


def _section(title: str, pages: Iterable[Probe | Remedy]) -> list[str]:
    return [f"{title}:", *(f"  {page.name:32} {page.title}" for page in sorted(pages, key=lambda page: page.name))]


def _is_of_gateways(probe: Probe) -> bool:
    """Whether a probe judges what the gateways need: it asks which of them there are."""
    from typing import get_args, get_type_hints

    from netdoctor.facts.gateways.gateways import Modules

    return any(Modules in (hint, *get_args(hint)) for hint in get_type_hints(probe.run).values())


def _near(name: str, known: Collection[str]) -> str:
    """Which probes have a word in common with a name that none has, in words; "" for none."""
    words = set(name.split("-"))
    close = [other for other in known if words & set(other.split("-"))]
    return f"; near: {', '.join(close)}" if close else ""


def _neighbours(catalogue: Catalogue, probe: Probe) -> dict[str, list[str]]:
    """The probes and remedies that have to do with this one, by how."""
    return {
        "explained by": [other.name for other in catalogue.probes.values() if probe.name in other.explains],
        "explains": sorted(set(probe.explains)),
        "requires": sorted(set(probe.requires)),
        "repaired by": [remedy.name for remedy in catalogue.remedies_for(probe.name)],
    }
