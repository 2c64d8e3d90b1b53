"""Container images as docker archives of one layer each, made of the built programs and Debian roots."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from .config import COREDNS, ETCD, KUBE, LABTOOL, PAUSE, POSTGRES
from .processes import run
from .programs import STEPS as PROGRAMS
from .programs import program
from .roots import POSTGRES as POSTGRES_ROOT
from .roots import ROOTFS
from .steps import Step, meaning

ENV = ["PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"]
# of the control plane: memory is there and processors are not, so collect garbage less often
FRUGAL = [*ENV, "GOGC=400"]
# idle threads that look for each other's work are half of what these do
ONE_THREAD = [*FRUGAL, "GOMAXPROCS=1"]
WORKER_IMAGES = ("pause", "kube-proxy", "coredns", "labtool", "postgres")
_NOT_IN_IMAGE = ("./usr/share/locale", "./var/cache", "./var/lib/apt", "./usr/lib/*/libLLVM*", "./dev/*",
                 "./usr/lib/postgresql/15/lib/bitcode", "./var/lib/postgresql/15",
                 # a run links and removes every file of it
                 "./usr/share/perl*", "./usr/lib/*/perl*", "./usr/share/man", "./usr/share/i18n", "./var/lib/dpkg/info",
                 "./usr/share/bash-completion", "./usr/share/zoneinfo/right", "./usr/share/zoneinfo/posix")  # fmt: skip


def write_image(out: Path, name: str, layer: Path, config: Mapping[str, object]) -> None:
    """A docker archive in folder `out`; uses the layer (an uncompressed tar) up."""
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    machine = "arm64" if run("uname", "-m").stdout.strip() == "aarch64" else "amd64"
    layers = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    about = {"architecture": machine, "os": "linux", "created": "1970-01-01T00:00:00Z", "rootfs": layers, "history": []}
    body = json.dumps({**about, "config": config}).encode()
    body_name = hashlib.sha256(body).hexdigest() + ".json"
    manifest = json.dumps([{"Config": body_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(out / (name.rsplit("/", 1)[1].replace(":", "_") + ".tar"), "w") as tar:
        for member, data in ((body_name, body), ("manifest.json", manifest)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        tar.add(layer, "layer.tar")
    layer.unlink()


def _as_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    return info.replace(uid=0, gid=0, uname="root", gname="root", mtime=0, deep=False)


def layer_of(layer: Path, files: Mapping[str, Path]) -> Path:
    """Write a layer with these files (path in the image: path here), and the folders a container expects."""
    with tarfile.open(layer, "w") as tar:
        for folder in ("tmp", "run", "var/tmp", "etc"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder.endswith("tmp") else 0o755
            tar.addfile(info)
        for inside, here in files.items():
            tar.add(here, inside, filter=_as_root)
    return layer


def _rule_programs() -> dict[str, Path]:
    """What kube-proxy calls (iptables-nft, nft, conntrack, ipset) and its libraries, out of the node's root."""
    root = ROOTFS.folder
    programs = ["/usr/sbin/xtables-nft-multi", "/usr/sbin/xtables-legacy-multi", "/usr/sbin/nft", "/usr/sbin/conntrack",
                "/usr/sbin/ipset", "/bin/busybox", "/usr/bin/kmod"]  # fmt: skip
    inside = programs + [f"/{p.relative_to(root)}" for p in sorted(root.glob("usr/lib/*/xtables/*"))]
    # no check: ldd's status is 1 because busybox is static
    words = run("chroot", root, "ldd", *inside, check=False).stdout.split()
    libraries = {word for word in words if word.startswith("/") and not word.endswith(":")}
    files = {path.lstrip("/"): (root / path.lstrip("/")).resolve() for path in [*inside, *libraries]}
    # kube-proxy compares the names of protocols in what nft lists: without them a restart empties its maps
    files["etc/protocols"] = root / "etc/protocols"
    return {inside: here for inside, here in files.items() if here.exists()}


def build_images(out: Path) -> None:
    """All images of the node; iptables in kube-proxy's is the one the node has."""
    layer, links = out / "layer.tmp", out / "links"
    parts = {"kube-apiserver": FRUGAL, "kube-controller-manager": ONE_THREAD, "kube-scheduler": ONE_THREAD}
    for name, env in parts.items():
        write_image(
            out,
            KUBE.format(name),
            layer_of(layer, {f"usr/local/bin/{name}": program(name)}),
            {"Env": env, "Entrypoint": [name]},
        )
    # the module of etcd calls its program "server"
    etcd = {"usr/local/bin/etcd": program("server"), "usr/local/bin/etcdctl": program("etcdctl")}
    write_image(out, ETCD, layer_of(layer, etcd), {"Env": ONE_THREAD, "Entrypoint": ["etcd"]})
    write_image(
        out, COREDNS, layer_of(layer, {"coredns": program("coredns")}), {"Env": ENV, "Entrypoint": ["/coredns"]}
    )
    for name, inside in ((PAUSE, "pause"), (LABTOOL, "labtool")):
        write_image(
            out, name, layer_of(layer, {inside: program("labtool")}), {"Env": ENV, "Entrypoint": [f"/{inside}"]}
        )

    links.mkdir()
    targets = {
        f"usr/sbin/{name}{part}": "xtables-nft-multi"
        for name in ("iptables", "ip6tables")
        for part in ("", "-save", "-restore")
    }
    targets |= {"bin/sh": "busybox", "sbin/modprobe": "/usr/bin/kmod"}
    files = {"usr/local/bin/kube-proxy": program("kube-proxy"), **_rule_programs()}
    for inside, target in targets.items():
        files[inside] = links / Path(inside).name
        files[inside].symlink_to(target)
    write_image(out, KUBE.format("kube-proxy"), layer_of(layer, files), {"Env": ENV, "Entrypoint": ["kube-proxy"]})
    run("rm", "-r", links)

    run(
        "tar",
        "--numeric-owner",
        "-C",
        POSTGRES_ROOT.folder,
        *(f"--exclude={path}" for path in _NOT_IN_IMAGE),
        "-cf",
        layer,
        ".",
    )
    write_image(
        out, POSTGRES, layer, {"Env": ENV, "User": "postgres", "Cmd": ["postgres", "-D", "/var/lib/postgresql/data"]}
    )


IMAGES = Step("images", "container images", "5 s", build_images,
              lambda: [PAUSE, ETCD, COREDNS, KUBE, POSTGRES, LABTOOL, FRUGAL, ONE_THREAD, _NOT_IN_IMAGE,
                       meaning(_rule_programs)],
              (*PROGRAMS.values(), ROOTFS, POSTGRES_ROOT))  # fmt: skip
