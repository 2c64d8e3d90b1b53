"""What CoreDNS says of its Corefile where it does not start: the line of its log that says so, and nothing else of it.

The words are those of coredns/caddy (caddyfile/dispenser.go: `FILE:LINE - Error during parsing: ...`) and of CoreDNS's
plugin forward (plugin/pkg/parse/host.go), which it prints before it ends. What they quote may be anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.workloads import Pods, dns_pods
from netdoctor.redact import excerpt
from netdoctor.system.kube_api import KubeApi

PODS, LINES, BYTES = 3, "20", "16384"  # limits on what is read
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

    @classmethod
    def collect(cls, api: KubeApi, services: Services, pods: Pods) -> CorefileRefusal:
        """Read the logs of CoreDNS's pods that are not ready. Raises CannotRead where none that had to be read can be.

        A container that waits for its next start has the log of its last one.
        """
        unread: CannotRead | None = None
        for pod in [pod for pod in dns_pods(services, pods) if not pod.ready and not pod.leaving][:PODS]:
            path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log"
            try:
                log = api.text(path, tailLines=LINES, limitBytes=BYTES)
            except CannotRead as error:
                unread = CannotRead(f"log of pod {pod.namespace}/{pod.name}", error.reason, error.why)
                continue
            found = cls.parse(f"{pod.namespace}/{pod.name}", log)
            if found.pod:
                return found
        if unread:
            raise unread
        return cls("", 0, "")

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
