"""`netdoctor version`: which one this is."""

from __future__ import annotations

import click

from netdoctor import __version__


@click.command()
def command() -> None:
    """Show the version of netdoctor.

    \b
    Examples:
      netdoctor version
      netdoctor -V

    Exit status: 0.
    """
    click.echo(f"netdoctor {__version__}")
