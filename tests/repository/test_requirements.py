"""What is installed is what was tested: exact versions with hashes, and nothing that could be moved."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

FOLDER = ROOT / "requirements"
LOCKS = sorted(FOLDER.glob("*.txt"))
OURS = ("run", "build", "dev", "docs")  # whose versions constraints.txt sets
PIN = re.compile(r"^([A-Za-z0-9_.-]+(?:\[[^]]*\])?)==([^\s;]+)(?: ; ([^\\]+?))?(?: \\)?$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
NOT_HERE = "sys_platform == 'win32'"
# what may stand on a line that installs something
SAFE = ("--require-hashes", "--no-index")
INSTALLS = re.compile(r"""pip(?:3|x)?["',\s/]+(?:-q\s+)?["']?(?:install|download|wheel)\b""")
READ = ("README.md", "CONTRIBUTING.md", "Makefile", "docs", "scripts", "tests/lab", ".ci", ".github")


def name_of(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text.partition("[")[0]).lower()


def pins(path: Path) -> dict[str, tuple[str, str, int]]:
    """Version, marker and number of hashes of each package; nothing else may be in the file."""
    found: dict[str, tuple[str, str, int]] = {}
    name = ""
    for line in path.read_text().splitlines():
        if not line or line.startswith("#") or line == "--only-binary :all:":
            continue
        if match := PIN.match(line):
            name = name_of(match[1])
            assert name not in found, f"{path.name}: {name} twice"
            found[name] = (match[2], match[3] or "", 0)
            continue
        assert HASH.match(line), f"{path.name}: {line}"
        version, marker, count = found[name]
        found[name] = (version, marker, count + 1)
    return found


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {name_of(line.partition("==")[0]): line.partition("==")[2] for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_each_pin_has_a_hash_and_nothing_is_built(lock: Path) -> None:
    found = pins(lock)
    assert found
    assert [name for name, (_, _, hashes) in found.items() if not hashes] == []
    assert "--only-binary :all:" in lock.read_text()


def test_locks_and_constraints_agree() -> None:
    wanted = constraints()
    assert all(wanted.values())
    seen: dict[str, str] = {}
    for lock in OURS:
        for name, (version, marker, _) in pins(FOLDER / f"{lock}.txt").items():
            if marker != NOT_HERE:
                assert wanted.get(name) == version, f"{lock}: {name}"
                seen[name] = version
    assert seen == wanted
    everything = pins(FOLDER / "dev.txt")
    assert all({**everything, **pins(FOLDER / f"{lock}.txt")} == everything for lock in ("run", "build"))


def test_each_dependency_of_the_project_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    for lock, wanted in (
        ("run", project["project"]["dependencies"]),
        ("build", groups["build"]),
        ("dev", groups["dev"]),
        ("docs", groups["docs"]),
    ):
        names = {name_of(re.split(r"[\[<>=~! ]", line)[0]) for line in wanted}
        assert names <= pins(FOLDER / f"{lock}.txt").keys(), lock


def test_what_a_lock_is_made_of_is_in_it() -> None:
    for source in FOLDER.glob("*.in"):
        found = pins(source.with_suffix(".txt"))
        for line in source.read_text().split():
            name, _, version = line.partition("==")
            assert name_of(re.split(r"[\[<>=]", name)[0]) in found, f"{source.name}: {line}"
            assert not version or found[name_of(name)][0] == version, f"{source.name}: {line}"
    litellm = re.search(r'^LITELLM = "(.+)"$', (ROOT / "tests/lab/nodelab/config.py").read_text(), re.MULTILINE)
    assert litellm
    assert pins(FOLDER / "litellm.txt")["litellm"][0] == litellm[1]


def test_the_build_backend_is_the_locked_one() -> None:
    (requires,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert requires == f"hatchling=={pins(FOLDER / 'build.txt')['hatchling'][0]}"
    needed = {re.split(r"[<>=;~! ]", line)[0] for line in metadata.requires("hatchling") or () if "extra" not in line}
    needed -= {"tomli"}  # of Python 3.10
    assert {name_of(name) for name in needed} <= pins(FOLDER / "build.txt").keys()


def test_what_these_tests_run_with_is_what_is_locked() -> None:
    wanted = constraints()
    for name in ("click", "kubernetes", "dnspython", "psycopg", "scapy", "rich", "jeepney", "pydantic", "hatchling"):
        assert metadata.version(name) == wanted[name], name


def files() -> list[Path]:
    found = []
    for top in READ:
        path = ROOT / top
        found += [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file() and ".go" not in p.suffix]
    return found


def test_whatever_is_installed_is_held_to_hashes() -> None:
    count = 0
    for path in files():
        try:
            text = path.read_text().replace("\\\n", " ")
        except UnicodeDecodeError:
            continue
        for statement in re.split(r"\n(?![ ]{8,}deadline)", text):
            if INSTALLS.search(statement) and not statement.lstrip().startswith(("#", '"""')):
                count += 1
                assert any(word in statement for word in SAFE), f"{path.relative_to(ROOT)}: {statement.strip()}"
    assert count >= 10


def test_nothing_is_the_latest_of_anything() -> None:
    """Neither a Go program, an image nor a script that is run as it comes."""
    moving = re.compile(r"@latest|\w:latest\b|\b(curl|wget)\b[^|\n]*\|\s*(sudo )?(ba)?sh\b|\b(npm|gem) install")
    found: dict[str, str] = {}
    for path in files():
        text = path.read_text(errors="replace")
        found |= {f"{path.relative_to(ROOT)}": match[0] for match in moving.finditer(text)}
    assert found == {}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_no_file_names_a_place_to_get_it_from(lock: Path) -> None:
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@ ", lock.read_text())


def test_pip_refuses_a_file_of_another_hash(tmp_path: Path) -> None:
    """What the whole rests on: a wheel of the right name and version, and another content."""
    from zipfile import ZipFile

    with ZipFile(tmp_path / "jeepney-0.9.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("jeepney/__init__.py", "raise SystemExit('not ours')")
        wheel.writestr("jeepney-0.9.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: jeepney\nVersion: 0.9.0\n")
        wheel.writestr(
            "jeepney-0.9.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("jeepney-0.9.0.dist-info/RECORD", "")
    text = (FOLDER / "run.txt").read_text()
    (pin,) = re.findall(r"^jeepney==.*(?:\n    --hash.*)+", text, re.MULTILINE)
    (tmp_path / "one.txt").write_text(pin + "\n")
    argv = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--no-index",
            "--find-links", str(tmp_path), "--require-hashes", "-r", str(tmp_path / "one.txt")]  # fmt: skip
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_actions_and_hooks_go_by_commit() -> None:
    """Of workflows each action; of pre-commit each repository that is not this one."""
    workflows = [*(ROOT / "docs/examples").glob("*.yaml"), *(ROOT / ".github").rglob("*.y*ml")]
    for path in workflows:
        for action in re.findall(r"\buses: *(\S+)", path.read_text()):
            assert action.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{path.name}: {action}"
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]:
        assert repository["repo"] == "local" or re.fullmatch(r"[0-9a-f]{40}", repository["rev"]), repository["repo"]


def test_images_have_a_version() -> None:
    """A tag that is a version; a digest where whoever deploys has looked it up (docs/SECURITY.md says how)."""
    for path in (*(ROOT / "k8s").glob("*.yaml"), *(ROOT / "docs/examples").glob("*.yaml")):
        for image in re.findall(r"^\s*(?:- )?image: *(\S+)", path.read_text(), re.MULTILINE):
            assert re.search(r":v?\d+\.\d+(\.\d+)?(@sha256:[0-9a-f]{64})?$", image), f"{path.name}: {image}"
