"""`netdoctor help`: the help of netdoctor, or of a command."""

from __future__ import annotations

import click

from netdoctor.terminal.command_group import CommandGroup


def _commands(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    group = ctx.parent.command if ctx.parent else None
    names = group.list_commands(ctx) if isinstance(group, CommandGroup) else []
    return [name for name in names if name.startswith(incomplete)]


@click.command()
@click.argument("name", metavar="[COMMAND]", default="", shell_complete=_commands)
@click.pass_context
def command(ctx: click.Context, name: str) -> None:
    """Show the list of commands, or the help of COMMAND.

    \b
    Examples:
      netdoctor help
      netdoctor help trace

    Exit status: 0, 2 no such command.
    """
    parent = ctx.parent
    if parent is None or not isinstance(parent.command, CommandGroup):
        raise click.UsageError("it is not in any list of commands")
    if not name:
        click.echo(parent.get_help())
        return
    wanted = parent.command.named_command(parent, name)
    click.echo(wanted.get_help(click.Context(wanted, parent, info_name=name)))
