"""Whether a repair that has to be confirmed is kept: asked on a terminal, and only told where there is none."""

from __future__ import annotations

import click

from netdoctor.output.console import print_lines
from netdoctor.redact import one_line
from netdoctor.repair.confirmation import Kept
from netdoctor.repair.journal import Journal, load
from netdoctor.terminal.confirm_prompt import answered
from netdoctor.terminal.consent import is_on_a_terminal


def kept(made: Journal, seconds: int) -> Kept:
    """What became of a run that is undone after so many seconds. Raises KeyboardInterrupt: its timer goes on."""
    if not is_on_a_terminal():
        print_lines([f"it is undone in {seconds} s, unless: sudo netdoctor confirm"], stderr=True)
        return Kept.PENDING
    try:
        answer = answered(made, lambda line: click.echo(f"\r{one_line(line)} ", err=True, nl=False))
    except KeyboardInterrupt:
        print_lines(["", "not confirmed: it will be undone, unless: sudo netdoctor confirm"], stderr=True)
        raise
    print_lines(["", answer.sentence], stderr=True)
    if answer.kept:
        return Kept.KEPT
    return Kept.NOT_UNDONE if load(made.path).in_force else Kept.UNDONE
