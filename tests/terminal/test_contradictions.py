"""Options that contradict each other are refused before anything is done; what is harmless together is not."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from netdoctor.terminal.contradictions import never_together, only_with
from tests.cli.test_cli import netdoctor, one_sentence
from tests.conftest import ROOT

pytestmark = pytest.mark.thorough

HEALTHY = str(ROOT / "tests/recordings/healthy.json")
TRACE = "trace default/client internet 443"


@pytest.mark.parametrize(
    "line",
    [
        "check -q -v", "check --quiet --verbose --output json",
        f"check --facts {HEALTHY} --kubeconfig {HEALTHY}", f"check --facts {HEALTHY} --context x",
        f"gate --facts {HEALTHY} --context x", f"gate --facts {HEALTHY} --kustomization k8s",
        f"{TRACE} --facts {HEALTHY} --context x", f"{TRACE} -o json --svg -", f"{TRACE} --svg=- --output=json",
        "fix --dry-run --yes", "fix -y --dry-run", "fix --dry-run --confirm 60", "fix --dry-run --resume",
        "fix --without-rehearsal --rehearse-daemon", "undo --list --force", "undo --list 20261126T143457Z-ebae",
    ],
)  # fmt: skip
def test_what_contradicts_is_refused(line: str, tmp_path: Path) -> None:
    done = netdoctor(*line.split(), environment={"NETDOCTOR_STATE_DIR": str(tmp_path / "state")})
    assert done.returncode == 2
    assert " contradict each other: " in one_sentence(done)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("line", ["check --trust-recording", "gate --trust-recording", f"{TRACE} --trust-recording"])
def test_what_means_nothing_alone_is_refused(line: str) -> None:
    done = netdoctor(*line.split())
    assert done.returncode == 2
    assert one_sentence(done).endswith("--trust-recording means nothing without --facts")


def test_the_refusal_is_json_where_json_was_asked_for() -> None:
    done = netdoctor("check", "-q", "-v", "-o", "json")
    assert done.stdout.startswith('{"schema_version": 1, "error": "--verbose and --quiet contradict each other')


@pytest.mark.parametrize("options", ["-v -o json", "-q -o json", "-v --report -", "-o json --report -"])
def test_what_is_harmless_is_accepted(options: str) -> None:
    done = netdoctor("check", "--facts", HEALTHY, *options.split())
    assert done.returncode == 0, done.stderr


def test_only_what_was_typed_counts() -> None:
    @click.command()
    @click.option("--one", default="x")
    @click.option("--other", is_flag=True)
    @click.argument("word", default="")
    @never_together(("--one", "--other", "why"), ("--one -", "WORD", "why"))
    @only_with(("--other", "WORD"))
    def command(one: str, other: bool, word: str) -> None:
        """Nothing."""

    for line in ("", "--one y", "--other w", "--one y w", "--one x"):
        assert command.main(line.split(), standalone_mode=False) is None
    for line in ("--one x --other w", "--one - w", "--other"):
        with pytest.raises(click.UsageError):
            command.main(line.split(), standalone_mode=False)
