"""The user's own kubectl: kustomize builds, server-side apply and diff are its work."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.kube_api import find_kubeconfig

PLACES = ("/usr/local/bin", "/usr/bin", "/snap/bin")  # sudo's secure_path may leave out where kubectl is
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answered:
    """How a kubectl command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def reason(self) -> str:
        """What it said of its failure, in one line."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        wanted = [line for line in lines if line.lower().startswith("error")] or lines
        return wanted[-1].removeprefix("error: ") if wanted else f"exit status {self.status}"


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl, or minikube's."""

    argv: tuple[str, ...]

    @classmethod
    def find(cls) -> Kubectl:
        """kubectl if there is one, else `minikube kubectl --`. Raises CannotRead where there is neither."""
        path = os.pathsep.join((os.environ.get("PATH", ""), *PLACES))
        if kubectl := shutil.which("kubectl", path=path):
            return cls((kubectl,))
        if minikube := shutil.which("minikube", path=path):
            return cls((minikube, "kubectl", "--"))
        raise CannotRead("kubectl", "neither kubectl nor minikube is installed")

    def run(self, *arguments: str, timeout: float = SECONDS, stdin: str = "", asks_cluster: bool = True) -> Answered:
        """Run it to its end, whatever its exit status. Raises CannotRead when it cannot be run or takes too long."""
        environment = {**os.environ, "LC_ALL": "C"}
        if asks_cluster:
            environment["KUBECONFIG"] = find_kubeconfig()
        argv = [*self.argv, *arguments]
        try:
            done = subprocess.run(
                argv, check=False, capture_output=True, encoding="utf-8", errors="replace", timeout=timeout,
                env=environment, input=stdin,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise CannotRead(f"kubectl {arguments[0]}", f"no answer within {timeout:g} s") from error
        except OSError as error:
            raise CannotRead(self.argv[0], error.strerror or str(error)) from error
        return Answered(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str, timeout: float = SECONDS, stdin: str = "", asks_cluster: bool = True) -> str:
        """Its standard output. Raises CannotRead with what it said when it fails."""
        done = self.run(*arguments, timeout=timeout, stdin=stdin, asks_cluster=asks_cluster)
        if done.status:
            raise CannotRead(f"kubectl {arguments[0]}", done.reason)
        return done.stdout
