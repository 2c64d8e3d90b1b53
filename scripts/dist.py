"""Builds what a release consists of into dist/: wheel, sdist, the list of all packages as CycloneDX, and checksums."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from netdoctor import __version__  # noqa: E402

NAME = "k8s-netdoctor"
LOCK = ROOT / "requirements/run.txt"
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def locked(text: str) -> dict[tuple[str, str], list[str]]:
    """The hashes of the files of each package and version that a lock names."""
    found: dict[tuple[str, str], list[str]] = {}
    hashes: list[str] = []
    for line in text.splitlines():
        if match := PIN.match(line):
            hashes = found.setdefault((match[1].lower(), match[2]), [])
        hashes += HASH.findall(line)
    return found


def component(name: str, version: str) -> dict[str, Any]:
    """A package of PyPI as CycloneDX names it."""
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def bom(lock: str) -> dict[str, Any]:
    """Every package that netdoctor runs with, and the hashes of the files that may be installed."""
    packages = [
        {
            **component(name, version),
            # a package has one file for each platform, and a component one hash of each kind
            "properties": [{"name": "netdoctor:file:sha256", "value": each} for each in hashes],
        }
        for (name, version), hashes in sorted(locked(lock).items())
    ]
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "component": {
                **component(NAME, __version__), "type": "application", "licenses": [{"license": {"id": "Apache-2.0"}}]
            },
        },
        "components": packages,
    }  # fmt: skip


def build(folder: Path) -> None:
    """The four files. The time in them is that of the commit, so that whoever builds it again gets the same bytes."""
    commit = subprocess.run(
        ["git", "-C", ROOT, "log", "-1", "--format=%ct"], check=True, capture_output=True, text=True, timeout=30
    )
    environment = {**os.environ, "SOURCE_DATE_EPOCH": commit.stdout.strip()}
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(folder)]
    subprocess.run(argv, check=True, cwd=ROOT, env=environment, timeout=120)
    (folder / f"{NAME}-{__version__}.cdx.json").write_text(json.dumps(bom(LOCK.read_text()), indent=1) + "\n")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(sums))


def main() -> int:
    """Exit status: 0 built, 1 the tag is not this version's or the folder is not empty."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", default="", help="refuse to build unless it is v and netdoctor's version")
    parser.add_argument("--folder", default=ROOT / "dist", type=Path)
    asked = parser.parse_args()
    if asked.tag not in ("", f"v{__version__}"):
        print(f"the tag is {asked.tag}, and netdoctor/__init__.py says {__version__}", file=sys.stderr)
        return 1
    asked.folder.mkdir(exist_ok=True)
    if any(asked.folder.iterdir()):
        print(f"{asked.folder} is not empty: what is in it would be released too", file=sys.stderr)
        return 1
    build(asked.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
