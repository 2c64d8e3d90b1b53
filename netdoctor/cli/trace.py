"""`netdoctor trace`: a packet's way through a copy of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netdoctor.terminal.cluster_options import cluster_access
from netdoctor.terminal.contradictions import never_together
from netdoctor.terminal.recording_options import recording

if TYPE_CHECKING:
    from netdoctor.recording.confinement import Judgement
    from netdoctor.tracing.ends import Known
    from netdoctor.tracing.traced import Traced


def _sources(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from netdoctor.terminal.completion import sources

    return sources(incomplete, ctx.params.get("facts_file"))


def _destinations(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    from netdoctor.terminal.completion import destinations

    return destinations(incomplete, ctx.params.get("facts_file"))


@click.command()
@click.argument("source", metavar="SRC", shell_complete=_sources)
@click.argument("destination", metavar="DST", shell_complete=_destinations)
@click.argument("port", metavar="[PORT]", default="")
@click.option("--udp/--tcp", default=None, help="Default: TCP, or UDP for port 53.")
@recording("Copy", "a recorded node")
@click.option(
    "--svg",
    "picture",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Also draw the path into this file; with - into standard output, and the text goes to standard error.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show every step of every packet.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Format of standard output.")
@cluster_access
@never_together(("--svg -", "--output json", "both want standard output; give the picture a file"))
@click.pass_context
def command(
    ctx: click.Context, source: str, destination: str, port: str, udp: bool | None, facts_file: str | None,
    trust_recording: bool, picture: str | None, verbose: bool, output: str,
) -> None:  # fmt: skip
    """Follow a packet through a copy of this node, hook by hook. The node itself is not touched.

    \b
    SRC   a pod ([pod/][NAMESPACE/]NAME, or how it begins), a pod's address,
          host, or outside
    DST   a Service ([svc/][NAMESPACE/]NAME, or NAME.NAMESPACE.svc), a pod,
          an address, node, or internet (8.8.8.8)
    PORT  a number (5432 or 5432/tcp), or the name of a Service's port; also
          as DST:PORT

    \b
    Examples:
      sudo netdoctor trace default/client svc/default/postgres 5432
      netdoctor trace pod/client internet 443 --facts node.json --svg way.svg

    Exit status: 0 it arrived, 1 it was lost, 2 unknown source or destination, 3 could not tell.
    """
    from netdoctor.redact import one_line
    from netdoctor.system.kubeconfig import used
    from netdoctor.terminal.output import STANDARD_OUTPUT, drawable, judged_elsewhere, writable, write_file

    aside = picture == STANDARD_OUTPUT
    if picture is not None:
        drawable(picture)
        writable(picture, facts_file)
    if facts_file and not trust_recording:
        options = {
            "source": source, "destination": destination, "port": port, "udp": udp, "draws": picture is not None,
            "verbose": verbose, "output": output,
        }  # fmt: skip
        ctx.exit(judged_elsewhere("trace", options, facts_file, picture, "picture"))
    known = _known(facts_file, (source, destination))
    asked_by = "" if facts_file else used()
    traced = _trace(known, source, destination, port, _protocol(udp))
    if picture is not None:
        from netdoctor.output.walk_picture import draw

        write_file(picture, draw(traced))
    if output == "json":
        click.echo(_json(traced, asked_by))
    else:
        from netdoctor.output.console import console
        from netdoctor.output.walk_text import render

        console(stderr=aside).print(render(traced, verbose=verbose))
        if asked_by:
            click.echo(one_line(f"kubeconfig {asked_by}"), err=aside)
        if picture is not None and not aside:
            click.echo(one_line(f"picture: {picture}"), err=True)
    ctx.exit(0 if traced.ending.arrived else 1)


def judge(
    data: bytes, own_namespace: bool, width: int, colors: bool, source: str, destination: str, port: str,
    udp: bool | None, draws: bool, verbose: bool, output: str,
) -> Judgement:  # fmt: skip
    """The walk through a copy of a recorded node, in a process that has given up its rights.

    Raises BadInput, CannotRead.
    """
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.errors import CannotRead
    from netdoctor.output.layout import rendered
    from netdoctor.output.walk_picture import draw
    from netdoctor.output.walk_text import render
    from netdoctor.recording.confinement import Judgement
    from netdoctor.recording.file import from_json
    from netdoctor.tracing import reading
    from netdoctor.twin.namespace import NOT_ALLOWED

    known = reading.recorded(from_json(data, Catalogue.load()))
    if not own_namespace:
        raise CannotRead("twin", NOT_ALLOWED)
    traced = _trace(known, source, destination, port, _protocol(udp))
    text = _json(traced) + "\n" if output == "json" else rendered(render(traced, verbose=verbose), width, colors)
    return Judgement(text, draw(traced) if draws else None, 0 if traced.ending.arrived else 1)


def _protocol(udp: bool | None) -> str:
    return "" if udp is None else "udp" if udp else "tcp"


def _json(traced: Traced, kubeconfig: str = "") -> str:
    import json

    from netdoctor.output.walk_json import as_json
    from netdoctor.redact_data import plain

    return json.dumps(plain({**as_json(traced), "kubeconfig": kubeconfig}), indent=1, ensure_ascii=False)


def _known(facts_file: str | None, words: tuple[str, str]) -> Known:
    """What names can stand for, on this host or in a recording."""
    from netdoctor.facts import Facts
    from netdoctor.system.host import Host
    from netdoctor.terminal.output import waiting
    from netdoctor.tracing import reading

    if facts_file:
        from netdoctor.diagnosis.catalogue import Catalogue
        from netdoctor.recording.file import from_file
        from netdoctor.twin.namespace import become_root_of_a_user_namespace

        if not Host().is_root:
            become_root_of_a_user_namespace()  # where it is not allowed, the copy says what it lacks
        return reading.recorded(from_file(facts_file, Catalogue.load()))
    facts = Facts()
    with waiting() as watch:
        if watch:
            watch(facts)
        return reading.live(facts, words)


def _trace(known: Known, source: str, destination: str, port: str, protocol: str) -> Traced:
    from netdoctor.tracing.traced import trace_named

    return trace_named(known, source, destination, port, protocol)
