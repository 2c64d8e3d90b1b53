"""A kustomization that is no YAML is refused by its line alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdoctor.errors import BadInput
from netdoctor.facts.gateways.manifest_folder import read, rights_in
from tests.facts.test_what_is_kept import BAD_YAML, CANARY


@pytest.mark.parametrize("text", BAD_YAML)
def test_nothing_of_the_text_is_said(text: str, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("namespace: x\n" + text)
    with pytest.raises(BadInput) as caught:
        read(str(tmp_path), rights_in(str(tmp_path)))
    assert CANARY not in str(caught.value)
