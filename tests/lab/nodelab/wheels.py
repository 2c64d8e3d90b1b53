"""Layers with netdoctor's dependencies and with netdoctor itself, both installed by the node's own Python.

The wheel is built from the checkout; its dependencies come from PyPI, at the versions and hashes of requirements/.
"""

import os
import sys
from pathlib import Path

from .config import CHECKOUT
from .processes import run
from .roots import ROOTFS, in_root
from .steps import Step, tree

HERE = Path("/mnt")  # where a command in the root sees this machine
RUN, BUILD = CHECKOUT / "requirements/run.txt", CHECKOUT / "requirements/build.txt"
SOURCES = ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "netdoctor", "probes", "remedies", "k8s")
INSTALL = """
python3 -m venv "$1"; python=$1/bin/python
"$python" -m pip install -q --no-cache-dir --root-user-action=ignore --require-hashes -r "$2"
"$python" -m pip check -q
"""
INSTALL_WHEEL = """
cd "$1"
PYTHONDONTWRITEBYTECODE=1 /opt/hatchling/bin/python -m hatchling build -t wheel -d /tmp/wheel
/opt/netdoctor/bin/python -m pip install -q --root-user-action=ignore --no-deps --no-index /tmp/wheel/*.whl
rm -r /tmp/wheel
for name in netdoctor kubectl-netdoctor; do ln -sf "/opt/netdoctor/bin/$name" "/usr/local/bin/$name"; done
"""


def _inside(value: str) -> str:
    """A setting whose existing paths are those that a command in the root sees."""
    words = []
    for word in value.split(" "):
        scheme, path = ("file://", word[7:]) if word.startswith("file://") else ("", word)
        words.append(f"{scheme}{HERE}{Path(path).resolve()}" if path.startswith("/") and Path(path).exists() else word)
    return " ".join(words)


def pip_settings() -> dict[str, str]:
    """This machine's settings for pip (its files and its environment) and for certificates, for use in the root."""
    found = {}
    listing = run(sys.executable, "-m", "pip", "config", "list", check=False)
    for line in listing.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.partition(".")
        if section in ("global", "install"):
            found["PIP_" + option.upper().replace("-", "_")] = " ".join(value.strip("'\"").replace("\\n", " ").split())
    for name, value in os.environ.items():
        if name.startswith("PIP_") or name.lower().endswith("_proxy") or name in (
            "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        ):  # fmt: skip
            found[name] = value
    # a folder of this machine's is no place for a cache or a target in the root
    unwanted = ("PIP_CACHE_DIR", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_LOG")
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        found.setdefault("PIP_CERT", str(certificates))
    return {name: _inside(value) for name, value in found.items() if name not in unwanted}


def build_dependencies(out: Path) -> None:
    """The node's virtual environment, compiled: import time is part of every run."""
    in_root([ROOTFS.folder], out, "sh", "-ec", INSTALL, "sh", "/opt/netdoctor", f"{HERE}{RUN}",
            env=pip_settings(), log=PYTHON.log)  # fmt: skip


def build_hatchling(out: Path) -> None:
    """What builds the wheel; not on the node."""
    in_root([ROOTFS.folder], out, "sh", "-ec", INSTALL, "sh", "/opt/hatchling", f"{HERE}{BUILD}",
            env=pip_settings(), log=HATCHLING.log)  # fmt: skip


def build_wheel(out: Path) -> None:
    """The checkout's own wheel in the node's virtual environment, and its commands on PATH."""
    in_root([HATCHLING.folder, PYTHON.folder, ROOTFS.folder], out, "sh", "-ec", INSTALL_WHEEL, "sh",
            f"{HERE}{CHECKOUT}", log=WHEEL.log)  # fmt: skip


def available() -> bool:
    """Whether the checkout is a project that can be installed."""
    return (CHECKOUT / "pyproject.toml").exists()


def _checkout() -> str:
    return tree(*(CHECKOUT / name for name in SOURCES if (CHECKOUT / name).exists()))


PYTHON = Step("python", "netdoctor's dependencies", "25 s", build_dependencies,
              lambda: [INSTALL, tree(RUN)], (ROOTFS,))  # fmt: skip
HATCHLING = Step("hatchling", "hatchling", "8 s", build_hatchling,
                 lambda: [INSTALL, tree(BUILD)], (ROOTFS,))  # fmt: skip
WHEEL = Step("netdoctor", "netdoctor's wheel", "3 s", build_wheel, lambda: [INSTALL_WHEEL, _checkout()],
             (PYTHON, HATCHLING))  # fmt: skip
