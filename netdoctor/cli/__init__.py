"""The command line: one file for each command, which has a click command called `command`. No list to edit."""

from __future__ import annotations

import io
import os
import pkgutil
import signal
import sys
from importlib import import_module
from itertools import pairwise
from types import FrameType
from typing import NoReturn

import click

INTERRUPTED = 130


class Commands(click.Group):
    """Finds the commands by their files, and imports only the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The files beside this one."""
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command in the file of this name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"{__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="k8s-netdoctor", prog_name="netdoctor", message="%(prog)s %(version)s")
def group() -> None:
    """Finds the one cause of a Kubernetes node's network fault, repairs it, and proves the repair.

    Exit status: 0 healthy or done, 1 faults found, 2 usage, 3 could not tell or could not do.
    """


def main() -> NoReturn:
    """Run the command line. Every end has an exit status, and with --output json valid JSON on standard output."""
    signal.signal(signal.SIGTERM, _interrupt)
    _open_streams()
    try:
        sys.exit(group.main(standalone_mode=False))
    except click.ClickException as error:
        _say_json(error.format_message())
        error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _say_json("interrupted")
        click.echo("netdoctor: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(INTERRUPTED)
    except Exception as error:
        from netdoctor.errors import NetdoctorError
        from netdoctor.redact import redact

        if not isinstance(error, NetdoctorError):
            raise
        _say_json(redact(str(error)))
        click.echo(f"netdoctor: {redact(str(error))}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a closed terminal
        _say_json(str(error))
        click.echo(f"netdoctor: {error.strerror or error}", err=True)
        sys.exit(3)


def _open_streams() -> None:
    """Where the shell has closed a stream, /dev/null; and no sentence fails for a letter that a terminal lacks."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # else the next file that is opened would be standard output
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _say_json(sentence: str) -> None:
    arguments = sys.argv[1:]
    asked = bool({"--output=json", "-ojson"} & set(arguments)) or any(
        pair in (("--output", "json"), ("-o", "json")) for pair in pairwise(arguments)
    )
    if asked:
        import json

        click.echo(json.dumps({"schema_version": 1, "error": sentence}))
