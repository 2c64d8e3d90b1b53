"""Why a pod does not get ready, as one sentence: from its status, the log of its last run, and its events.

The texts are those of the kubelet, of libpq, of Prisma and of LiteLLM 1.106.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netdoctor.program_messages import gateways, sandbox
from netdoctor.program_messages.message import LONGEST, Kind, find
from netdoctor.redact import redact

Pod = Mapping[str, Any]
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a pod is not ready."""

    pod: str
    kind: Kind
    sentence: str
    lasting: bool  # whether waiting longer cannot help

    @property
    def is_failure(self) -> bool:
        """Whether there is anything wrong at all."""
        return self.kind is not Kind.STARTING


IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable")
CONFIG_REASONS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
STATUS_CODES = {
    "404": "nothing answers at that path: the probe's path is wrong",
    "401": "it requires a key: the probe's path is wrong",
    "503": "LiteLLM says that it is not ready (is its database there?)",
}
BEFORE_CONTAINERS = ("FailedCreatePodSandBox", "sandbox", "FailedMount", "MountVolume")
UNHEALTHY = re.compile(r"(Startup|Readiness|Liveness) probe failed: (.*)", re.DOTALL)


def why(pod: Pod, log: Callable[[str, bool], str], events: Sequence[Mapping[str, Any]]) -> Failure:
    """Why this pod is not ready; kind STARTING where nothing speaks against its getting ready.

    `log` gives the last lines of a container's log, of its previous run when the second argument is true.
    """
    name, status = pod["metadata"]["name"], pod.get("status", {})
    messages = [" ".join(str(e.get("message", "")).split()) for e in events if e.get("type") == "Warning"]
    return (
        _of_scheduling(name, status)
        or _of_containers(name, status, log, messages)
        or _of_sandbox(name, status, messages)
        or Failure(name, Kind.STARTING, "it is starting", False)
    )


def _of_scheduling(pod: str, status: Mapping[str, Any]) -> Failure | None:
    """That no node takes it."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") != "True":
            said = cut(condition.get("message", ""))
            return Failure(pod, Kind.NOT_SCHEDULED, f"it cannot be scheduled: {said}", False)
    return None


def _of_containers(
    pod: str, status: Mapping[str, Any], log: Callable[[str, bool], str], messages: Sequence[str]
) -> Failure | None:
    """What is wrong with the first container that has something wrong, the init containers before the others."""
    inits = status.get("initContainerStatuses") or ()
    for container in (*inits, *(status.get("containerStatuses") or ())):
        if found := _of_container(pod, container, log, messages, waits=container in inits):
            return found
    return None


def _of_sandbox(pod: str, status: Mapping[str, Any], messages: Sequence[str]) -> Failure | None:
    """That the kubelet cannot make its network or mount its volumes."""
    stuck = [message for message in messages if any(word in message for word in BEFORE_CONTAINERS)]
    if not stuck or any(container.get("ready") for container in status.get("containerStatuses") or ()):
        return None
    kind = Kind.CONFIG if "ount" in stuck[-1] else Kind.NETWORK
    known = find(stuck[-1], sandbox.MESSAGES)
    said = f"{known.means} ({known.said})" if known else cut(stuck[-1])
    return Failure(pod, kind, f"the kubelet cannot start it: {said}", False)


def _of_container(
    pod: str, container: Mapping[str, Any], log: Callable[[str, bool], str], messages: Sequence[str], *, waits: bool
) -> Failure | None:
    """What is wrong with one container, None for nothing; `waits` says that it is an init container."""
    name = container["name"]
    if found := _of_waiting(pod, container):
        return found
    state = container.get("state") or {}
    last = (container.get("lastState") or {}).get("terminated")
    end = _failed(state.get("terminated")) or last
    if end and end.get("reason") == "OOMKilled":
        return Failure(pod, Kind.OOM, f"{name} was killed: out of memory (OOMKilled): raise its limit", True)
    if container.get("ready"):
        return None
    running = bool(state.get("running"))
    if end:
        previous = end is last and not (waits and running)
        return _of_end(pod, name, end, read(log(name, previous)), messages)
    return _of_unready(pod, name, log, messages, waits=waits) if running else None


def _of_unready(
    pod: str, name: str, log: Callable[[str, bool], str], messages: Sequence[str], *, waits: bool
) -> Failure | None:
    """Why a container that runs does not get ready: an init container says it itself, of others a probe fails."""
    return of_log(pod, read(log(name, False))) if waits else _of_probe(pod, messages)


def _failed(end: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The end of a run that did not end well."""
    return end if end and end.get("exitCode") else None


def _of_waiting(pod: str, container: Mapping[str, Any]) -> Failure | None:
    """What keeps the kubelet from starting a container."""
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, said = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    if reason in IMAGE_REASONS:
        sentence = f"the image {container.get('image')} cannot be pulled: {cut(said or reason)}"
        return Failure(pod, Kind.IMAGE, sentence, True)
    if reason in CONFIG_REASONS:
        return Failure(pod, Kind.CONFIG, f"the kubelet cannot start {container['name']}: {cut(said or reason)}", True)
    return None


def _of_end(pod: str, name: str, end: Mapping[str, Any], log: str, messages: Sequence[str]) -> Failure:
    """Why a container ended: what its log says, else the probe that failed, else the log's last line as it is."""
    if found := of_log(pod, log) or _of_probe(pod, messages):
        return found
    lines = redact(log).strip().splitlines()
    said = lines[-1] if lines else str(end.get("reason", ""))
    return Failure(pod, Kind.CRASH, f"{name} ended with exit status {end.get('exitCode')}: {cut(said)}", False)


def _of_probe(pod: str, messages: Sequence[str]) -> Failure | None:
    """A probe that fails otherwise than by a refused connection, which every start shows."""
    for message in reversed(messages):
        match = UNHEALTHY.search(message)
        if not match or "connection refused" in message or "context deadline" in message:
            continue
        if code := re.search(r"statuscode: (\d+)", message):
            words = f": {STATUS_CODES[code[1]]}" if code[1] in STATUS_CODES else ""
            sentence = f"its {match[1].lower()} probe gets {code[1]}{words}"
            return Failure(pod, Kind.PROBE, sentence, code[1] in ("404", "401"))
        return Failure(pod, Kind.PROBE, f"its {match[1].lower()} probe fails: {cut(match[2])}", False)
    return None


def of_log(pod: str, text: str) -> Failure | None:
    """What the last lines of a log say; None where they say nothing that is known."""
    found = find(text, gateways.MESSAGES)
    if found is None:
        return None
    return Failure(pod, found.message.kind, found.means, found.message.lasting)


def read(text: str) -> str:
    """A log without the colours."""
    return ANSI.sub("", text)


def cut(text: str) -> str:
    """Somebody else's text on one line, without secrets, of a length to be read."""
    line = redact(" ".join(redact(str(text)).split()))
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def first_cause(failures: Iterable[Failure]) -> Failure | None:
    """The one to name: that of the database before those that wait for it, else the most telling kind."""
    wrong = [f for f in failures if f.is_failure]
    if not wrong:
        return None
    count = {(f.kind, f.sentence): sum(g.sentence == f.sentence for g in wrong) for f in wrong}
    waiting = any(f.kind in (Kind.NETWORK, Kind.DATABASE) for f in wrong)
    return min(
        wrong,
        key=lambda f: (not (waiting and f.pod.startswith("postgres")), f.kind, -count[f.kind, f.sentence], f.pod),
    )
