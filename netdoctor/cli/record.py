"""`netdoctor record`: the facts of this node in a file."""

from __future__ import annotations

import click

from netdoctor.terminal.cluster_options import cluster_access


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@cluster_access
def command(file: str) -> None:
    """Write every fact of this node to FILE (- for standard output; FILE.gz is packed), without secrets.

    `netdoctor check --facts FILE` judges it on any machine. A host that is not known to be a node is recorded with a
    warning.

    \b
    Examples:
      sudo netdoctor record node.json.gz
      ssh NODE sudo netdoctor record - | netdoctor check --facts -

    Exit status: 0 written, 2 no file can be written there, 3 could not be written.
    """
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.diagnosis.check import look
    from netdoctor.errors import CannotRead
    from netdoctor.facts import Facts
    from netdoctor.facts.cluster.this_node import ThisNode
    from netdoctor.facts.gateways.scope import Scope
    from netdoctor.output.console import print_lines
    from netdoctor.output.unasked_text import records_little, without_node
    from netdoctor.recording.file import to_json
    from netdoctor.redact import one_line
    from netdoctor.system.kubeconfig import used
    from netdoctor.terminal.output import waiting, writable, write_file

    if file != "-":
        writable(file)
    with waiting() as watch:
        seen = look(Catalogue.load(), Facts(context=(Scope(False, whole_state=True),)), watch=watch)
    this = seen.facts.known().get(ThisNode)
    if isinstance(this, CannotRead):
        why = without_node([this.reason])
        unknown = f"! the recording tells little, because this host is not known to be a node: {this}"
        print_lines(records_little(why) if why else [unknown], stderr=True)
    if file == "-":
        click.echo(to_json(seen.facts))
        return
    write_file(file, to_json(seen.facts) + "\n", packed=file.endswith(".gz"))
    click.echo(one_line(f"{file}: judge it with: netdoctor check --facts {file}"), err=True)
    if asked_by := used():
        click.echo(one_line(f"kubeconfig {asked_by}"), err=True)
