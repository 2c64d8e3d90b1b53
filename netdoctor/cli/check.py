"""`netdoctor check`: what is wrong, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from netdoctor.terminal.cluster_options import cluster_access
from netdoctor.terminal.contradictions import never_together
from netdoctor.terminal.recording_options import recording

if TYPE_CHECKING:
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.check import Look
    from netdoctor.diagnosis.traced_cause import TracedCause
    from netdoctor.facts import Facts
    from netdoctor.output.report_format import Format
    from netdoctor.recording.confinement import Judgement

OUTPUTS = ["text", "json", "markdown", "junit", "html"]


@click.command()
@click.option("-o", "--output", type=click.Choice(OUTPUTS), default="text", help="Format of standard output.")
@click.option(
    "--report",
    "report_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Also write the report to this file, in the format that its ending names: .json, .md, .html or .xml "
    "(JUnit). With - it goes to standard output, and the text to standard error.",
)
@recording("Judge", "a recording")
@click.option("-v", "--verbose", is_flag=True, help="Show all evidence and every check as well.")
@click.option("-q", "--quiet", is_flag=True, help="Show the verdict alone.")
@cluster_access
@never_together(("--verbose", "--quiet", "one shows everything, the other the verdict alone"))
@click.pass_context
def command(
    ctx: click.Context, output: str, report_file: str | None, facts_file: str | None, trust_recording: bool,
    verbose: bool, quiet: bool,
) -> None:  # fmt: skip
    """Probe this host and, from test pods, the cluster; name the cause.

    Changes no setting and no rule: it makes one test pod, and deletes it.

    A recording is judged by a process without rights, within 10 seconds and 512 MB.

    \b
    Examples:
      sudo netdoctor check --report report.html
      netdoctor check --facts node.json.gz --report report.md

    Exit status: 0 healthy, 1 faults found, 3 could not tell.
    """
    from netdoctor.terminal.output import STANDARD_OUTPUT, judged_elsewhere, writable

    detail = "all" if verbose else "verdict" if quiet else "summary"
    form = _form(output, report_file)
    _refuse_page_on_terminal(form if report_file == STANDARD_OUTPUT else output)
    if report_file is not None:
        writable(report_file, facts_file)
    if facts_file and not trust_recording:
        options = {"output": output, "detail": detail, "form": form}
        ctx.exit(judged_elsewhere("check", options, facts_file, report_file, "report"))
    ctx.exit(_check(output, detail, report_file, form, facts_file))


def _form(output: str, report_file: str | None) -> Format | None:
    """What --report writes: what the ending names, on standard output what -o names. Raises BadInput."""
    from netdoctor.output.report_format import Format, format_of
    from netdoctor.terminal.output import STANDARD_OUTPUT

    if report_file is None:
        return None
    if report_file == STANDARD_OUTPUT:
        return Format.JSON if output == "text" else Format(output)
    return format_of(report_file)


def _refuse_page_on_terminal(shown: str | None) -> None:
    """Raise BadInput for HTML that would fill a terminal."""
    from netdoctor.errors import BadInput

    if shown == "html" and sys.stdout.isatty():
        raise BadInput("HTML is for a browser: write it to a file with --report report.html")


def _traced(seen: Look, catalogue: Catalogue, *forms: str | None) -> TracedCause | str:
    """The flow that HTML draws, or why there is none; nothing is followed for other formats."""
    from netdoctor.diagnosis.traced_cause import traced_or_reason

    return traced_or_reason(seen, catalogue) if "html" in forms else ""


def _check(output: str, detail: str, report_file: str | None, form: Format | None, facts_file: str | None) -> int:
    """Look at this host, or at a trusted recording, and say what is wrong; the exit status."""
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.check import look
    from netdoctor.output.report_format import Format, document
    from netdoctor.recording.file import from_file
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
        facts = from_file(facts_file, catalogue)
    else:
        if not Host().is_root:
            notices.append("not root: what only root may read is unknown; run it with sudo")
        notices += unfinished_notice()
    with waiting(live=facts is None) as watch:
        seen = look(catalogue, facts, watch=watch)
        traced = _traced(seen, catalogue, output, form)
    report = seen.report(notices, () if facts_file else changes_in_force())
    aside = report_file == STANDARD_OUTPUT
    if report_file and form:
        write_file(report_file, document(report, catalogue, form, traced))
    if output != "text" and not aside:
        click.echo(document(report, catalogue, Format(output), traced), nl=False)
    elif output == "text":
        from netdoctor.output.console import console
        from netdoctor.output.report_text import Detail, render

        console(stderr=aside).print(render(report, catalogue, Detail(detail)), crop=False)
        if report_file and not aside:
            click.echo(one_line(f"report: {report_file}"), err=True)
    return report.exit_code


def judge(
    data: bytes, own_namespace: bool, width: int, colors: bool, output: str, detail: str, form: str | None
) -> Judgement:
    """The report on a recording, in a process that has given up its rights; `form`: of --report. Raises BadInput."""
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.check import look
    from netdoctor.output.layout import rendered
    from netdoctor.output.report_format import Format, document
    from netdoctor.output.report_text import Detail, render
    from netdoctor.recording.confinement import Judgement
    from netdoctor.recording.file import from_json
    from netdoctor.twin.namespace import NOT_ALLOWED

    catalogue = Catalogue.load()
    seen = look(catalogue, from_json(data, catalogue))
    report = seen.report(() if own_namespace else (NOT_ALLOWED,))
    traced = _traced(seen, catalogue, output, form)
    written = document(report, catalogue, Format(form), traced) if form else None
    if output == "text":
        text = rendered(render(report, catalogue, Detail(detail)), width, colors)
    elif written is not None and output == form:
        text = written
    else:
        text = document(report, catalogue, Format(output), traced)
    return Judgement(text, written, report.exit_code)
