"""`netdoctor demo`: what netdoctor shows of a broken node, on a recording that comes with it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import click

RECORDING = Path(__file__).parent.parent / "recording" / "demo.json.gz"
FACTS = "demo.json.gz"  # what stands for the recording in a command that is shown
NO_NAMESPACE = (
    "this machine allows no user namespace without root (sysctl user.max_user_namespaces, or AppArmor's "
    "kernel.apparmor_restrict_unprivileged_userns)"
)


@dataclass(frozen=True, slots=True)
class DemoStep:
    """A command, and what it is for."""

    title: str
    command: tuple[str, ...]
    needs_copy: bool = False  # it shows nothing where no copy of the node can be made


STEPS = (
    DemoStep("What is wrong with this node?", ("check", "--facts", FACTS)),
    DemoStep("Why is that a fault, and when is it not?", ("explain", "firewalld-rejects-pods")),
    DemoStep(
        "Where does a packet to the internet stop?",
        ("trace", "default/client", "internet", "443", "--facts", FACTS),
        needs_copy=True,
    ),
    DemoStep("What would the repair change, and whom would it let in?", ("fix", "--dry-run", "--facts", FACTS)),
)


@click.command()
@click.option("--no-pause", is_flag=True, help="Do not wait for ENTER between the steps, as on a pipe.")
@click.pass_context
def command(ctx: click.Context, no_pause: bool) -> None:
    """Show check, explain, trace and fix --dry-run on a recorded broken node. This machine is not touched.

    The recording is of a node whose firewalld has forgotten its pods after a reload. Each command that is shown is run,
    on copies of that node in throw-away namespaces; root is not needed.

    \b
    Examples:
      netdoctor demo
      netdoctor demo --no-pause | less

    Exit status: 0.
    """
    from netdoctor.output.console import print_lines

    pauses = not no_pause and sys.stdin.isatty() and sys.stdout.isatty()
    print_lines(
        ["A recorded node: firewalld was reloaded, and its pods have lost the internet.", f"{FACTS} is {RECORDING}"]
    )
    for number, step in enumerate(STEPS, 1):
        if pauses and number > 1 and not _goes_on():
            return
        print_lines(["", f"== {number} of {len(STEPS)}: {step.title}", f"$ netdoctor {' '.join(step.command)}", ""])
        _run(ctx, step)
    print_lines(["", "On a node of yours: sudo netdoctor check"])


def _run(ctx: click.Context, step: DemoStep) -> None:
    """Run the command of a step; where this machine cannot make a copy of the node, say what is not shown."""
    from netdoctor.errors import NetdoctorError
    from netdoctor.output.console import print_lines

    words = [str(RECORDING) if word == FACTS else word for word in step.command]
    try:
        ctx.find_root().command.main(words, prog_name="netdoctor", standalone_mode=False)
    except NetdoctorError as error:
        if not step.needs_copy:
            raise
        print_lines([f"! not shown here: the packet's way, and the rehearsal of the repair: {_in_words(error)}"])


def _in_words(error: Exception) -> str:
    from netdoctor.twin.namespace import NOT_ALLOWED

    return NO_NAMESPACE if NOT_ALLOWED in str(error) else str(error)


def _goes_on() -> bool:
    """Wait for ENTER; false for q and for the end of the input."""
    click.echo("\nENTER goes on, q ends: ", nl=False, err=True)
    answer = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() != "q"
