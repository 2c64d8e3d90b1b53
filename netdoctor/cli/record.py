"""`netdoctor record`: the facts of this node in a file."""

from __future__ import annotations

import click


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
def command(file: str) -> None:
    """Write every fact of this node to FILE (- for standard output), without secrets.

    `netdoctor check --facts FILE` judges it on any machine.
    """
    from netdoctor.catalogue import Catalogue
    from netdoctor.check import look
    from netdoctor.cli_output import waiting, writable, write_file
    from netdoctor.facts import Facts
    from netdoctor.facts.scope import Scope
    from netdoctor.recording import to_json

    if file != "-":
        writable(file)
    with waiting() as watch:
        seen = look(Catalogue.load(), Facts(context=(Scope(False, whole_state=True),)), watch=watch)
    if file == "-":
        click.echo(to_json(seen.facts))
        return
    write_file(file, to_json(seen.facts) + "\n")
    click.echo(f"{file}: judge it with: netdoctor check --facts {file}", err=True)
