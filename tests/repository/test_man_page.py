"""netdoctor(1) says what --help says, and formatters read it without a warning."""

from __future__ import annotations

import re
import shutil
import subprocess

import click
import pytest

from netdoctor.cli import group
from tests.conftest import ROOT

PAGE = ROOT / "docs/man/netdoctor.1"


def printed(*argv: str) -> str:
    """What a formatter prints of the page, in one line."""
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed: scripts/programs")
    done = subprocess.run([*argv, str(PAGE)], check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_mandoc_has_nothing_to_say_of_it() -> None:
    assert printed("mandoc", "-Tlint", "-Wstyle") == ""


def test_groff_shows_each_command_and_option_without_a_warning() -> None:
    text = " ".join(re.sub(r".\x08", "", printed("groff", "-ww", "-man", "-Tascii", "-P-c")).split())
    ctx = click.Context(group, info_name="netdoctor")
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command
        assert f"netdoctor {name}" in text
        for parameter in command.get_params(ctx):
            for option in parameter.opts if isinstance(parameter, click.Option) else ():
                assert option in text, f"{name} {option}"
        assert "Exit status: 0" in text
    assert "Examples: sudo netdoctor check" in text
