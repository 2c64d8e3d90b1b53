"""The user's own kubectl: kustomize builds, server-side apply and diff are its work."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass

from netdoctor.errors import CannotRead, Why
from netdoctor.redact import redact
from netdoctor.system import kubeconfig
from netdoctor.system.bounded_process import in_memory, run

PLACES = ("/usr/local/bin", "/usr/bin", "/snap/bin")  # sudo's secure_path may leave out where kubectl is
SECONDS = 60.0
LARGEST = 64 << 20  # bytes of what it writes
OTHERS_WISHES = ("KUBECTL_", "KUBERC", "KUBECONFIG")  # variables by which kubectl would run or read something else
# a failure as newer ones tell it, by klog: the severity and time, the process, the place in the code
KLOG = re.compile(r'[EFW]\d{4} [\d:.]+ +\d+ \S+\] "command failed" err="(.*)"')


@dataclass(frozen=True, slots=True)
class Answered:
    """How a kubectl command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def reason(self) -> str:
        """What it said of its failure, in one line."""
        lines = [line.strip() for line in redact(self.stderr).splitlines() if line.strip()]
        wanted = [line for line in lines if line.lower().startswith("error")] or lines
        if not wanted:
            return f"exit status {self.status}"
        logged = KLOG.fullmatch(wanted[-1])
        return logged[1].replace('\\"', '"') if logged else wanted[-1].removeprefix("error: ")


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl, or minikube's."""

    argv: tuple[str, ...]

    @classmethod
    def find(cls) -> Kubectl:
        """kubectl if there is one, else `minikube kubectl --`. Raises CannotRead where there is neither."""
        # a relative place would be in whatever folder netdoctor is run in
        path = os.pathsep.join(p for p in (*os.environ.get("PATH", "").split(os.pathsep), *PLACES) if p.startswith("/"))
        if kubectl := shutil.which("kubectl", path=path):
            return cls((kubectl,))
        if minikube := shutil.which("minikube", path=path):
            return cls((minikube, "kubectl", "--"))
        raise CannotRead("kubectl", "neither kubectl nor minikube is installed", Why.ABSENT)

    def run(self, *arguments: str, timeout: float = SECONDS, stdin: str = "", asks_cluster: bool = True) -> Answered:
        """Run it to its end, whatever its exit status. Raises CannotRead when it cannot be run or takes too long."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS_WISHES)}
        environment |= {"LC_ALL": "C", "KUBERC": "off", "KUBECONFIG": os.devnull}
        argv = [*self.argv, *arguments]
        with ExitStack() as stack:
            passed = []
            if asks_cluster:  # what was looked at, not what may have taken its place
                passed = [stack.enter_context(in_memory(kubeconfig.current().data))]
                environment["KUBECONFIG"] = f"/proc/self/fd/{passed[0]}"
            try:
                done = run(argv, environment, timeout, LARGEST, stdin=stdin.encode(), directory=None, passed=passed)
            except CannotRead as error:
                raise CannotRead(f"kubectl {arguments[0]}", error.reason, error.why) from error
        return Answered(done.status, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def must(self, *arguments: str, timeout: float = SECONDS, stdin: str = "", asks_cluster: bool = True) -> str:
        """Its standard output. Raises CannotRead with what it said when it fails."""
        done = self.run(*arguments, timeout=timeout, stdin=stdin, asks_cluster=asks_cluster)
        if done.status:
            raise CannotRead(f"kubectl {arguments[0]}", done.reason)
        return done.stdout
