"""Options that every command has which can judge a recording instead of this node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from netdoctor.terminal.contradictions import never_together, only_with

NO_CLUSTER = "a recording is looked at, and no cluster is asked"
Command = Callable[..., Any]


def recording(verb: str, what: str) -> Callable[[Command], Command]:
    """Add --facts and --trust-recording; the command's help says that it will `verb` `what`.

    The command needs the options of `cluster_access` too.
    """
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
    fits = never_together(*(("--facts", option, NO_CLUSTER) for option in ("--kubeconfig", "--context", "--as-user")))
    needs = only_with(("--trust-recording", "--facts"))
    return lambda command: facts(trust(fits(needs(command))))
