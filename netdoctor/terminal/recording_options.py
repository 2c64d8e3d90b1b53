"""Options that every command has which can judge a recording instead of this node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]


def recording(verb: str, what: str) -> Callable[[Command], Command]:
    """Add --facts and --trust-recording; the command's help says that it will `verb` `what`."""
    facts = click.option(
        "--facts",
        "facts_file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, allow_dash=True),
        help=f"{verb} {what} instead. - is standard input, and gzip is unpacked.",
    )
    trust = click.option(
        "--trust-recording", is_flag=True, help=f"{verb} it with this user's rights and without limits."
    )
    return lambda command: facts(trust(command))
