"""The gateway modules' images, of one layer each: LiteLLM out of PyPI, Debian's PostgreSQL and Prometheus."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from .config import CHECKOUT, LAB, LITELLM, LITELLM_IMAGE, POSTGRES_IMAGE, PROMETHEUS_IMAGE, SUITE
from .images import write_image
from .processes import run
from .roots import POSTGRES as POSTGRES_ROOT
from .roots import ROOTFS, in_root
from .steps import Step, tree
from .wheels import HERE, pip_settings

EXTRACT = ["mmdebstrap", "--variant=extract", "--aptopt=APT::Install-Recommends false"]
REQUIREMENTS = CHECKOUT / "requirements/litellm.txt"  # of requirements/litellm.in, whose version is LITELLM
ENTRYPOINT = LAB / "postgres-image/docker-entrypoint"
# asked for by litellm[proxy], never imported by a gateway in front of OpenAI-compatible servers: half of the size
UNUSED = [
    "polars", "_polars_runtime_32", "boto3", "botocore", "s3transfer", "azure", "msal", "msal_extensions", "granian",
    "gunicorn", "hf_xet", "huggingface_hub", "tokenizers", "pyroscope", "rq", "nacl", "prompt_toolkit", "InquirerPy",
    "RestrictedPython", "nodeenv.py", "hiredis.libs", "numpy/tests", "numpy/_core/tests", "numpy/lib/tests",
    "numpy/f2py", "litellm/proxy/_experimental/out",
]  # fmt: skip
# by the node's own Python, since pip takes the environment's markers from the Python that it runs in; compiled, and not
# by time stamps, because the root of the gateways' containers is read-only and each start would compile 4000 modules
INSTALL = """
requirements=$1; unused=$2
python3 -m venv /tmp/pip
/tmp/pip/bin/python -m pip install -q --no-cache-dir --root-user-action=ignore --no-compile --no-warn-conflicts \
    --require-hashes -r "$requirements" --target /opt/litellm
cd /opt/litellm
rm -rf $unused
python3 -m compileall -q -j 2 --invalidation-mode unchecked-hash . || true  # some of the files are templates
rm -rf /tmp/pip
"""
# the collector runs hundreds of times over the modules that a start imports: 30 % of its CPU
START = "import gc; gc.set_threshold(100000, 20, 20); from litellm import run_server; run_server()"
USERS = "root:x:0:0::/root:/bin/sh\n{}\n"
NOT_IN_IMAGE = ["dev/*", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt", "var/cache",
                "var/lib/dpkg", "usr/lib/postgresql/15/lib/bitcode", "usr/lib/*/libLLVM*",
                "var/lib/postgresql/*"]  # fmt: skip


def _image(out: Path, name: str, roots: Sequence[Path], config: dict[str, object]) -> None:
    """An image of these folders' files, later ones over earlier ones; their times are kept."""
    layer = out / "layer.tmp"
    for number, root in enumerate(roots):
        mode = "-rf" if number else "-cf"
        run("tar", "--numeric-owner", "-C", root, *(f"--exclude=./{e}" for e in NOT_IN_IMAGE), mode, layer, ".")
    write_image(out, name, layer, config)


def build_litellm(out: Path) -> None:
    """Debian's Python with LiteLLM beside it, as user 10001."""
    base, upper = out / "base", out / "upper"
    upper.mkdir()
    run(*EXTRACT, "--include=python3,libstdc++6,dash", SUITE, base, log=LITELLM_STEP.log, deadline=900)
    in_root([ROOTFS.folder], upper, "sh", "-ec", INSTALL, "sh", f"{HERE}{REQUIREMENTS}", " ".join(UNUSED),
            env=pip_settings(), log=LITELLM_STEP.log)  # fmt: skip
    compiled = "python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.11 || true"
    run("chroot", base, "sh", "-c", compiled, log=LITELLM_STEP.log, deadline=300)
    (base / "etc/passwd").write_text(USERS.format("litellm:x:10001:10001::/tmp:/bin/sh"))
    shutil.move(upper / "opt/litellm", base / "opt/litellm")
    _image(out, LITELLM_IMAGE, [base], {
        "User": "10001:10001", "Entrypoint": ["python3", "-c", START],
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONPATH=/opt/litellm", "PYTHONDONTWRITEBYTECODE=1",
                "HOME=/tmp"],
    })  # fmt: skip
    run("rm", "-rf", "--one-file-system", base, upper)


