"""Whether a lab can be built and run on this machine, and installing what a Debian or Ubuntu lacks."""

import os
import platform
import shutil
from pathlib import Path

from .config import CACHE
from .processes import LabError, run

# a program that tells whether the package is there
PACKAGES = {
    "mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "ip": "iproute2", "nsenter": "util-linux",
    "dpkg": "dpkg", "sysctl": "procps", "mount": "mount",
}  # fmt: skip
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
FREE_TO_BUILD, FREE_TO_RUN = 6, 1  # GB
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
FEW_INSTANCES = 10  # of inotify; a node uses about 28, and without one its kube-proxy ends with "too many open files"


def missing_packages() -> list[str]:
    """Debian packages that are needed and not there."""
    lacking = {package for program, package in PACKAGES.items() if not shutil.which(program)}
    if not KEYRING.exists():
        lacking.add("debian-archive-keyring")
    if not (shutil.which("go") or _has_ensurepip()):
        lacking.add("python3-venv")
    return sorted(lacking)


def _has_ensurepip() -> bool:
    """Whether this Python can make virtual environments (Debian packs that apart)."""
    import importlib.util

    return importlib.util.find_spec("ensurepip") is not None


def obstacle(built: bool) -> str | None:
    """Why no lab can be built (or, once it is built, run) here, in one sentence; None when it can."""
    if os.geteuid() != 0:
        return "the lab needs root: it makes network namespaces, mounts and control groups"
    if not shutil.which("apt-get"):
        return f"the lab is built from Debian packages, and this is {platform.platform()}: it needs Debian or Ubuntu"
    if not shutil.which("unshare") or run("unshare", "--mount", "--net", "true", check=False).returncode:
        return "this root may not make namespaces: the lab needs a machine or a privileged container"
    at = next(path for path in (CACHE, *CACHE.parents) if path.exists())
    free, needed = shutil.disk_usage(at).free / 1e9, FREE_TO_RUN if built else FREE_TO_BUILD
    if free < needed:
        return f"only {free:.1f} GB are free at {at}, and the lab needs {needed} GB"
    return None


def few_inotify_instances(limit: Path = INOTIFY, proc: Path = Path("/proc")) -> str:
    """Why a node may not have come up, where root's processes hold nearly all the inotify instances that root may have.

    "" where enough are free.
    """
    most = int(limit.read_text())
    used = sum(_is_inotify(file) for file in proc.glob("[0-9]*/fd/*"))
    if most - used >= FEW_INSTANCES:
        return ""
    return f"{used} of {most} inotify instances are in use: take another lab down, or raise fs.inotify.{limit.name}"


def _is_inotify(file: Path) -> bool:
    try:
        return str(file.readlink()) == "anon_inode:inotify"
    except OSError:  # closed meanwhile
        return False


def install_packages() -> None:
    """Install missing Debian packages with this machine's apt; raises LabError when that fails."""
    if not (lacking := missing_packages()):
        return
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "-q", "update", env=env, deadline=300)
    try:
        run("apt-get", "-q", "install", "-y", "--no-install-recommends", *lacking, env=env, deadline=600)
    except LabError as error:
        raise LabError(f"cannot install {' '.join(lacking)} with apt-get: {error}") from None


def load_modules() -> None:
    """Load kernel modules the node needs, without letting one of them change how the machine's own bridges work.

    The modules are part of the kernel where the lab was written, so the loading itself could not be run there.
    """
    bridges = Path("/proc/sys/net/bridge")
    if not bridges.exists():
        run("modprobe", "br_netfilter")
        for name in ("iptables", "ip6tables", "arptables"):
            (bridges / f"bridge-nf-call-{name}").write_text("0")
    if "overlay" not in Path("/proc/filesystems").read_text():
        run("modprobe", "overlay")
