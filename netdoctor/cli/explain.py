"""`netdoctor explain`: the manual page of a probe or remedy."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """The manual page of a probe or remedy, with its neighbours; without NAME, a list of them all."""
    from netdoctor.diagnosis.catalogue import Catalogue

    catalogue = Catalogue.load()
    if name is None:
        for kind, pages in (
            ("probes", {p.name: p.title for p in catalogue.probes.values()}),
            ("remedies", {r.name: r.title for r in catalogue.remedies.values()}),
        ):
            click.echo(f"{kind}:")
            for page, title in sorted(pages.items()):
                click.echo(f"  {page:32} {title}")
        return
    if name in catalogue.remedies:
        remedy = catalogue.remedies[name]
        click.echo(f"{remedy.manual.strip()}\n\nfixes: {remedy.fixes}\nrisk: {remedy.risk}")
        return
    if name not in catalogue.probes:
        close = [known for known in catalogue.probes if set(name.split("-")) & set(known.split("-"))]
        raise click.UsageError(
            f"no probe or remedy is called {name}" + (f"; near: {', '.join(close)}" if close else "")
        )
    probe = catalogue.probes[name]
    click.echo(probe.manual.strip())
    causes = [other.name for other in catalogue.probes.values() if name in other.explains]
    for words, names in (
        ("explained by", causes),
        ("explains", probe.explains),
        ("requires", probe.requires),
        ("repaired by", [remedy.name for remedy in catalogue.remedies_for(name)]),
    ):
        if names:
            click.echo(f"\n{words}: {', '.join(sorted(names))}")
