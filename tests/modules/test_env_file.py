"""Keys for the modules: made where there are none, kept where there are."""

from pathlib import Path

import pytest

from netdoctor.errors import BadInput
from netdoctor.modules.env_file import complete, find
from netdoctor.redact import redact

EXAMPLE = "# a comment\nPOSTGRES_PASSWORD=\nLLM_MASTER_KEY=\nPROVIDER_BASE=https://example.com/v1\nPROVIDER_KEY=\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base, overlay = tmp_path / "k8s", tmp_path / "overlays/lab"
    base.mkdir()
    overlay.mkdir(parents=True)
    (base / "kustomization.yaml").write_text("secretGenerator:\n- name: s\n  envs: [.env]\n")
    (base / ".env.example").write_text(EXAMPLE)
    (overlay / "kustomization.yaml").write_text("resources: [../../k8s, volume.yaml]\n")
    return tmp_path


def test_an_overlay_finds_the_file_of_its_base_and_it_is_made_once(folder: Path) -> None:
    (before,) = find(str(folder / "overlays/lab"))
    assert not before.exists
    assert before.to_make == ("POSTGRES_PASSWORD", "LLM_MASTER_KEY")
    assert before.to_ask == ("PROVIDER_KEY",)
    after = complete(before)
    path = folder / "k8s/.env"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == after.text
    assert after.text.startswith("# a comment\nPOSTGRES_PASSWORD=")
    assert len(after.values["POSTGRES_PASSWORD"]) == 32
    assert after.values["LLM_MASTER_KEY"].startswith("sk-")
    assert after.values["PROVIDER_BASE"] == "https://example.com/v1"
    assert after.values["PROVIDER_KEY"] == ""
    (again,) = find(str(folder / "k8s"))
    assert complete(again).text == after.text
    assert not again.guessable


def test_a_key_that_is_there_stays_and_an_empty_one_is_filled_in(folder: Path) -> None:
    path = folder / "k8s/.env"
    path.write_text("POSTGRES_PASSWORD=canary-7f31\nLLM_MASTER_KEY=\n")
    (before,) = find(str(folder / "k8s"))
    after = complete(before)
    assert after.values["POSTGRES_PASSWORD"] == "canary-7f31"
    assert after.values["LLM_MASTER_KEY"]
    assert "canary-7f31" not in redact(f"login with canary-7f31 and {after.values['LLM_MASTER_KEY']}")
    assert after.values["LLM_MASTER_KEY"] not in redact(after.text)


def test_what_the_file_does_not_name_comes_from_its_example(folder: Path) -> None:
    (folder / "k8s/.env").write_text("# mine\nPROVIDER_BASE=http://127.0.0.1:1/v1\nPROVIDER_KEY=none")
    (before,) = find(str(folder / "k8s"))
    assert before.to_make == ("POSTGRES_PASSWORD", "LLM_MASTER_KEY")
    text = complete(before).text
    assert text.startswith("# mine\nPROVIDER_BASE=http://127.0.0.1:1/v1\nPROVIDER_KEY=none\nPOSTGRES_PASSWORD=")
    assert text.count("PROVIDER_BASE") == 1


@pytest.mark.parametrize("value", ["sk-llm-module-key", "sk-image-gen-module-key", "sk-1234"])
def test_the_form_that_anybody_would_try_is_told(folder: Path, value: str) -> None:
    (folder / "k8s/.env").write_text(f"LLM_MASTER_KEY={value}\nPOSTGRES_PASSWORD=9c1e\n")
    (file,) = find(str(folder / "k8s"))
    assert file.guessable == ("LLM_MASTER_KEY",)


@pytest.mark.parametrize("text", ["- a list", "a: [", "\x00", ""])
def test_a_kustomization_that_is_none_is_one_sentence(folder: Path, text: str) -> None:
    (folder / "k8s/kustomization.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"kustomization"):
        find(str(folder / "k8s"))


def test_kustomizations_in_a_circle_end(folder: Path) -> None:
    (folder / "k8s/kustomization.yaml").write_text("resources: [../overlays/lab]\n")
    assert find(str(folder / "k8s")) == ()
