"""`netdoctor gate`: may the modules go out?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netdoctor.terminal.cluster_options import cluster_access
from netdoctor.terminal.contradictions import never_together
from netdoctor.terminal.recording_options import recording

if TYPE_CHECKING:
    from netdoctor.diagnosis.gate import Gate
    from netdoctor.recording.confinement import Judgement


@click.command()
@click.option("-k", "--kustomization", metavar="DIR", help="Folder with the manifests; default, without sudo: ./k8s.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Format of standard output.")
@recording("Judge", "a recording")
@cluster_access
@never_together(("--facts", "--kustomization", "a recording says what the modules of its own cluster need"))
@click.pass_context
def command(
    ctx: click.Context, kustomization: str | None, output: str, facts_file: str | None, trust_recording: bool
) -> None:
    """Say whether all that the modules need is available: open, closed (with the cause), or not verified.

    Without manifests it tests what the modules in the cluster need; without modules, only the network.

    \b
    Examples:
      sudo netdoctor gate
      sudo netdoctor gate --kustomization k8s --output json

    Exit status: 0 open, 1 closed, 2 the manifests or the recording cannot be read, 3 not verified.
    """
    from netdoctor.output.console import print_lines
    from netdoctor.output.gate_text import render
    from netdoctor.system.kubeconfig import used
    from netdoctor.terminal.output import judged_elsewhere

    if facts_file and not trust_recording:
        ctx.exit(judged_elsewhere("gate", {"output": output}, facts_file, None, ""))
    gate = _of_trusted(facts_file) if facts_file else _of_this_node(kustomization)
    kubeconfig = "" if facts_file else used()
    if output == "json":
        click.echo(_json(gate, kubeconfig))
    else:
        print_lines([*render(gate), *([f"kubeconfig {kubeconfig}"] if kubeconfig else [])])
    ctx.exit(gate.verdict.exit_code)


def _of_this_node(kustomization: str | None) -> Gate:
    """Ask for what these modules need, or those in the cluster."""
    from netdoctor.diagnosis.gate import ask
    from netdoctor.errors import CannotRead
    from netdoctor.facts.gateways.kustomization import EnvMissing, Kustomization, chosen
    from netdoctor.redact import one_line
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
        return ask(built, watch, unbuilt=unbuilt)


def _of_trusted(facts_file: str) -> Gate:
    """Judge a recording in this process. Raises BadInput, CannotRead."""
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.gate import ask_recorded
    from netdoctor.recording.file import from_file
    from netdoctor.system.host import Host
    from netdoctor.twin.namespace import become_root_of_a_user_namespace

    if not Host().is_root:
        become_root_of_a_user_namespace()  # for copies of the recorded node
    return ask_recorded(from_file(facts_file, Catalogue.load()))


def _json(gate: Gate, kubeconfig: str) -> str:
    from netdoctor.output.gate_json import gate_document
    from netdoctor.output.json_text import as_data, json_text

    return json_text(as_data(gate_document(gate, kubeconfig)))


def judge(data: bytes, _own_namespace: bool, width: int, colors: bool, output: str) -> Judgement:
    """The verdict on a recorded node, in a process that has given up its rights. Raises BadInput."""
    from rich.console import Group

    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.gate import ask_recorded
    from netdoctor.output.console import hanging_line
    from netdoctor.output.gate_text import render
    from netdoctor.output.layout import rendered
    from netdoctor.recording.confinement import Judgement
    from netdoctor.recording.file import from_json
    from netdoctor.redact import one_line

    gate = ask_recorded(from_json(data, Catalogue.load()))
    if output == "json":
        text = _json(gate, "") + "\n"
    else:
        text = rendered(Group(*(hanging_line(one_line(line)) for line in render(gate))), width, colors)
    return Judgement(text, None, gate.verdict.exit_code)
