"""Keys for the modules: made where there are none, kept where there are."""

from pathlib import Path

import pytest

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.gateways.env_file import complete, find
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


@pytest.mark.parametrize(
    "text", ["secretGenerator: 5", "secretGenerator: [5]", "resources: 7", "{secretGenerator: [{envs: e}]}"]
)
def test_fields_of_another_kind_name_no_file(folder: Path, text: str) -> None:
    (folder / "k8s/kustomization.yaml").write_text(text)
    assert find(str(folder / "k8s")) == ()


def test_no_file_is_made_outside_of_the_folder(folder: Path) -> None:
    outside = folder / "outside.env"
    text = f"secretGenerator: [{{name: x, envs: [../outside.env, {outside}]}}]"
    (folder / "k8s/kustomization.yaml").write_text(text)
    outside.write_text("FOO_PASSWORD=\n")
    assert find(str(folder / "k8s")) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [("\ufeffA=b\n", "line 1: it begins with a byte order mark"), ("A=b\nexport C=d\n", "line 2: it is not NAME=value"),
     ("A=" + "x" * 70000, "line 1: it is longer than kustomize reads"), ("A=b\0c\n", "line 1: it holds a NUL")],
)  # fmt: skip
def test_lines_that_kustomize_would_drop_or_refuse(folder: Path, text: str, says: str) -> None:
    (folder / "k8s/.env").write_text(text)
    with pytest.raises(BadInput, match=says):
        find(str(folder / "k8s"))
    assert (folder / "k8s/.env").read_text() == text


def test_other_line_ends_stay_as_they_are(folder: Path) -> None:
    (folder / "k8s/.env").write_bytes(b"X=abc\x0cdef\x1cghi\r\nLLM_MASTER_KEY=\nPOSTGRES_PASSWORD=9c1e\n")
    (file,) = find(str(folder / "k8s"))
    complete(file)
    assert (folder / "k8s/.env").read_bytes().startswith(b"X=abc\x0cdef\x1cghi\r\nLLM_MASTER_KEY=sk-")


def test_nothing_is_read_or_written_through_a_link(folder: Path) -> None:
    (folder / "real.env").write_text("LLM_MASTER_KEY=\n")
    (folder / "k8s/.env").symlink_to("../real.env")
    with pytest.raises(BadInput, match=r"k8s/\.env cannot be read: its path has a symbolic link"):
        find(str(folder / "k8s"))
    assert (folder / "real.env").read_text() == "LLM_MASTER_KEY=\n"


def test_a_file_that_changes_between_reading_and_writing_stays(folder: Path) -> None:
    (folder / "k8s/.env").write_text("LLM_MASTER_KEY=\n")
    (file,) = find(str(folder / "k8s"))
    (folder / "k8s/.env").write_text("LLM_MASTER_KEY=theirs\n")
    with pytest.raises(CannotRead, match="somebody has changed it"):
        complete(file)
    assert (folder / "k8s/.env").read_text() == "LLM_MASTER_KEY=theirs\n"


def test_a_full_disk_leaves_the_file_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "k8s/.env").write_text("LLM_MASTER_KEY=\n")
    (file,) = find(str(folder / "k8s"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CannotRead, match="No space left"):
        complete(file)
    assert sorted(p.name for p in (folder / "k8s").iterdir()) == [".env", ".env.example", "kustomization.yaml"]
    assert (folder / "k8s/.env").read_text() == "LLM_MASTER_KEY=\n"


def test_quotes_and_what_others_may_read(folder: Path) -> None:
    path = folder / "k8s/.env"
    path.write_text("POSTGRES_PASSWORD='abcd'\n")
    path.chmod(0o644)
    (file,) = find(str(folder / "k8s"))
    assert file.quoted == ("POSTGRES_PASSWORD",)
    assert file.open_to_others


def test_kustomizations_in_a_circle_end(folder: Path) -> None:
    (folder / "k8s/kustomization.yaml").write_text("resources: [../overlays/lab]\n")
    assert find(str(folder / "k8s")) == ()
