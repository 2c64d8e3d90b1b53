"""The command line: one file for each command, which has a click command called `command`. No list to edit."""

from __future__ import annotations

import errno
import io
import os
import pkgutil
import signal
import sys
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from types import FrameType
from typing import NoReturn, TextIO

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
    for number in (signal.SIGTERM, signal.SIGQUIT):  # the latter would write all memory to a core file
        signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, _interrupt)
    _open_streams()
    _forget_relative_programs()
    try:
        status = group.main(standalone_mode=False)
        sys.stdout.flush()  # else a full disk would show only when nobody can say it any more
        sys.exit(status)
    except click.ClickException as error:
        _say_json(error.format_message())
        with suppress(OSError):
            error.show()
        sys.exit(2 if isinstance(error, click.UsageError) else error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _say_json("interrupted")
        _say_error("interrupted")
        _let_go(sys.stdout, 1)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(INTERRUPTED)
    except OSError as error:  # a full disk, a closed terminal
        _say_json(str(error))
        _let_go(sys.stdout, 1)
        where = error.filename or ("the output" if error.errno in (errno.ENOSPC, errno.EIO) else "")
        _say_error(f"{where}{': ' if where else ''}{error.strerror or error}")
        sys.exit(3)
    except Exception as error:
        from netdoctor.errors import NetdoctorError
        from netdoctor.redact import redact

        if not isinstance(error, NetdoctorError):
            raise
        _say_json(redact(str(error)))
        _say_error(redact(str(error)))
        sys.exit(error.exit_code)


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


def _forget_relative_programs() -> None:
    """Leave out of PATH what names a place in the working folder, which may be somebody else's checkout."""
    named = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(folder for folder in named if folder.startswith("/"))


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    if number == signal.SIGHUP:  # it comes from the terminal and from the shell, and once is enough
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise KeyboardInterrupt


def _let_go(stream: TextIO, number: int) -> None:
    """Forget what cannot be written: Python would try once more when it ends, and say so."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _say_error(sentence: str) -> None:
    with suppress(OSError):  # nobody can be told
        click.echo(f"netdoctor: {sentence}", err=True)
    _let_go(sys.stderr, 2)


def _say_json(sentence: str) -> None:
    arguments = sys.argv[1:]
    asked = bool({"--output=json", "-ojson"} & set(arguments)) or any(
        pair in (("--output", "json"), ("-o", "json")) for pair in pairwise(arguments)
    )
    if asked:
        import json

        with suppress(OSError):
            click.echo(json.dumps({"schema_version": 1, "error": sentence}))
