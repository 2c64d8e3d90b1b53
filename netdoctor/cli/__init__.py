"""The command line: one file for each command, which has a click command called `command`. No list to edit."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
from contextlib import suppress
from itertools import pairwise
from types import FrameType
from typing import NoReturn, TextIO

import click

from netdoctor import __version__
from netdoctor.terminal.ascii_signs import register
from netdoctor.terminal.command_group import CommandGroup

INTERRUPTED = 130
DETAILS = "NETDOCTOR_TRACEBACK"  # the variable that has a mistake of netdoctor's own shown in full
REPORT_TO = "the project's issues, as README says under Help it learn"


class Commands(CommandGroup):
    """The commands in the files beside this one."""

    package, path = __name__, __path__


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="netdoctor", message="%(prog)s %(version)s")
def group() -> None:
    """Find the cause of a Kubernetes node's network fault, repair it, and prove the repair.

    \b
    Examples:
      sudo netdoctor check              what is wrong, and why
      sudo netdoctor fix --dry-run      what would be changed
      netdoctor help fix                the help of a command

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
    from netdoctor.system.output_gate import Unchecked, install

    install()
    threading.excepthook = _thread_ended
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as __main__ leaves it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        status = group.main(standalone_mode=False)
        sys.stdout.flush()  # else a full disk would show only when nobody can say it any more
        sys.stderr.flush()
        sys.exit(status)
    except Unchecked as error:
        _say_unchecked(str(error))
        sys.exit(3)
    except Exception as error:
        try:
            sys.exit(_say(error))
        except Unchecked as unchecked:
            _say_unchecked(str(unchecked))
            sys.exit(3)
    except KeyboardInterrupt:
        sys.exit(_say(click.Abort()))


def _say(error: Exception) -> int:
    """Tell what ended the command, in one sentence; the exit status that belongs to it."""
    from netdoctor.errors import NetdoctorError

    if isinstance(error, click.ClickException):
        _say_document(error.format_message())
        with suppress(OSError):
            error.show()
        _let_go(sys.stderr, 2)
        return 2 if isinstance(error, click.UsageError) else error.exit_code
    if isinstance(error, click.Abort):
        _say_document("interrupted")
        _say_error("interrupted")
        _let_go(sys.stdout, 1)
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()
        return INTERRUPTED
    if isinstance(error, OSError):  # a full disk, a closed terminal
        where = error.filename or ("the output" if error.errno in (errno.ENOSPC, errno.EIO) else "")
        _say_document(str(error))
        _let_go(sys.stdout, 1)
        _say_error(f"{where}{': ' if where else ''}{error.strerror or error}")
        return 3
    sentence = str(error) if isinstance(error, NetdoctorError) else _unexpected(error)
    _say_document(sentence)
    _say_error(sentence)
    _let_go(sys.stdout, 1)
    return error.exit_code if isinstance(error, NetdoctorError) else 3


def _unexpected(error: BaseException) -> str:
    """One sentence on a mistake of netdoctor's own, and the way to its details."""
    last = None
    place = error.__traceback__
    while place is not None:
        if "netdoctor" in place.tb_frame.f_code.co_filename:
            last = place
        place = place.tb_next
    where = f" in {os.path.basename(last.tb_frame.f_code.co_filename)}, line {last.tb_lineno}" if last else ""  # noqa: PTH119
    if os.environ.get(DETAILS):
        import traceback

        with suppress(OSError):
            click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    return (
        f"a bug in netdoctor ended it ({type(error).__name__}{where}); report it to {REPORT_TO}, "
        f"with its output when {DETAILS}=1 is in the environment"
    )


def _thread_ended(arguments: threading.ExceptHookArgs) -> None:
    """A thread that ends by a mistake is told in one sentence, as the whole is."""
    if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
        with suppress(Exception):
            _say_error(_unexpected(arguments.exc_value))


def _say_unchecked(sentence: str) -> None:
    """Output that could not be checked for secrets: nothing of it is written, only this fixed sentence."""
    from netdoctor.system.output_gate import GuardedStream

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, GuardedStream):
            told = (
                f'{{"schema_version": 1, "error": "{sentence}"}}' if stream is sys.stdout else f"netdoctor: {sentence}"
            )
            if stream is sys.stderr or (_asked("json") and not stream.wrote):
                stream.say_unchecked(told)


def _open_streams() -> None:
    """Where the shell has closed a stream, /dev/null; nothing fails for a letter that a terminal lacks or sends."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # else the next file that is opened would be standard output
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=register())


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


def _asked(output: str) -> bool:
    """Whether the command line asks for this output."""
    arguments = sys.argv[1:]
    return bool({f"--output={output}", f"-o{output}"} & set(arguments)) or any(
        pair in (("--output", output), ("-o", output)) for pair in pairwise(arguments)
    )


def _say_document(sentence: str) -> None:
    """The error as the one document on standard output, for programs that read JSON or JUnit; none after another."""
    if getattr(sys.stdout, "wrote", False):
        return
    if _asked("junit"):
        from netdoctor.output.report_junit import failed

        with suppress(OSError):
            click.echo(failed(sentence), nl=False)
    elif _asked("json"):
        import json

        with suppress(OSError):
            click.echo(json.dumps({"schema_version": 1, "error": sentence}))
