"""The node with a real firewalld, one for all tests of changes that need it; and a machine without systemd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netdoctor.changes import _boot_unit
from netdoctor.system import systemd
from tests.changes.node_with_firewalld import FirewalldNode, node_with_firewalld


@pytest.fixture(scope="package", params=["2.3", pytest.param("1.3", marks=pytest.mark.thorough)])
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirewalldNode]:
    with node_with_firewalld(request.param, tmp_path_factory.mktemp("firewalld")) as node:
        node.clean()  # firewalld 1.3 has flushed iptables as it started
        yield node


@pytest.fixture
def with_firewalld(started: FirewalldNode) -> Iterator[FirewalldNode]:
    """The node, on which nobody has told firewalld anything yet."""
    yield started
    started.clean()


@pytest.fixture
def no_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without systemd, and folders of its own for what makes rules at boot."""
    monkeypatch.setattr(_boot_unit, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(_boot_unit, "FOLDER", str(tmp_path))
    monkeypatch.setattr(systemd, "FOLDER", tmp_path / "run")
    return tmp_path
