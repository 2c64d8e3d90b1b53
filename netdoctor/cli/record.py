"""`netdoctor record`: the facts of this node in a file."""

from __future__ import annotations

import click


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
def command(file: str) -> None:
    """Write every fact of this node to FILE, without secrets, for `netdoctor check --facts FILE` elsewhere."""
    from netdoctor.catalogue import Catalogue
    from netdoctor.check import look
    from netdoctor.cli_output import waiting, writable, write_file
    from netdoctor.recording import to_json

    writable(file)
    with waiting() as watch:
        seen = look(Catalogue.load(), watch=watch)
    write_file(file, to_json(seen.facts) + "\n")
    click.echo(f"{file}: judge it with: netdoctor check --facts {file}", err=True)
