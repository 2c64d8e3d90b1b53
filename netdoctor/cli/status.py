"""`netdoctor status`: the modules as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netdoctor.terminal.cluster_options import cluster_access

if TYPE_CHECKING:
    from netdoctor.facts import Facts
    from netdoctor.gateways.status import Status
    from netdoctor.model import Report


@click.command()
@click.option(
    "-o", "--output", type=click.Choice(["text", "json", "markdown"]), default="text", help="Format of standard output."
)
@cluster_access
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """Show the state of the gateways: replicas, ports, models, what is wrong, and the cause if it is the network.

    \b
    Examples:
      sudo netdoctor status
      sudo netdoctor status --output markdown

    Exit status: 0 all are well, 1 something is wrong, 3 could not tell, or no modules are deployed.
    """
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.check import look
    from netdoctor.errors import CannotRead
    from netdoctor.facts import Facts
    from netdoctor.gateways.status import read
    from netdoctor.output.console import print_lines
    from netdoctor.output.status_text import markdown, text
    from netdoctor.output.unasked_text import cannot_check
    from netdoctor.system.kubeconfig import used
    from netdoctor.terminal.output import waiting

    facts = Facts()
    try:
        status = read(facts)
    except CannotRead as error:
        why = _without_node(facts) if error.source == "kubeconfig" else ""  # there is none at all
        if output != "text" or not why:
            raise
        print_lines(cannot_check(why, "status"))
        ctx.exit(3)
    asked_by = used()
    with waiting() as watch:
        report = look(Catalogue.load(), facts, watch=watch).report()
    if output == "json":
        click.echo(as_json(status, report, asked_by))
    elif output == "markdown":
        click.echo(markdown(status, report))
    else:
        print_lines([*text(status, report), f"kubeconfig {asked_by}"])
    ctx.exit(max(0 if status.ok else 1, 1 if report.exit_code == 1 else 0) or report.exit_code)


def _without_node(facts: Facts) -> str:
    """Why no API server could be asked on a machine that is not a node; "" on a node, and where one could be asked."""
    from netdoctor.errors import CannotRead
    from netdoctor.facts.cluster.this_node import ThisNode
    from netdoctor.output.unasked_text import without_node

    try:
        facts.get(ThisNode)
    except CannotRead as error:
        return without_node([error.reason])
    return ""


def as_json(status: Status, report: Report, kubeconfig: str) -> str:
    """The modules and the causes in the network, as JSON text."""
    import json
    from dataclasses import asdict

    from netdoctor.redact_data import plain

    causes = [{"probe": each.cause.probe, "summary": each.cause.summary} for each in report.diagnoses]
    whole = {**asdict(status), "kubeconfig": kubeconfig, "causes": causes}
    return json.dumps(plain(whole), indent=1, ensure_ascii=False)
