"""`kubectl kustomize` on a folder that somebody else has written.

Root runs it as the user whose rights count there, in a network namespace that has no network, without git, without
root's environment, and with limits: what a kustomization names (a file, a remote base, a plugin) is then read by that
user or not at all.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.gateways.kubectl import Answered, Kubectl
from netdoctor.system.rights import Rights

SECONDS = 20.0
MEMORY = 1 << 30  # bytes: kubectl takes some 100 MB
LARGEST = 32 << 20  # bytes of the built manifests
LIMITS = ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_FSIZE, LARGEST), (resource.RLIMIT_CORE, 0))
NOWHERE = "/nonexistent"
# kubectl reads no kubeconfig for this, and git, helm and plugins are not found
ENVIRONMENT = {"PATH": NOWHERE, "HOME": NOWHERE, "KUBECONFIG": os.devnull, "LC_ALL": "C"}


def build(folder: str, rights: Rights) -> Answered:
    """What `kubectl kustomize` says of the folder. Raises CannotRead when it cannot be run, or exceeds a limit."""
    kubectl = Kubectl.find()
    if os.geteuid() != 0:  # no more rights than who called it
        return kubectl.run("kustomize", folder, timeout=SECONDS, asks_cluster=False)

    def become() -> None:
        for limit, most in LIMITS:
            resource.setrlimit(limit, (most, most))
        rights.take_on()

    with _program(kubectl) as program, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            running = subprocess.Popen(
                ["kubectl", "kustomize", "--", os.path.abspath(folder)],  # noqa: PTH100 - through no link
                cwd="/",
                executable=f"/proc/self/fd/{program}",
                pass_fds=(program,),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=ENVIRONMENT,
                preexec_fn=become,  # noqa: PLW1509 - no other thread runs yet
                start_new_session=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotRead("kubectl kustomize", f"it cannot be run as {rights.name}: {error}") from error
        status = _wait(running)
        out.seek(0)
        errors.seek(0)
        stdout, stderr = out.read(LARGEST + 1), errors.read(1 << 16).decode(errors="replace")
    if len(stdout) >= LARGEST:
        raise CannotRead("kubectl kustomize", f"the manifests of {folder} are larger than {LARGEST >> 20} MB")
    return Answered(status, stdout.decode(errors="replace"), stderr)


def _wait(running: subprocess.Popen[bytes]) -> int:
    """Its exit status. Whatever it began ends with it. Raises CannotRead when it takes too long."""
    try:
        return running.wait(SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CannotRead("kubectl kustomize", f"no answer within {SECONDS:g} s", Why.NO_ANSWER) from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@contextmanager
def _program(kubectl: Kubectl) -> Iterator[int]:
    """A descriptor of the program: root opens it, because it may be where the user cannot go. Raises CannotRead."""
    path = Path(kubectl.argv[0]).resolve()
    if path.name == "snap":  # its launcher wants privileges that are given up; the program stands beside it
        name = Path(kubectl.argv[0]).name
        path = Path("/snap", name, "current", name)
    if len(kubectl.argv) > 1:
        path = _of_minikube(kubectl)
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotRead.of(str(path), error) from error
    try:
        yield number
    finally:
        os.close(number)


def _of_minikube(kubectl: Kubectl) -> Path:
    """The kubectl that minikube keeps, which it fetches where it has none. Raises CannotRead."""
    kubectl.must("version", "--client", asks_cluster=False)
    home = Path(os.environ.get("MINIKUBE_HOME") or os.environ.get("HOME") or "/root")
    folder = home if home.name == ".minikube" else home / ".minikube"
    found = sorted(folder.glob("cache/linux/*/*/kubectl"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise CannotRead("kubectl", f"minikube keeps none below {folder}")
    return found[-1]
