"""What the shell offers for the ends of a trace: names from a recording, or from the cluster if it answers at once.

Whatever goes wrong, nothing is offered and nothing is said: the user is in the middle of a line.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from netdoctor.facts import Facts
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.recording.named_file import STANDARD_INPUT, read_recording
from netdoctor.system.foreign_gzip import unpacked
from netdoctor.system.foreign_json import decode

SECONDS = 1.0
MOST = 8 << 20  # bytes of a recording that are looked through for names
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}/[a-z0-9][a-z0-9.-]{0,252}")  # of anything else the shell learns nothing
SERVICE = "svc/"
SOURCES, DESTINATIONS = ("host", "outside"), ("node", "internet")


def sources(incomplete: str, recording: str | None) -> list[str]:
    """What a trace can come from that begins so: pods, the host, the outside."""
    pods, _ = _names(recording)
    return _fitting(incomplete, [*SOURCES, *pods])


def destinations(incomplete: str, recording: str | None) -> list[str]:
    """Where a trace can go that begins so: Services, pods, the node, the internet."""
    pods, services = _names(recording)
    return _fitting(incomplete, [*DESTINATIONS, *(SERVICE + name for name in services), *pods])


def _fitting(incomplete: str, names: Iterable[str]) -> list[str]:
    """The names that begin so, with or without their namespace."""
    bare = incomplete.removeprefix(SERVICE)
    wanted = [name for name in names if name.startswith(SERVICE)] if bare != incomplete else names
    return sorted(name for name in wanted if name.startswith(incomplete) or name.rpartition("/")[2].startswith(bare))


def _names(recording: str | None) -> tuple[list[str], list[str]]:
    """The full names of pods and of Services; none that could be anything else."""
    if recording == STANDARD_INPUT:
        return [], []
    if recording:
        return _at_once(lambda: _recorded(recording))
    return _at_once(_in_cluster)


def _at_once(ask: Callable[[], tuple[list[str], list[str]]]) -> tuple[list[str], list[str]]:
    """What is answered within SECONDS, else nothing."""
    answers: list[tuple[list[str], list[str]]] = []

    def work() -> None:
        with suppress(Exception):
            answers.append(ask())

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(SECONDS)
    pods, services = answers[0] if answers else ([], [])
    return [name for name in pods if NAME.fullmatch(name)], [name for name in services if NAME.fullmatch(name)]


def _recorded(recording: str) -> tuple[list[str], list[str]]:
    facts = decode(unpacked(read_recording(recording), MOST))["facts"]
    return _listed(facts, "Pods"), _listed(facts, "Services")


def _listed(facts: Any, kind: str) -> list[str]:
    """The full names of the objects that a recorded fact lists."""
    if "fact" not in facts.get(kind, ()):
        return []
    return [f"{item['namespace']}/{item['name']}" for item in facts[kind]["fact"]["items"]]


def _in_cluster() -> tuple[list[str], list[str]]:
    facts = Facts()
    facts.prefetch([Pods, Services])
    pods, services = facts.get(Pods).items, facts.get(Services).items
    return [f"{pod.namespace}/{pod.name}" for pod in pods], [str(service) for service in services]
