"""Pods that get no network: the kubelet's words, and which known message is in them.

The test pod is one of them where the CNI has refused it. Events are asked for only where other pods of this node wait
for their network.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pod, Pods
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.model import Evidence, Subject
from netdoctor.program_messages.message import LONGEST, find
from netdoctor.program_messages.sandbox import MESSAGES, plugins_words
from netdoctor.redact import excerpt
from netdoctor.system.clock import utc
from netdoctor.system.kube_api import KubeApi
from netdoctor.values import Values

EVENTS = "/api/v1/events"
FAILED = "reason=FailedCreatePodSandBox"
MOST, LISTED = 5, "200"  # pods that are told, events that are read
TWICE = 2  # refusals of a pod: one may be of the moment
RECENT = 300.0  # seconds since the last of them
TEST_POD = "test pod"


@dataclass(frozen=True, slots=True)
class SandboxRefusal:
    """A pod that gets no network, and why."""

    namespace: str  # "" of the test pod
    pod: str
    said: str  # the words of a message that is known, else what the kubelet says
    means: str = ""  # "" where the message is not known
    cause: str = ""  # the probe that judges the message
    groups: tuple[str, ...] = ()  # what the message names

    @property
    def is_test_pod(self) -> bool:
        """Whether it is the pod that was made to try."""
        return not self.namespace

    @property
    def name(self) -> str:
        """The pod in words."""
        return TEST_POD if self.is_test_pod else f"pod {self.namespace}/{self.pod}"

    def evidence(self) -> Evidence:
        """The refusal, as evidence."""
        data = Values(pod=TEST_POD if self.is_test_pod else f"{self.namespace}/{self.pod}")
        return Evidence(self.name, f"no network: {self.said}", "a network", data)

    def subject(self, node: str) -> Subject:
        """The whole node where the test pod was refused: every new pod is."""
        return Subject(node=node) if self.is_test_pod else Subject(node, self.namespace, self.pod)


@dataclass(frozen=True, slots=True)
class SandboxRefusals:
    """pods that get no network"""

    items: tuple[SandboxRefusal, ...]

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, api: KubeApi, pods: Pods, this: ThisNode, new_pod: NewPod | CannotRead) -> SandboxRefusals:
        """The test pod's refusal, and those of other pods of this node that were refused more than once."""
        found: list[SandboxRefusal] = []
        if isinstance(new_pod, CannotRead) and new_pod.why is Why.NO_NETWORK:
            found.append(refusal_of("", TEST_POD, new_pod.reason))
        waiting = {pod.uid: pod for pod in pods.items if _waits(pod, this.name)}
        if waiting:
            events = api.get(EVENTS, fieldSelector=FAILED, limit=LISTED)["items"]
            found += list(_refused(events, waiting))[:MOST]
        return cls(tuple(found))

    def of_cause(self, cause: str) -> tuple[SandboxRefusal, ...]:
        """Those whose message this probe judges: the test pod's alone where it is one of them."""
        found = tuple(each for each in self.items if each.cause == cause)
        return tuple(each for each in found if each.is_test_pod) or found

    def without_unknown_words(self) -> SandboxRefusals:
        """For a recording: words that no entry knows may hold anything."""
        return SandboxRefusals(tuple(each for each in self.items if each.means))


def refusal_of(namespace: str, pod: str, message: str) -> SandboxRefusal:
    """The pod with what the message says."""
    found = find(message, MESSAGES)
    if found is None:
        return SandboxRefusal(namespace, pod, excerpt(plugins_words(message), LONGEST))
    return SandboxRefusal(namespace, pod, found.said, found.means, found.message.cause, found.groups)


def _waits(pod: Pod, node: str) -> bool:
    """Whether it is on this node, and has no address yet."""
    here = pod.node == node and not pod.host_network and not pod.leaving and not pod.is_ours
    return here and pod.phase == "Pending" and not pod.addresses


def _refused(events: Iterable[Mapping[str, Any]], waiting: Mapping[str, Pod]) -> Iterator[SandboxRefusal]:
    """The last refusal of each of these pods that was refused more than once, and lately."""
    since = utc(time.time() - RECENT)
    by_pod: dict[str, list[Mapping[str, Any]]] = {}
    for event in sorted(events, key=_at):
        uid = str((event.get("involvedObject") or {}).get("uid"))
        if uid in waiting:
            by_pod.setdefault(uid, []).append(event)
    for uid, of_pod in by_pod.items():
        times = sum(int(event.get("count") or 1) for event in of_pod)
        if times >= TWICE and _at(of_pod[-1]) > since:
            pod = waiting[uid]
            yield refusal_of(pod.namespace, pod.name, str(of_pod[-1].get("message", "")))


def _at(event: Mapping[str, Any]) -> str:
    """When it was last seen."""
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
