"""`netdoctor undo`: roll a repair back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from netdoctor.terminal.contradictions import never_together

if TYPE_CHECKING:
    from netdoctor.repair.journal import Entry, Journal


def _runs(_ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The runs that begin so and of which something is in force; none where they cannot be read."""
    from netdoctor.errors import JournalError
    from netdoctor.repair.runs import readable_runs

    try:
        journals, _damaged = readable_runs()
    except JournalError:
        return []
    return [journal.run for journal in journals if journal.in_force and journal.run.startswith(incomplete)]


@click.command()
@click.argument("run", required=False, shell_complete=_runs)
@click.option("--list", "list_only", is_flag=True, help="List the runs and how much of each is in force.")
@click.option("--force", is_flag=True, help="Leave alone what somebody else has changed since, and undo the rest.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Format of standard output.")
@never_together(
    ("--list", "--force", "a list undoes nothing"),
    ("--list", "RUN", "the list names every run, and undoes none"),
)
@click.pass_context
def command(ctx: click.Context, run: str | None, list_only: bool, force: bool, output: str) -> None:
    """Undo the newest repair that is in force (or RUN), newest change first, to the byte.

    What somebody else has changed since is never overwritten. An older RUN waits for the newer ones on top of it.

    \b
    Examples:
      sudo netdoctor undo
      sudo netdoctor undo --list

    Exit status: 0 undone or nothing to undo, 2 no such run, 3 not all of it could be undone.
    """
    from netdoctor.errors import BadInput
    from netdoctor.repair.journal import state_folder
    from netdoctor.repair.runs import locked, readable_runs
    from netdoctor.terminal.as_root import require_root

    require_root("undo")
    if list_only:
        _list(*readable_runs(), output)
        return
    if run is not None and run not in [journal.run for journal in readable_runs()[0]]:
        raise BadInput(f"there is no run {run} that can be read: netdoctor undo --list names them")
    if not os.path.lexists(state_folder()):
        _end(output, "nothing to undo", None, [], "")
        return
    with locked():
        ctx.exit(_roll_back(run, force, output))


def _roll_back(run: str | None, force: bool, output: str) -> int:
    """Undo this run, or the newest where it is None; the exit status. Raises JournalError where that is unclear."""
    from netdoctor.errors import JournalError
    from netdoctor.repair.runs import readable_runs

    found, damaged = readable_runs()
    if damaged and run is None:  # the newest may be the damaged one
        raise JournalError(
            f"{damaged[0]}; it may be the newest run: `netdoctor undo RUN` undoes another one, and --list names them"
        )
    run = run or _waiting()
    chosen = next((journal for journal in found if journal.in_force and run in (None, journal.run)), None)
    if chosen is None:
        _end(output, _nothing(run), None, [], "")
        return 0
    refused = _refusal(chosen, found)
    if refused:
        _end(output, f"run {chosen.run} is not undone: {refused}", chosen.run, [], refused)
        return 3
    return _undo(chosen, force, output)


def _waiting() -> str | None:
    """The run that waits to be confirmed: it is the newest, whatever is in force of it."""
    from netdoctor.repair.confirmation import pending

    found = pending()
    return found.run if found else None


def _nothing(run: str | None) -> str:
    """What to say where nothing of the run, or of any, is in force; its timer has nothing to wait for then."""
    from netdoctor.repair.confirmation import forget

    if run and forget(run):
        return f"run {run} is undone: nothing of it was in force"
    return "nothing to undo"


def _refusal(chosen: Journal, found: list[Journal]) -> str:
    """Why a run cannot be undone now, whatever else is chosen; "" where it can."""
    from netdoctor.repair.machine_id import this_machine
    from netdoctor.repair.runs import newer_in_force

    machine = this_machine()
    if machine and chosen.machine and chosen.machine != machine:
        return "it was made on another machine (/etc/machine-id differs): what it changed is not here"
    if newer := newer_in_force(chosen, found):
        run = newer[0].run
        return f"run {run} was made on top of it and is in force: `netdoctor undo {run}` undoes that first"
    return ""


def _undo(journal: Journal, force: bool, output: str) -> int:
    from netdoctor.repair.confirmation import forget
    from netdoctor.repair.undo_run import undo_run
    from netdoctor.terminal.output import Unstopped

    lines: list[str] = []
    echo = Unstopped(_echo)

    def say(line: str) -> None:
        lines.append(line)
        if output == "text":
            echo(line)

    undone = undo_run(journal, say, force=force)
    if not journal.in_force:
        forget(journal.run)  # not before: who is killed here leaves the rest to the timer
    echo.end()
    _end(output, undone.sentence, journal.run, lines, undone.stuck)
    return 0 if undone.whole else 3


def _end(output: str, sentence: str, run: str | None, lines: list[str], stuck: str) -> None:
    if output == "json":
        _echo_json({"schema_version": 1, "run": run, "undone": not stuck, "says": [*lines, sentence]})
    else:
        _echo(sentence)


def _list(journals: list[Journal], damaged: list[str], output: str) -> None:
    if output == "json":
        _echo_json({"schema_version": 1, "runs": [_as_json(journal) for journal in journals], "damaged": damaged})
        return
    for journal in journals:
        _show(journal)
    for sentence in damaged:
        _echo(f"damaged: {sentence}")
    if not journals and not damaged:
        _echo("no run")


def _as_json(journal: Journal) -> dict[str, Any]:
    made = _made(journal)
    return {
        "run": journal.run,
        "started": journal.started,
        "by": journal.by or None,
        "end": journal.closed or "unfinished",
        "changes": [
            {"step": e.step, "describe": e.change.describe(), "state": e.state, "in_force": e in made}
            for e in journal.entries
        ],
    }


def _show(journal: Journal) -> None:
    by = f"  by {journal.by}" if journal.by else ""
    in_force = f"{len(_made(journal))} of {len(journal.entries)} changes in force"
    _echo(f"{journal.run}  {journal.started}{by}  {journal.closed or 'unfinished'}, {in_force}")
    for entry in journal.entries:
        _echo(f"  {entry.state}: {entry.change.describe()}")


def _made(journal: Journal) -> list[Entry]:
    """What of a run is in force."""
    return [entry for entry in journal.in_force if not journal.never_made(entry)]


def _echo(line: str) -> None:
    from netdoctor.output.console import print_lines

    print_lines([line])


def _echo_json(whole: dict[str, Any]) -> None:
    import json

    from netdoctor.redact_data import plain

    click.echo(json.dumps(plain(whole), indent=1, ensure_ascii=False))
