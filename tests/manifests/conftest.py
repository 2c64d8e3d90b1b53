"""A copy of the manifests to build."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.manifests.sources import (
    K8S,
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the manifests with keys that belong to nobody."""
    for folder in ("k8s", "overlays"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns(".env"))
    text = (K8S / ".env.example").read_text()
    (tmp_path / "k8s/.env").write_text(re.sub(r"^([A-Z_]+)=$", r"\1=nobodys", text, flags=re.MULTILINE))
    return tmp_path
