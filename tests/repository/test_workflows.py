"""GitHub's files load, start what exists, ask for what netdoctor has, and fit the versions that are supported."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from netdoctor.cli import group
from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
HOOKS = ROOT / ".pre-commit-config.yaml"
# what a runner has besides make
PROGRAMS = {"git", "gh"}
WRITES = {("release.yaml", "contents: write")}
TOKENS = "${{ github.token }}"


def load(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(path)["jobs"]
    return found


def run_steps() -> list[tuple[str, str]]:
    """The workflow or hook, and each line that it runs."""
    found = [
        (path.name, line)
        for path in WORKFLOWS
        for job in jobs(path).values()
        for step in job["steps"]
        for line in step.get("run", "").splitlines()
    ]
    hooks = [hook["entry"] for repository in load(HOOKS)["repos"] for hook in repository["hooks"]]
    return found + [(HOOKS.name, entry) for entry in hooks]


def program_of(line: str) -> list[str]:
    """The words of a command, without sudo and env before it."""
    bare = re.sub(r"^(?:sudo |env |-u \w+ |\"?\w+=\S+ )+", "", line)
    return shlex.split(bare)


@pytest.mark.parametrize(("name", "line"), run_steps())
def test_what_a_step_runs_exists(name: str, line: str) -> None:
    program, *arguments = program_of(line)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    if program == "make":
        assert {word for word in arguments if "=" not in word} <= targets, line
    elif program.startswith("scripts/"):
        assert (ROOT / program).is_file()
        assert (ROOT / program).stat().st_mode & 0o111
    elif program.startswith(".venv/bin/"):
        assert all((ROOT / word).is_file() for word in arguments if word.startswith("tests/")), line
    else:
        assert program in PROGRAMS, line


def test_each_tool_of_the_hooks_is_locked() -> None:
    pinned = (ROOT / "requirements/dev.txt").read_text()
    for tool in ("ruff", "mypy", "pytest", "coverage"):
        assert re.search(rf"^{tool}==", pinned, re.MULTILINE)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_limits(path: Path) -> None:
    """Rights are named and few, each job ends, and no text of a pull request becomes part of a command."""
    workflow, text = load(path), path.read_text()
    assert workflow["permissions"] in ({}, {"contents": "read"})
    assert "pull_request_target" not in text
    for job in jobs(path).values():
        assert job["timeout-minutes"] <= 30
        for right in (f"{key}: {value}" for key, value in job.get("permissions", {}).items()):
            assert (path.name, right) in WRITES
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            if str(step.get("uses", "")).startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}
    assert set(re.findall(r"\$\{\{ *secrets\.\w+|\$\{\{ github\.token \}\}", text)) <= {TOKENS}


def test_each_python_that_is_supported_is_tested() -> None:
    (tested,) = (job["strategy"]["matrix"]["python"] for job in jobs(WORKFLOWS[0]).values() if "strategy" in job)
    locked = re.search(r"^for version in (.+); do$", (ROOT / "scripts/lock").read_text(), re.MULTILINE)
    assert locked
    assert tested == locked[1].split()
    assert f'requires-python = ">={tested[0]}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_one(path: Path) -> None:
    form = load(path)
    assert form["name"]
    assert form["description"]
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert ids
    assert len(ids) == len(set(ids))
    for field in form["body"]:
        assert field["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert field["attributes"]["value" if field["type"] == "markdown" else "label"]
        assert field["type"] == "markdown" or isinstance(field["validations"]["required"], bool)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_what_a_form_asks_to_type_can_be_typed(path: Path) -> None:
    lines = re.findall(r"`sudo netdoctor ([^`]+)`", path.read_text())
    assert "check --report report.md" in lines
    for line in lines:
        name, *arguments = shlex.split(line)
        command = group.get_command(None, name)  # type: ignore[arg-type]  # the context is not read
        assert command, line
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in arguments if word.startswith("-")} <= options, line


def test_a_form_leads_to_pages_that_exist() -> None:
    for path in FORMS:
        for page in re.findall(r"docs/[\w.-]+\.md", path.read_text()):
            assert (ROOT / page).is_file()
    assert "## Report a vulnerability" in (ROOT / "docs/SECURITY.md").read_text()  # where GitHub looks for it
