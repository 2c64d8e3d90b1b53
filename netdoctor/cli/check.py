"""`netdoctor check`: what is wrong, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netdoctor.terminal.cluster_options import cluster_access
from netdoctor.terminal.recording_options import recording

if TYPE_CHECKING:
    from netdoctor.facts import Facts
    from netdoctor.recording.confinement import Judgement


@click.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Format of standard output.")
@click.option(
    "--report",
    "report_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Also write the JSON report to this file; with - to standard output, and the text to standard error.",
)
@recording("Judge", "a recording")
@click.option("-v", "--verbose", is_flag=True, help="Show all evidence and every check as well.")
@click.option("-q", "--quiet", is_flag=True, help="Show the verdict alone.")
@cluster_access
@click.pass_context
def command(
    ctx: click.Context, output: str, report_file: str | None, facts_file: str | None, trust_recording: bool,
    verbose: bool, quiet: bool,
) -> None:  # fmt: skip
    """Probe this host and, from test pods, the cluster; name the cause. Changes nothing.

    A recording is judged by a process without rights, within 10 seconds and 512 MB.

    \b
    Examples:
      sudo netdoctor check
      netdoctor check --facts node.json.gz --report report.json

    Exit status: 0 healthy, 1 faults found, 3 could not tell.
    """
    from netdoctor.terminal.output import judged_elsewhere, writable

    if verbose and quiet:
        raise click.UsageError("-v and -q contradict each other")
    detail = "all" if verbose else "verdict" if quiet else "summary"
    if report_file is not None:
        writable(report_file, facts_file)
    if facts_file and not trust_recording:
        options = {"output": output, "detail": detail, "wants_report": report_file is not None}
        ctx.exit(judged_elsewhere("check", options, facts_file, report_file, "report"))
    ctx.exit(_check(output, detail, report_file, facts_file))


def _check(output: str, detail: str, report_file: str | None, facts_file: str | None) -> int:
    """Look at this host, or at a trusted recording, and say what is wrong; the exit status."""
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.check import look
    from netdoctor.output.report_json import to_json
    from netdoctor.recording.file import from_json
    from netdoctor.recording.named_file import read_recording
    from netdoctor.redact import one_line
    from netdoctor.repair.runs import changes_in_force, unfinished_notice
    from netdoctor.system.host import Host
    from netdoctor.terminal.output import STANDARD_OUTPUT, waiting, write_file
    from netdoctor.twin.namespace import become_root_of_a_user_namespace

    catalogue = Catalogue.load()
    facts: Facts | None = None
    notices: list[str] = []
    if facts_file:
        if not Host().is_root:
            become_root_of_a_user_namespace()  # for copies of the recorded node; where refused, the report says so
        facts = from_json(read_recording(facts_file), catalogue)
    else:
        if not Host().is_root:
            notices.append("not root: what only root may read is unknown; run it with sudo")
        notices += unfinished_notice()
    with waiting(live=facts is None) as watch:
        seen = look(catalogue, facts, watch=watch)
    report = seen.report(notices, () if facts_file else changes_in_force())
    aside = report_file == STANDARD_OUTPUT
    if report_file:
        write_file(report_file, to_json(report) + "\n")
    if output == "json" and not aside:
        click.echo(to_json(report))
    elif output == "text":
        from netdoctor.output.console import console
        from netdoctor.output.report_text import Detail, render

        console(stderr=aside).print(render(report, catalogue, Detail(detail)), crop=False)
        if report_file and not aside:
            click.echo(one_line(f"report: {report_file}"), err=True)
    return report.exit_code


def judge(
    data: bytes, own_namespace: bool, width: int, colors: bool, output: str, detail: str, wants_report: bool
) -> Judgement:
    """The report on a recording, in a process that has given up its rights. Raises BadInput."""
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.check import look
    from netdoctor.output.layout import rendered
    from netdoctor.output.report_json import to_json
    from netdoctor.output.report_text import Detail, render
    from netdoctor.recording.confinement import Judgement
    from netdoctor.recording.file import from_json
    from netdoctor.twin.namespace import NOT_ALLOWED

    catalogue = Catalogue.load()
    report = look(catalogue, from_json(data, catalogue)).report(() if own_namespace else (NOT_ALLOWED,))
    document = to_json(report) + "\n" if wants_report or output == "json" else None
    text = (
        document
        if document and output == "json"
        else rendered(render(report, catalogue, Detail(detail)), width, colors)
    )
    return Judgement(text, document if wants_report else None, report.exit_code)
