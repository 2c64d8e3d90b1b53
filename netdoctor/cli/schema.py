"""`netdoctor schema`: the JSON Schemas of what the commands print."""

from __future__ import annotations

import click


def _names(_ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from netdoctor.output.json_schemas import NAMES

    return [name for name in NAMES if name.startswith(incomplete)]


@click.command()
@click.argument("name", metavar="[NAME]", default="", shell_complete=_names)
def command(name: str) -> None:
    """Print the JSON Schema NAME; without a NAME the list of all.

    \b
    Examples:
      netdoctor schema
      netdoctor schema report

    Exit status: 0, 2 no such schema.
    """
    from netdoctor.errors import BadInput
    from netdoctor.output.json_schemas import NAMES, stored

    if not name:
        width = max(map(len, NAMES))
        for known, about in NAMES.items():
            click.echo(f"{known:{width}}  {about}")
        return
    if name not in NAMES:
        raise BadInput(f"there is no schema {name}: netdoctor schema lists them")
    click.echo(stored(name), nl=False)
