"""The wheel and the sdist hold every file that git knows, and the installed wheel runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from netdoctor import __version__
from tests.conftest import ROOT

pytestmark = pytest.mark.thorough

SOURCES = ("netdoctor", "probes", "remedies")


def run(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in argv], check=False, capture_output=True, text=True, cwd=cwd, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wheel_of(source: Path, target: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target, cwd=source)
    (wheel,) = target.glob("*.whl")
    return wheel


def modules(wheel: Path) -> set[str]:
    names = zipfile.ZipFile(wheel).namelist()
    return {name for name in names if not name.partition("/")[0].endswith((".dist-info", ".data"))}


@pytest.fixture(scope="module")
def known() -> set[str]:
    """What git knows, and what it would be told of next, by the names in the wheel."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git working tree")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *SOURCES, cwd=ROOT).split("\n")
    files = {name for name in listed if name and (ROOT / name).is_file()}
    return {name if name.startswith("netdoctor/") else f"netdoctor/{name}" for name in files}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(ROOT, tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_every_file(wheel: Path, known: set[str]) -> None:
    assert modules(wheel) == known
    assert "netdoctor/py.typed" in known


def test_the_sdist_too_and_a_wheel_from_it_is_the_same(wheel: Path, known: set[str], tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=ROOT)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    for name in known:
        short = name.removeprefix("netdoctor/")
        assert (source / name).is_file() or (source / short).is_file(), name
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        assert (source / name).is_file()
    again = tmp_path / "again"
    assert modules(wheel_of(source, again)) == modules(wheel)


def test_the_wheel_installed_runs_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import sys; sys.path[:] = [sys.argv[1], *(p for p in sys.path if p and p != sys.argv[2])]; "
        "import netdoctor; from netdoctor.diagnosis.catalogue import Catalogue; catalogue = Catalogue.load(); "
        "assert netdoctor.__file__.startswith(sys.argv[1]); print(len(catalogue.probes), netdoctor.__version__); "
        "sys.argv[1:] = ['--version']; from netdoctor.cli import main; main()"
    )
    said = run(sys.executable, "-I", "-c", code, tmp_path / "site", ROOT, cwd=tmp_path)
    assert said.splitlines()[-1] == f"netdoctor {__version__}"
    assert int(said.split()[0]) >= 20


def test_the_demo_comes_with_the_wheel(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        "import sys; site, root, *sys.argv[1:] = sys.argv[1:]; "
        "sys.path[:] = [site, *(p for p in sys.path if p and p != root)]; from netdoctor.cli import main; main()"
    )
    said = run(sys.executable, "-I", "-c", code, site, ROOT, "demo", cwd=tmp_path)
    assert f"demo.json.gz is {site}/netdoctor/recording/demo.json.gz" in said
    assert "CAUSE  firewalld rejects traffic from 4 of this node's pods" in said


def test_the_manual_page_comes_with_the_wheel(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (n for n in archive.namelist() if n.endswith(".data/data/share/man/man1/netdoctor.1"))
    assert archive.read(name) == (ROOT / "docs/man/netdoctor.1").read_bytes()


def test_the_version_stands_in_one_place(wheel: Path) -> None:
    """In netdoctor/__init__.py; the wheel has it from there, and the changelog's newest release is that one."""
    archive = zipfile.ZipFile(wheel)
    metadata = next(archive.read(n).decode() for n in archive.namelist() if n.endswith("/METADATA"))
    assert f"\nVersion: {__version__}\n" in metadata
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    newest = re.search(r"^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == __version__


def test_the_licence_travels(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (n for n in archive.namelist() if n.endswith("/LICENSE"))
    assert b"Apache License" in archive.read(name)
    metadata = next(archive.read(n).decode() for n in archive.namelist() if n.endswith("/METADATA"))
    assert "License-Expression: Apache-2.0" in metadata
    assert "Name: k8s-netdoctor" in metadata


def dist(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(ROOT / "scripts/dist.py"), *map(str, arguments)]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)


def test_a_release_is_four_files(tmp_path: Path) -> None:
    done = dist("--folder", tmp_path, "--tag", f"v{__version__}")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.iterdir()}
    stem = f"k8s_netdoctor-{__version__}"
    sbom = f"k8s-netdoctor-{__version__}.cdx.json"
    assert names == {f"{stem}-py3-none-any.whl", f"{stem}.tar.gz", sbom, "SHA256SUMS"}
    sums = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], check=False, capture_output=True, cwd=tmp_path, timeout=30)
    assert sums.returncode == 0
    assert {line.split()[1] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()} == names - {"SHA256SUMS"}
    bom = json.loads((tmp_path / sbom).read_text())
    locked = (ROOT / "requirements/run.txt").read_text()
    pins = {(name.lower(), version) for name, version in re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", locked, re.M)}
    assert {(part["name"], part["version"]) for part in bom["components"]} == pins
    hashes = {item["value"] for part in bom["components"] for item in part["properties"]}
    assert hashes == set(re.findall(r"sha256:([0-9a-f]{64})", locked))
    assert dist("--folder", tmp_path).returncode == 1, "it is not empty"


def test_a_tag_of_another_version_is_refused(tmp_path: Path) -> None:
    done = dist("--folder", tmp_path, "--tag", "v99.0.0")
    assert done.returncode == 1
    assert __version__ in done.stderr
    assert not any(tmp_path.iterdir())
