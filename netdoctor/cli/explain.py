"""`netdoctor explain`: the manual page of a probe or remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from click.shell_completion import CompletionItem

    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.model import Probe, Remedy

SHORT = {"by", "no", "not", "of"}  # words that say nothing of what a page is about
SURELY_NEAR = 0.8  # of 1: the page of the only name that is so near is shown at once


def _pages(_ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The pages whose names begin so, each with its title."""
    from click.shell_completion import CompletionItem

    from netdoctor.diagnosis.catalogue import Catalogue

    catalogue, begin = Catalogue.load(), incomplete.lower().replace("_", "-")
    pages: dict[str, Probe | Remedy] = {**catalogue.probes, **catalogue.remedies}
    return [CompletionItem(name, help=page.title) for name, page in sorted(pages.items()) if name.startswith(begin)]


@click.command()
@click.argument("name", required=False, shell_complete=_pages)
def command(name: str | None) -> None:
    """The manual page of a probe or remedy, with its neighbours; without NAME, a list of them all.

    \b
    Examples:
      netdoctor explain
      netdoctor explain ip-forward-disabled

    Exit status: 0, 2 no such page.
    """
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.terminal.manual_page import show, show_list

    catalogue = Catalogue.load()
    if name is None:
        show_list(_list(catalogue))
        return
    found = _meant(name, catalogue)
    if found in catalogue.remedies:
        remedy = catalogue.remedies[found]
        show(remedy.manual, {"fixes": [remedy.fixes], "risk": [remedy.risk]})
    else:
        show(catalogue.probes[found].manual, _neighbours(catalogue, catalogue.probes[found]))


def _meant(name: str, catalogue: Catalogue) -> str:
    """The page that a name stands for: its own, or the only one that is near. Raises BadInput."""
    from netdoctor.errors import BadInput
    from netdoctor.redact import one_line

    name = one_line(name.lower().replace("_", "-"))
    if name in catalogue.probes or name in catalogue.remedies:
        return name
    near = _near(name, catalogue.probes) or _near(name, catalogue.remedies)
    if len(near) != 1:
        raise BadInput(
            f"no probe or remedy is called {name}" + (f"; near: {', '.join(near)}" if near else "; explain lists them")
        )
    click.echo(f"no probe or remedy is called {name}; this is {near[0]}:", err=True)
    return near[0]


def _list(catalogue: Catalogue) -> list[str]:
    """The names of all, by their kind, each with the first line of its page."""
    from netdoctor.model import Area

    probes = catalogue.probes.values()
    of_gateways = [probe for probe in probes if probe.area is Area.GATEWAYS]
    others = [probe for probe in probes if probe not in of_gateways]
    return [
        *_section("causes", (probe for probe in others if not probe.symptom)),
        "",
        *_section("symptoms, which a cause explains", (probe for probe in others if probe.symptom)),
        "",
        *_section("what else the LiteLLM gateways need", of_gateways),
        "",
        *_section("remedies", catalogue.remedies.values()),
    ]


def _section(title: str, pages: Iterable[Probe | Remedy]) -> list[str]:
    return [f"{title}:", *(f"  {page.name:32} {page.title}" for page in sorted(pages, key=lambda page: page.name))]


def _near(name: str, known: Collection[str]) -> list[str]:
    """The names that are written nearly so, else those with a word in common."""
    from netdoctor.near_names import near_names

    if near := near_names(name, known, SURELY_NEAR):
        return near
    words = set(name.split("-")) - SHORT
    return [other for other in known if words & set(other.split("-"))]


def _neighbours(catalogue: Catalogue, probe: Probe) -> dict[str, list[str]]:
    """The probes and remedies that have to do with this one, by how."""
    return {
        "explained by": [other.name for other in catalogue.probes.values() if probe.name in other.explains],
        "explains": sorted(set(probe.explains)),
        "requires": sorted(set(probe.requires)),
        "repaired by": [remedy.name for remedy in catalogue.remedies_for(probe.name)],
    }
