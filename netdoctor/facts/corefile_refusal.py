"""What CoreDNS says of its Corefile where it does not start: the last lines of its log, and of them this alone.

The words are those of coredns/caddy (caddyfile/dispenser.go: `FILE:LINE - Error during parsing: ...`) and of CoreDNS's
plugins (plugin.Error: `plugin/NAME: ...`), which it prints before it ends. What they quote may be anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster import Pod, Pods, dns_pods
from netdoctor.facts.services import Services
from netdoctor.kube_api import ApiError, KubeApi
from netdoctor.redact import excerpt

PODS, LINES, BYTES = 3, "20", "16384"  # that are read
WORDS = 160  # characters of what CoreDNS says
PARSING = re.compile(
    r"(?:plugin/(?P<plugin>[a-z0-9_]{1,30}): )?\S{1,200}:(?P<line>[0-9]{1,6}) - Error during parsing: (?P<said>.+)"
)
SET_UP = re.compile(r"plugin/(?P<plugin>[a-z0-9_]{1,30}): (?P<said>.+)")
QUOTED = re.compile(r"'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"")
PLAIN = re.compile(r"[a-z_]{1,20}")  # the name of a directive, and no secret


@dataclass(frozen=True, slots=True)
class CorefileRefusal:
    """CoreDNS's log"""

    pod: str  # whose log says it, "" where none does
    line: int  # of the Corefile, 0 where none is named
    said: str

    @classmethod
    def collect(cls, api: KubeApi, services: Services, pods: Pods) -> CorefileRefusal:
        """Read the logs of CoreDNS's pods that are not ready. Raises CannotRead."""
        unready = [pod for pod in dns_pods(services, pods) if not pod.ready and not pod.leaving]
        for pod in unready[:PODS]:
            found = cls.parse(f"{pod.namespace}/{pod.name}", _log(api, pod))
            if found.pod:
                return found
        return cls("", 0, "")

    @classmethod
    def parse(cls, pod: str, log: str) -> CorefileRefusal:
        """The last such line of a log."""
        for line in reversed(log.splitlines()):
            match = PARSING.fullmatch(line.strip()) or SET_UP.fullmatch(line.strip())
            if match:
                plugin = f"{match['plugin']}: " if match["plugin"] else ""
                said = excerpt(plugin + QUOTED.sub(_without_values, match["said"]), WORDS)
                return cls(pod, int(match.groupdict().get("line") or 0), said)
        return cls("", 0, "")


def _without_values(quoted: re.Match[str]) -> str:
    word = quoted["single"] if quoted["single"] is not None else quoted["double"]
    return f"'{word}'" if PLAIN.fullmatch(word) else "'...'"


def _log(api: KubeApi, pod: Pod) -> str:
    """The end of the log of a pod's container that ended, else of the one that runs. Raises CannotRead."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log"
    try:
        return api.text(path, previous="true", tailLines=LINES, limitBytes=BYTES)
    except ApiError:  # it has not ended yet
        pass
    try:
        return api.text(path, tailLines=LINES, limitBytes=BYTES)
    except ApiError as error:
        raise CannotRead(f"log of pod {pod.namespace}/{pod.name}", error.reason) from error
