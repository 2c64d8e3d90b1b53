"""Debian root file systems for the node and for PostgreSQL, and the layers laid over the node's."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .config import (
    CACHE,
    DATABASE_PASSWORD,
    DATABASE_USER,
    FIREWALLD,
    LAB,
    NEWER_SUITE,
    NODE_PACKAGES,
    POSTGRES_PACKAGES,
    SUITE,
)  # fmt: skip
from .processes import Argument, run
from .programs import STEPS as PROGRAMS
from .programs import program
from .steps import Step, remove, tree

# no recommends, no documentation: a third of the size
MMDEBSTRAP = ["mmdebstrap", "--variant=minbase", "--aptopt=APT::Install-Recommends false",
              *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale"))]  # fmt: skip
# the machine is seen at /mnt, and its resolvers are used; all mounts end with this process's mount namespace
IN_ROOT = """
mount -t overlay overlay -o "$1" "$2"
mount --rbind / "$2/mnt"
mount --rbind /dev "$2/dev"
mount --rbind /proc "$2/proc"
test ! -e /etc/resolv.conf || mount --bind /etc/resolv.conf "$2/etc/resolv.conf"
root=$2
shift 2
exec chroot "$root" "$@"
"""
# mmdebstrap knows the mirrors of a suite, whatever suite the machine itself is of
DOWNLOAD_FIREWALLD = """cd "$1"
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -o APT::Sandbox::User=root download firewalld python3-firewall"""
# with `forward` the pods, whose bridge falls into the default zone, still reach outside after a reload: half the fault
SET_UP_FIREWALLD = """python3 -m compileall -q /usr/lib/python3/dist-packages/firewall
systemctl enable firewalld
firewall-offline-cmd --zone=public --add-interface=eth0
firewall-offline-cmd --zone=public --remove-forward"""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def in_root(
    layers: Sequence[Path], upper: Path, *argv: Argument, env: dict[str, str] | None = None, log: Path | None = None,
    deadline: float = 900.0,
) -> None:  # fmt: skip
    """Run a command in the root made of these layers (topmost first); what it changes stays in `upper`.

    The command sees the machine's files below /mnt. Raises LabError when it fails.
    """
    scratch = CACHE / "half" / "scratch"
    remove(scratch)
    (scratch / "work").mkdir(parents=True)
    (scratch / "root").mkdir()
    lower = ":".join(str(layer.relative_to(CACHE)) for layer in layers)
    options = f"lowerdir={lower},upperdir={upper.relative_to(CACHE)},workdir=half/scratch/work"
    run("unshare", "--mount", "--propagation", "private", f"--wd={CACHE}", "--", "sh", "-ec", IN_ROOT, "sh", options,
        scratch / "root", *argv, env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **(env or {})}, log=log,
        deadline=deadline)  # fmt: skip
    remove(scratch)


def build_rootfs(out: Path) -> None:
    """The node's Debian, with firewalld installed but off."""
    run(*MMDEBSTRAP, "--include=" + ",".join(NODE_PACKAGES), SUITE, out, log=ROOTFS.log, deadline=1800)
    run("chroot", out, "systemctl", "disable", "firewalld", "nftables", log=ROOTFS.log)


def build_postgres(out: Path) -> None:
    """Debian's PostgreSQL as the official image sets it up, its data folder made now so that the pod starts at once."""
    run(*MMDEBSTRAP, "--include=" + ",".join(POSTGRES_PACKAGES), SUITE, out, log=POSTGRES.log, deadline=1800)
    data, tools = "/var/lib/postgresql/data", "/usr/lib/postgresql/15/bin"

    def as_postgres(command: str, stdin: str = "") -> None:
        run("chroot", out, "su", "postgres", "-c", command, stdin=stdin, log=POSTGRES.log)

    as_postgres(f"{tools}/initdb --no-sync --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --locale=C.UTF-8"
                f" -D {data}")  # fmt: skip
    # the superuser has no password and so no way in over the network
    as_postgres(f"{tools}/postgres --single -D {data} postgres",
                f"CREATE ROLE {DATABASE_USER} LOGIN PASSWORD '{DATABASE_PASSWORD}'\n"
                f"CREATE DATABASE {DATABASE_USER} OWNER {DATABASE_USER}\n")  # fmt: skip
    with (out / data[1:] / "pg_hba.conf").open("a") as file:
        file.write("host all all all scram-sha-256\n")
    with (out / data[1:] / "postgresql.conf").open("a") as file:
        # /var/run/postgresql is not there in a container without an entry point
        file.write("listen_addresses = '*'\nunix_socket_directories = '/tmp'\n"
                   "jit = off\nfsync = off\nshared_buffers = 16MB\n")  # fmt: skip
    for name in ("pg_isready", "psql", "postgres"):
        (out / "usr/local/bin" / name).symlink_to(f"{tools}/{name}")


