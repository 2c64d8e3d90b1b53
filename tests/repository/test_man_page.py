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


def section(title: str) -> str:
    """The source of one section, without escaped hyphens."""
    return re.split(r"^\.SH ", PAGE.read_text(), flags=re.MULTILINE)[TITLES.index(title) + 1].replace("\\-", "-")


TITLES = re.findall(r"^\.SH (.*)$", PAGE.read_text(), re.MULTILINE)


def test_no_entry_is_empty() -> None:
    assert not re.search(r"^\.TP\n.*\n\.", PAGE.read_text(), re.MULTILINE)


def test_what_nearly_every_command_has_is_described_once() -> None:
    text = PAGE.read_text().replace("\\-", "-")
    for option in ("--kubeconfig FILE", "--context NAME", "--as-user"):
        assert text.count(f"\\fB{option}\\fR") == 1
        assert f"\\fB{option}\\fR" in section("COMMON OPTIONS")
    assert " ".join(section("COMMON OPTIONS").split()).count("Commands: check, trace, fix, ") == 3


def test_the_variables_are_those_that_the_code_reads() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "netdoctor").rglob("*.py"))
    told = re.findall(r"^\\fB([A-Z_]+)\\fR$", section("ENVIRONMENT"), re.MULTILINE)
    assert [name for name in told if f'"{name}"' not in code] == []
    assert {*re.findall(r'"(NETDOCTOR_[A-Z_]+)"', code)} <= {*told}
    assert {"KUBECONFIG", "NETDOCTOR_STATE_DIR"} <= {*told}
    assert "/var/lib/netdoctor" in section("FILES")
    assert "nft(8)" in section("SEE ALSO")
