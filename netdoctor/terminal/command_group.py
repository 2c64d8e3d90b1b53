"""The commands of a folder, one file each, and the page that lists them in the order in which they are used."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from importlib import import_module

import click

from netdoctor.near_names import near_names

# in the order of use; what a page of help says of each stands here, so that it imports none of them
GROUPS = {
    "Look": {
        "check": "Say what is wrong with this node, and why.",
        "trace": "Follow a packet through a copy of this node.",
        "explain": "Show the manual page of a fault or a repair.",
        "demo": "Show the commands at work on a recorded broken node.",
    },
    "Repair": {
        "fix": "Repair what is wrong, prove it, or roll it back.",
        "confirm": "Keep a repair that waits to be confirmed.",
        "undo": "Undo a repair, to the byte.",
    },
    "LiteLLM gateways": {
        "gate": "Say whether the gateways can be deployed.",
        "deploy": "Deploy the gateways once the gate is open.",
        "status": "Show the state of the gateways.",
    },
    "Share": {
        "record": "Write the facts of this node to a file.",
        "schema": "Print the JSON Schemas of what the commands print.",
    },
    "More": {
        "help": "Show this page, or the help of a command.",
        "version": "Show the version.",
    },
}
MORE = "More"  # where a command stands that has no line above


class CommandGroup(click.Group):
    """Finds the commands by their files, and imports only the one that is asked for."""

    package: str  # the dotted name of the folder with the commands
    path: Sequence[str]  # where it is

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The files in the folder, in the order of use."""
        found = [module.name.replace("_", "-") for module in pkgutil.iter_modules(self.path)]
        known = [name for sentences in GROUPS.values() for name in sentences]
        return [name for name in known if name in found] + sorted(name for name in found if name not in known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command in the file of this name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def named_command(self, ctx: click.Context, name: str) -> click.Command:
        """The command of this name. Raises UsageError, which says which name is near."""
        command = self.get_command(ctx, name)
        if command is not None:
            return command
        near = near_names(name, self.list_commands(ctx))
        raise click.UsageError(f"no such command: {name}" + (f"; did you mean {near[0]}?" if near else ""), ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with, and the arguments behind it. Raises UsageError."""
        if not (ctx.resilient_parsing or args[0].startswith("-")):
            self.named_command(ctx, args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in their groups, each with all of its sentence."""
        left = self.list_commands(ctx)
        width = max(len(name) for name in left)
        for title, sentences in GROUPS.items():
            rows = [(name, sentence) for name, sentence in sentences.items() if name in left]
            left = [name for name in left if name not in sentences]
            if title == MORE:
                rows += [(name, self._first_line(ctx, name)) for name in left]
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), sentence) for name, sentence in rows])

    def _first_line(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return (command.help or "").partition("\n")[0] if command else ""
