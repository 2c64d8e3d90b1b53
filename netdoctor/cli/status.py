"""`netdoctor status`: the modules as they are now."""

from __future__ import annotations

import click

from netdoctor.terminal.cluster_options import cluster_access


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
    import json
    from dataclasses import asdict

    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.check import look
    from netdoctor.facts import Facts
    from netdoctor.gateways.status import read
    from netdoctor.output.console import print_lines
    from netdoctor.output.status_text import markdown, text
    from netdoctor.redact_data import plain
    from netdoctor.system.kubeconfig import used
    from netdoctor.terminal.output import waiting

    facts = Facts()
    status = read(facts)
    asked_by = used()
    with waiting() as watch:
        report = look(Catalogue.load(), facts, watch=watch).report()
    if output == "json":
        causes = [{"probe": d.cause.probe, "summary": d.cause.summary} for d in report.diagnoses]
        click.echo(
            json.dumps(
                plain({**asdict(status), "kubeconfig": asked_by, "causes": causes}), indent=1, ensure_ascii=False
            )
        )
    elif output == "markdown":
        click.echo(markdown(status, report))
    else:
        print_lines([*text(status, report), f"kubeconfig {asked_by}"])
    ctx.exit(max(0 if status.ok else 1, 1 if report.exit_code == 1 else 0) or report.exit_code)
