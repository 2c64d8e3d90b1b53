"""Why the pods that make the pod network do not stay up: how they ended last, and what they said before.

These are CoreDNS's pods, and on this node kube-proxy's and those of the network's agent. A log is read only of a
container that is down, not ready, or keeps ending: the last lines of its last run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import SYSTEM_NAMESPACE, ContainerEnd, Pod, Pods, dns_pods
from netdoctor.model import Evidence
from netdoctor.program_messages import coredns, kube_proxy, network_agents
from netdoctor.program_messages.message import Message, find
from netdoctor.redact import excerpt
from netdoctor.system.kube_api import KubeApi
from netdoctor.values import Values

COREDNS, KUBE_PROXY = "CoreDNS", "kube-proxy"
# agents of pod networks: what their DaemonSets are called, and the network
AGENTS = {
    "calico-node": "Calico", "canal": "Calico", "kube-flannel-ds": "flannel", "kube-flannel": "flannel",
    "cilium": "Cilium", "weave-net": "Weave", "aws-node": "the VPC CNI", "antrea-agent": "Antrea",
    "kube-multus-ds": "Multus", "kindnet": "kindnet", "kube-router": "kube-router",
}  # fmt: skip
AGENT_NAMESPACES = frozenset((SYSTEM_NAMESPACE, "calico-system", "kube-flannel", "cilium", "kube-router"))
MESSAGES = {COREDNS: coredns.MESSAGES, KUBE_PROXY: kube_proxy.MESSAGES}
MOST, LINES, BYTES = 6, "60", "32768"  # limits on what is read
LONGEST = 240  # characters of a line
# klog's fatal and error lines (F0102, E0102), Go's panics, and the words of other loggers
FATAL = re.compile(r"^\s*(?:F\d{4} |panic: |fatal error: )|\[?\b(?:FATAL|CRITICAL|PANIC)\b|level=fatal")
ERROR = re.compile(r"^\s*E\d{4} |\[?\b(?:ERROR|Error|error)\b|level=error")
# what the kubelet writes in place of a log that is not there yet, or not any more (pkg/kubelet/kuberuntime/logs)
NO_LOG = re.compile(r"(?:failed to try resolving symlinks in path|unable to retrieve container logs for) ")
COMPLAINT = re.compile(
    r"\b(?:cannot|can't|could not|couldn't|unable|fail(?:ed|ure)|denied|refused|invalid|unknown|missing|no such|not "
    r"(?:defined|found|permitted|allowed|supported))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class LastEnd:
    """How one container ended last."""

    program: str  # COREDNS, KUBE_PROXY, or the network that its pod is the agent of
    namespace: str
    pod: str
    node: str
    container: str
    exit_code: int
    kind: str  # the runtime's word for it: Error, OOMKilled
    at: str
    restarts: int
    said: str  # the words of a message that is known, else the line that tells most
    means: str = ""  # "" where the message is not known
    cause: str = ""  # the probe that judges the message
    unread: str = ""  # why its log could not be read

    @property
    def name(self) -> str:
        """Its pod, with the namespace."""
        return f"{self.namespace}/{self.pod}"

    @property
    def in_words(self) -> str:
        """Exit status, what was said, and what it means where no probe says that."""
        kind = "" if self.kind in ("", "Error") else f" ({self.kind})"
        said = f": {self.said}" if self.said else ""
        means = f" ({self.means})" if self.means and not self.cause else ""
        return f"ended with exit status {self.exit_code}{kind}{said}{means}"

    def evidence(self) -> Evidence:
        """The end, as evidence."""
        data = Values(pod=self.name, count=self.restarts)
        return Evidence(f"container {self.container} of pod {self.name}", self.in_words, "it runs", data)


@dataclass(frozen=True, slots=True)
class LastEnds:
    """logs of system pods that do not stay up"""

    items: tuple[LastEnd, ...]

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, api: KubeApi, pods: Pods, services: Services, this: ThisNode) -> LastEnds:
        """The last ends of these pods' containers, with what their logs say, all read at once.

        Where a log cannot be read, the end is still told.
        """
        found = list(_troubled(pods, services, this))[:MOST]
        if not found:
            return cls(())
        with ThreadPoolExecutor(len(found)) as pool:
            return cls(
                tuple(pool.map(lambda each: read_end(api, each[0], each[1], each[2], _messages(each[0])), found))
            )

    def of(self, *programs: str) -> tuple[LastEnd, ...]:
        """Those of these programs."""
        return tuple(end for end in self.items if end.program in programs)

    def of_cause(self, cause: str) -> tuple[LastEnd, ...]:
        """Those whose message this probe judges."""
        return tuple(end for end in self.items if end.cause == cause)

    def without_unknown_words(self) -> LastEnds:
        """For a recording: a line that no entry knows may hold anything."""
        return LastEnds(tuple(map(without_unknown_words, self.items)))


def without_unknown_words(end: LastEnd) -> LastEnd:
    """The end as it is where its message is known, else without what was said."""
    return end if end.cause or end.means else _without_words(end)


def _without_words(end: LastEnd) -> LastEnd:
    return LastEnd(
        end.program, end.namespace, end.pod, end.node, end.container, end.exit_code, end.kind, end.at, end.restarts,
        "", unread="a recording keeps no line that netdoctor does not know",
    )  # fmt: skip


def _troubled(pods: Pods, services: Services, this: ThisNode) -> Iterator[tuple[str, Pod, ContainerEnd]]:
    """The program, the pod and the end of each container that does not stay up."""
    now = time.time()
    for program, pod in _programs(pods, services, this):
        for end in pod.ends:
            if not (end.running and pod.ready) or pod.keeps_ending(now):
                yield program, pod, end


def _programs(pods: Pods, services: Services, this: ThisNode) -> Iterator[tuple[str, Pod]]:
    """The pods that matter for the pod network of this node, by what runs in them."""
    for pod in dns_pods(services, pods):
        if not pod.leaving:
            yield COREDNS, pod
    for pod in pods.items:
        kind, _, name = pod.owner.partition("/")
        if kind != "DaemonSet" or pod.node != this.name or pod.leaving:
            continue
        if name == KUBE_PROXY and pod.namespace == SYSTEM_NAMESPACE:
            yield KUBE_PROXY, pod
        elif name in AGENTS and pod.namespace in AGENT_NAMESPACES:
            yield AGENTS[name], pod


def _messages(program: str) -> tuple[Message, ...]:
    return MESSAGES.get(program, network_agents.MESSAGES)


def read_end(api: KubeApi, program: str, pod: Pod, end: ContainerEnd, messages: tuple[Message, ...]) -> LastEnd:
    """The end, with what the log of that run says; of the newer run where the older one's is gone."""
    said = means = cause = unread = ""
    for previous in (True, False) if end.running else (False, True):
        try:
            log = _log(api, pod, end.container, previous=previous)
        except CannotRead as error:
            unread = unread or error.reason
            continue
        found = find(log, messages)
        if found:
            said, means, cause = found.said, found.means, found.message.cause
            break
        said = said or telling_line(log.splitlines())
    return LastEnd(
        program, pod.namespace, pod.name, pod.node, end.container, end.exit_code, end.kind, end.at, end.restarts,
        said, means, cause, "" if said else unread,
    )  # fmt: skip


