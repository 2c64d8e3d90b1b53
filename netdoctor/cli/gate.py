"""`netdoctor gate`: may the modules go out?"""

from __future__ import annotations

import click


@click.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="What goes to stdout.")
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """Say whether the path that the modules need works: open, closed (with the cause), or not verified.

    Exit status: 0 open, 1 closed, 3 not verified.
    """
    import json
    from dataclasses import asdict

    from netdoctor.catalogue import Catalogue
    from netdoctor.check import look
    from netdoctor.cli_output import waiting
    from netdoctor.gate import judge
    from netdoctor.redact import redact
    from netdoctor.report.schema import plain

    with waiting() as watch:
        seen = look(Catalogue.load(), watch=watch)
    gate = judge(seen.results, seen.diagnoses)
    if output == "json":
        click.echo(json.dumps(plain(asdict(gate)), indent=2, ensure_ascii=False))
        ctx.exit(gate.verdict.exit_code)
    click.echo(f"gate: {str(gate.verdict).upper()}")
    for need in gate.needs:
        sign = {"yes": "✓", "no": "✗", "unknown": "?"}[need.met]
        click.echo(f"  {sign} {need.name}" + (f": {redact(need.reason)}" if need.reason else ""))
    for diagnosis in gate.causes:
        click.echo(f"because: {redact(diagnosis.cause.summary)} ({diagnosis.cause.probe})")
    if gate.causes:
        click.echo("next: sudo netdoctor check, then sudo netdoctor fix --dry-run")
    ctx.exit(gate.verdict.exit_code)