def build_postgres_image(out: Path) -> None:
    """The lab's PostgreSQL with the official image's contract: POSTGRES_*, PGDATA, /docker-entrypoint-initdb.d."""
    over = out / "over"
    (over / "usr/local/bin").mkdir(parents=True)
    shutil.copy(ENTRYPOINT, over / "usr/local/bin/docker-entrypoint")
    (over / "etc").mkdir()
    (over / "etc/passwd").write_text(USERS.format("postgres:x:999:999::/var/lib/postgresql:/bin/sh"))
    _image(out, POSTGRES_IMAGE, [POSTGRES_ROOT.folder, over], {
        "User": "999:999", "Entrypoint": ["docker-entrypoint"], "Cmd": ["postgres"],
        "Env": ["PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "PGDATA=/var/lib/postgresql/data"],
    })  # fmt: skip
    run("rm", "-rf", over)


def build_prometheus(out: Path) -> None:
    """Debian's Prometheus with its libraries, and a busybox."""
    full, root = out / "full", out / "root"
    run(*EXTRACT, "--include=prometheus,busybox-static", SUITE, full, log=PROMETHEUS_STEP.log, deadline=900)
    loader = next(p for p in ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1") if (full / p[1:]).exists())
    # asked of the loader itself: there is no bash for ldd
    listed = run("chroot", full, loader, "--list", "/usr/bin/prometheus").stdout.split()
    for name in {loader, "/usr/bin/prometheus", "/bin/busybox", *(w for w in listed if w.startswith("/"))}:
        real = run("chroot", full, "/bin/busybox", "readlink", "-f", name).stdout.strip()
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(full / real.lstrip("/"), target)
    (root / "bin/sh").symlink_to("busybox")
    for folder, mode in (("tmp", 0o1777), ("prometheus", 0o777), ("etc/prometheus", 0o755)):
        (root / folder).mkdir(parents=True)
        (root / folder).chmod(mode)
    _image(out, PROMETHEUS_IMAGE, [root], {
        "User": "65534:65534", "Entrypoint": ["/usr/bin/prometheus"], "Env": ["PATH=/usr/bin:/bin"],
        "Cmd": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"],
    })  # fmt: skip
    run("rm", "-rf", full, root)


def archives() -> list[Path]:
    """The images as docker archives."""
    return [path for step in STEPS for path in sorted(step.folder.glob("*.tar"))]


LITELLM_STEP = Step("litellm", f"LiteLLM {LITELLM} as an image", "60 s", build_litellm,
                    lambda: [EXTRACT, SUITE, LITELLM, UNUSED, INSTALL, START, USERS, NOT_IN_IMAGE, tree(REQUIREMENTS)],
                    (ROOTFS,))  # fmt: skip
POSTGRES_STEP = Step("pgimage", "PostgreSQL for the modules as an image", "3 s", build_postgres_image,
                     lambda: [USERS, NOT_IN_IMAGE, POSTGRES_IMAGE, tree(ENTRYPOINT)], (POSTGRES_ROOT,))  # fmt: skip
PROMETHEUS_STEP = Step("prometheus", "Prometheus as an image", "10 s", build_prometheus,
                       lambda: [EXTRACT, SUITE, NOT_IN_IMAGE, PROMETHEUS_IMAGE])  # fmt: skip
STEPS = (LITELLM_STEP, POSTGRES_STEP, PROMETHEUS_STEP)