def _log(api: KubeApi, pod: Pod, container: str, *, previous: bool) -> str:
    """The last lines of a log. Raises CannotRead, also where the kubelet writes in its place why there is none."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log"
    text = api.text(path, container=container, previous=str(previous).lower(), tailLines=LINES, limitBytes=BYTES)
    if NO_LOG.match(text):
        raise CannotRead(f"log of pod {pod.namespace}/{pod.name}", "the kubelet does not find it", Why.ABSENT)
    return text


def telling_line(lines: Iterable[str]) -> str:
    """The line of a log that tells most of why a program ended: the last fatal one, else the last error or complaint.

    A panic is followed by what each goroutine did, a wrong option by all the right ones. Without any of these it is the
    last line.
    """
    written = [line for line in lines if line.strip()]
    for form in (FATAL, ERROR, COMPLAINT):
        matching = [line for line in written if form.search(line)]
        if matching:
            return excerpt(matching[-1], LONGEST)
    return excerpt(written[-1], LONGEST) if written else ""


def unread_end(ends: Iterable[LastEnd]) -> CannotRead | None:
    """Why the log of one of these could not be read, None where all were."""
    for end in ends:
        if end.unread:
            return CannotRead(f"log of pod {end.name}", end.unread, Why.FAILED)
    return None
