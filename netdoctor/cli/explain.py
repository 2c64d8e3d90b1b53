"""`netdoctor explain`: the manual page of a probe or remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.model import Probe, Remedy


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """The manual page of a probe or remedy, with its neighbours; without NAME, a list of them all."""
    from netdoctor.diagnosis.catalogue import Catalogue

    catalogue = Catalogue.load()
    if name is None:
        _list("probes", catalogue.probes)
        _list("remedies", catalogue.remedies)
    elif name in catalogue.remedies:
        remedy = catalogue.remedies[name]
        click.echo(f"{remedy.manual.strip()}\n\nfixes: {remedy.fixes}\nrisk: {remedy.risk}")
    elif name in catalogue.probes:
        _show_probe(catalogue, name)
    else:
        raise click.UsageError(f"no probe or remedy is called {name}{_near(name, catalogue.probes)}")


def _list(kind: str, pages: Mapping[str, Probe | Remedy]) -> None:
    """The names of one kind, each with the first line of its page."""
    click.echo(f"{kind}:")
    for name, page in sorted(pages.items()):
        click.echo(f"  {name:32} {page.title}")


def _near(name: str, known: Collection[str]) -> str:
    """Which probes have a word in common with a name that none has, in words; "" for none."""
    words = set(name.split("-"))
    close = [other for other in known if words & set(other.split("-"))]
    return f"; near: {', '.join(close)}" if close else ""


def _show_probe(catalogue: Catalogue, name: str) -> None:
    """The page of a probe, and its neighbours in the catalogue."""
    probe = catalogue.probes[name]
    neighbours = {
        "explained by": [other.name for other in catalogue.probes.values() if name in other.explains],
        "explains": probe.explains,
        "requires": probe.requires,
        "repaired by": [remedy.name for remedy in catalogue.remedies_for(name)],
    }
    click.echo(probe.manual.strip())
    for words, names in neighbours.items():
        if names:
            click.echo(f"\n{words}: {', '.join(sorted(names))}")
