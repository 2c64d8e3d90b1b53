"""`fix --dry-run --facts`: the repair of a recorded node, planned and rehearsed on its copy, and never made."""

from __future__ import annotations

from dataclasses import replace

import click
from rich.console import Group

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import look
from netdoctor.errors import BadInput
from netdoctor.facts import Facts
from netdoctor.output.console import hanging_line, print_lines
from netdoctor.output.layout import rendered
from netdoctor.output.repair_text import as_json, nothing_made_lines
from netdoctor.recording.confinement import Judgement
from netdoctor.recording.file import from_file, from_json
from netdoctor.redact import one_line
from netdoctor.repair.plan import plan as make_plan
from netdoctor.system.host import Host
from netdoctor.terminal.consent import Agreement, Choices, Rehearsed
from netdoctor.terminal.output import judged_elsewhere
from netdoctor.twin.namespace import NOT_ALLOWED, become_root_of_a_user_namespace

ON_THE_NODE = "sudo netdoctor fix, on the node"


def require_known(names: tuple[str, ...], catalogue: Catalogue) -> None:
    """Raise BadInput for a name that is neither a remedy's nor a probe's."""
    for name in names:
        if name not in catalogue.remedies and name not in catalogue.probes:
            raise BadInput(f"--only {name}: there is no repair or fault of this name: netdoctor explain lists them")


def show_plan(choices: Choices, recording: str, *, resume: bool, trusted: bool) -> int:
    """Plan and rehearse the repair of a recorded node; the exit status.

    Raises UsageError for all but a dry run: a recorded node can only be looked at. Raises BadInput, CannotRead.
    """
    wants_more = choices.yes or choices.confirm or choices.without_rehearsal or choices.rehearse_daemon or resume
    if not choices.dry_run or wants_more:
        raise click.UsageError("a recording cannot be repaired: --facts works with --dry-run and its rehearsal only")
    require_known(choices.only, Catalogue.load())
    if not trusted:
        options = {
            "only": choices.only, "allow_exposure": choices.allow_exposure, "verbose": choices.verbose,
            "output": choices.output,
        }  # fmt: skip
        return judged_elsewhere("fix", options, recording, None, "")
    copies = Host().is_root or become_root_of_a_user_namespace()
    catalogue = Catalogue.load()
    lines, document, status = _planned(catalogue, from_file(recording, catalogue), choices, copies)
    if choices.output == "json":
        click.echo(document)
    else:
        print_lines(lines)
    return status


def judged(data: bytes, choices: Choices, width: int, *, colors: bool, copies: bool) -> Judgement:
    """The plan and its rehearsal for a terminal of so many columns that is elsewhere. Raises BadInput.

    `copies`: whether this process may make a copy of the node; where it may not, the plan is not rehearsed.
    """
    catalogue = Catalogue.load()
    lines, document, status = _planned(catalogue, from_json(data, catalogue), choices, copies)
    shown = Group(*(hanging_line(one_line(line)) for line in lines))
    text = document + "\n" if choices.output == "json" else rendered(shown, width, colors)
    return Judgement(text, None, status)


def _planned(catalogue: Catalogue, facts: Facts, choices: Choices, copies: bool) -> tuple[list[str], str, int]:
    """The plan in lines and as JSON, and the exit status."""
    seen = look(catalogue, facts)
    plan = make_plan(catalogue, seen, only=choices.only)
    lines: list[str] = []
    agreement = Agreement(replace(choices, dry_run=True), lines.extend)
    if plan.to_apply and not copies:
        rehearsed = Rehearsed(None, NOT_ALLOWED.partition(": ")[2])
    else:
        rehearsed = agreement.rehearse(plan, seen)
    agreement.show(plan, seen, rehearsed)
    lines += nothing_made_lines(plan, seen, agreement.refusal(rehearsed), True, ON_THE_NODE)
    document = as_json(plan, None, seen, "", True, rehearsed.rehearsal, rehearsed.why_not)
    return lines, document, max(seen.report().exit_code, 1 if rehearsed.refused else 0)
