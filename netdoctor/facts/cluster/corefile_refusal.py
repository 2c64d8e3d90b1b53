"""What CoreDNS says of its Corefile where it does not start: the line of its log that says so, and nothing else of it.

The words are those of coredns/caddy (caddyfile/dispenser.go: `FILE:LINE - Error during parsing: ...`) and of CoreDNS's
plugin forward (plugin/pkg/parse/host.go), which it prints before it ends. What they quote may be anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.workloads import Pod, Pods, dns_pods
from netdoctor.redact import excerpt
from netdoctor.system.kube_api import KubeApi

PODS, LINES, BYTES = 3, "20", "16384"  # limits on what is read
RELOADED, NOT_RELOADED = "Reloading complete", "Corefile changed but reload failed"
LISTENING = "starting with listener file descriptors: "  # what caddy puts before the reason
NO_REASON = "its log says why"
SINCE, LARGEST = "200", "65536"  # of a pod that runs: it may have written more since
WORDS = 160  # characters of what CoreDNS says
PARSING = re.compile(
    r"(?:plugin/(?P<plugin>[a-z0-9_]{1,30}): )?\S{1,200}:(?P<line>[0-9]{1,6}) - Error during parsing: (?P<said>.+)"
)
UPSTREAM = re.compile(r"plugin/(?P<plugin>forward): (?P<said>not an IP address or file: .+)")
# the name of a directive, and no secret; whatever else is quoted may be one
NAMED = re.compile(r"(?:Unknown directive|unknown property) '[a-z_]{1,20}'", re.IGNORECASE)
QUOTED = re.compile(r"['\"`].*")


@dataclass(frozen=True, slots=True)
class CorefileRefusal:
    """CoreDNS's log"""

    pod: str  # whose log says it, "" where none does
    line: int  # of the Corefile, 0 where none is named
    said: str
    runs: bool = False  # whether that pod runs nevertheless, with the Corefile that it had before

    @classmethod
    def collect(cls, api: KubeApi, services: Services, pods: Pods, corefile: Corefile | CannotRead) -> CorefileRefusal:
        """Read the logs of CoreDNS's pods that are not ready, else of those that run since before the last change.

        A container that waits for its next start has the log of its last one. Raises CannotRead where none that had to
        be read can be.
        """
        chosen = [pod for pod in dns_pods(services, pods) if not pod.leaving]
        changed = "" if isinstance(corefile, CannotRead) else corefile.changed
        found = cls._of_those_not_ready(api, [pod for pod in chosen if not pod.ready][:PODS])
        since_before = next((pod for pod in chosen if pod.ready and pod.created < changed), None)
        if found.pod or since_before is None:
            return found
        return cls.parse_running(_name(since_before), _log(api, since_before, SINCE, LARGEST))

    @classmethod
    def _of_those_not_ready(cls, api: KubeApi, pods: list[Pod]) -> CorefileRefusal:
        """The first refusal in the logs of these pods. Raises CannotRead where there is none, and one was not read."""
        unread: CannotRead | None = None
        for pod in pods:
            try:
                found = cls.parse(_name(pod), _log(api, pod, LINES, BYTES))
            except CannotRead as error:
                unread = CannotRead(f"log of pod {_name(pod)}", error.reason, error.why)
                continue
            if found.pod:
                return found
        if unread:
            raise unread
        return cls("", 0, "")

    @classmethod
    def parse_running(cls, pod: str, log: str) -> CorefileRefusal:
        """What the plugin `reload` said last of a changed Corefile: one that worked ends what failed before."""
        lines = [line for line in log.split("\n") if any(word in line for word in (RELOADED, NOT_RELOADED))]
        if not lines or NOT_RELOADED not in lines[-1]:
            return cls("", 0, "")
        found = cls.parse(pod, lines[-1].partition(NOT_RELOADED)[2].removeprefix(": ").removeprefix(LISTENING))
        return replace(found, runs=True) if found.pod else cls(pod, 0, NO_REASON, runs=True)

    @classmethod
    def parse(cls, pod: str, log: str) -> CorefileRefusal:
        """The last such line of a log."""
        for line in reversed(log.split("\n")):
            match = PARSING.fullmatch(line.strip()) or UPSTREAM.fullmatch(line.strip())
            if match:
                plugin = f"{match['plugin']}: " if match["plugin"] else ""
                said = match["said"] if NAMED.fullmatch(match["said"]) else QUOTED.sub("'...'", match["said"])
                return cls(pod, int(match.groupdict().get("line") or 0), excerpt(plugin + said, WORDS))
        return cls("", 0, "")


def _name(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.name}"


def _log(api: KubeApi, pod: Pod, lines: str, limit: str) -> str:
    return api.text(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log", tailLines=lines, limitBytes=limit)
