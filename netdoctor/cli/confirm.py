"""`netdoctor confirm`: keep a repair that was made with `fix --confirm`."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Keep the repair that waits to be confirmed (netdoctor fix --confirm SECONDS), so that it is not undone.

    \b
    Examples:
      sudo netdoctor fix --yes --confirm 300
      sudo netdoctor confirm

    Exit status: 0 kept, 3 nothing waits to be confirmed, or it is too late.
    """
    from netdoctor.errors import NetdoctorError
    from netdoctor.redact import one_line
    from netdoctor.repair.confirmation import forget, pending
    from netdoctor.repair.journal import Closed
    from netdoctor.repair.runs import locked, readable_runs
    from netdoctor.terminal.as_root import require_root

    require_root("confirm")
    found = pending()
    if found is None:
        newest = next(iter(readable_runs()[0]), None)
        if newest and newest.closed is Closed.NOT_CONFIRMED:
            raise NetdoctorError(f"nothing waits to be confirmed; run {newest.run} was undone")
        raise NetdoctorError("nothing waits to be confirmed")
    with locked():
        kept = forget(found.run)
        journal = next((journal for journal in readable_runs()[0] if journal.run == found.run), None)
    if not kept and (journal is None or journal.closed in (Closed.NOT_CONFIRMED, Closed.UNDONE)):
        raise NetdoctorError(f"too late: run {found.run} was undone")
    but = (
        "; it was interrupted and is not proved: sudo netdoctor fix --resume" if journal and journal.unfinished else ""
    )
    click.echo(one_line(f"run {found.run} is kept{but}; undo it: sudo netdoctor undo"))
