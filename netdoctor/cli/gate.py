"""`netdoctor gate`: may the modules go out?"""

from __future__ import annotations

import click

from netdoctor.terminal.cluster_options import cluster_access


@click.command()
@click.option("-k", "--kustomization", metavar="DIR", help="Folder with the manifests; default, without sudo: ./k8s.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Format of standard output.")
@cluster_access
@click.pass_context
def command(ctx: click.Context, kustomization: str | None, output: str) -> None:
    """Say whether all that the modules need is available: open, closed (with the cause), or not verified.

    Without manifests it tests what the modules in the cluster need; without modules, only the network.

    \b
    Examples:
      sudo netdoctor gate
      sudo netdoctor gate --kustomization k8s --output json

    Exit status: 0 open, 1 closed, 2 the manifests cannot be read, 3 not verified.
    """
    from netdoctor.diagnosis.gate import ask
    from netdoctor.errors import CannotRead
    from netdoctor.facts.gateways.kustomization import EnvMissing, Kustomization, chosen
    from netdoctor.output.console import print_lines
    from netdoctor.output.gate_json import gate_document
    from netdoctor.output.gate_text import render
    from netdoctor.output.json_text import as_data, json_text
    from netdoctor.redact import one_line
    from netdoctor.system.kubeconfig import used
    from netdoctor.terminal.output import waiting

    (folder, doubt), built, unbuilt = chosen(kustomization), None, None
    if doubt:
        click.echo(
            one_line(f"netdoctor: {folder} is not read, because {doubt}: --kustomization {folder} names it"), err=True
        )
        folder = ""
    if folder or kustomization is not None:
        try:
            built = Kustomization.build(folder)
        except (EnvMissing, CannotRead) as error:  # the network can still be asked
            unbuilt = error
    with waiting() as watch:
        gate = ask(built, watch, unbuilt=unbuilt)
    if output == "json":
        click.echo(json_text(as_data(gate_document(gate, used()))))
    else:
        print_lines([*render(gate), *([f"kubeconfig {used()}"] if used() else [])])
    ctx.exit(gate.verdict.exit_code)