def build_firewalld(version: str, out: Path) -> None:
    """A layer with firewalld enabled at boot and the uplink in zone public."""
    log = FIREWALLD_STEPS[version].log
    if version == FIREWALLD[1]:
        packages = CACHE / "half" / "packages"
        remove(packages)
        run("mmdebstrap", "--variant=custom", f"--customize-hook={DOWNLOAD_FIREWALLD}", NEWER_SUITE, packages, log=log,
            deadline=600)  # fmt: skip
        for package in sorted(packages.glob("*.deb")):
            run("dpkg", "-x", package, out, log=log)
        remove(packages)
    in_root([ROOTFS.folder], out, "sh", "-ec", SET_UP_FIREWALLD, log=log)


# not wanted in the container: they would touch the kernel's settings, or cost time at every start
MASKED = [
    "systemd-sysctl.service", "systemd-udevd.service", "systemd-modules-load.service", "systemd-networkd.service",
    "systemd-resolved.service", "console-getty.service", "getty.target", "e2scrub_reap.service", "nftables.service",
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "systemd-tmpfiles-clean.timer", "systemd-logind.service",
]  # fmt: skip
ENABLED = {"sysinit.target.wants": ["lab-early"], "multi-user.target.wants": ["containerd", "kubelet"]}
PLACES = {
    "usr/bin": "kubelet kubeadm kubectl",
    "usr/local/bin": "containerd containerd-shim-runc-v2 ctr etcdctl kube-router",
    "opt/cni/bin": "bridge host-local portmap firewall loopback",
}


def build_nodefiles(out: Path) -> None:
    """The layer over Debian: units and settings, Kubernetes' and containerd's programs."""
    run("cp", "-r", f"{LAB}/files/.", out)
    for path in out.rglob("*"):  # whatever the checkout's owner and umask
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    for place, names in PLACES.items():
        (out / place).mkdir(parents=True, exist_ok=True)
        for name in names.split():
            shutil.copy(program(name), out / place / name)
    units = out / "etc/systemd/system"
    for target, wanted in ENABLED.items():
        (units / target).mkdir(exist_ok=True)
        for name in wanted:
            (units / target / f"{name}.service").symlink_to(f"/etc/systemd/system/{name}.service")
    for name in MASKED:
        (units / name).symlink_to("/dev/null")
    (out / "etc/machine-id").write_text("00000000000000000000000000006c61\n")
    (out / "var/lib/containerd").mkdir(parents=True)


ROOTFS = Step("rootfs", "the node's Debian", "80 s", build_rootfs, lambda: [MMDEBSTRAP, NODE_PACKAGES, SUITE])
POSTGRES = Step("postgres", "PostgreSQL", "50 s", build_postgres, lambda: [
    MMDEBSTRAP, POSTGRES_PACKAGES, SUITE, DATABASE_USER, DATABASE_PASSWORD])  # fmt: skip
NODEFILES = Step("nodefiles", "the node's programs and settings", "2 s", build_nodefiles,
                 lambda: [tree(LAB / "files"), MASKED, ENABLED, PLACES], tuple(PROGRAMS.values()))  # fmt: skip


FIREWALLD_STEPS = {
    version: Step(f"firewalld{version[0]}", f"firewalld {version} at boot", "8 s", partial(build_firewalld, version),
                  lambda: [NEWER_SUITE, DOWNLOAD_FIREWALLD, SET_UP_FIREWALLD], (ROOTFS,))
    for version in FIREWALLD
}  # fmt: skip
