"""What the shell offers for the ends of a trace: names from a recording, or from the cluster if it answers at once.

Whatever goes wrong, nothing is offered and nothing is said: the user is in the middle of a line. A recording is read
by a process without rights, as where it is judged. No program is started, neither a kubeconfig's plugin nor any other.
"""

from __future__ import annotations

import encodings.utf_8_sig  # noqa: F401 - what decodes a recording: without rights its file may be out of reach
import os
import re
import select
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, BinaryIO, NoReturn

from netdoctor.errors import CannotRead, NetdoctorError
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.recording.confined import confine
from netdoctor.recording.named_file import STANDARD_INPUT, open_recording
from netdoctor.system.foreign_files import own_descriptor
from netdoctor.system.foreign_gzip import unpacked
from netdoctor.system.foreign_json import decode
from netdoctor.system.host import Host
from netdoctor.system.kube_api import connect
from netdoctor.system.kubeconfig import choose

SECONDS = 1.0
PART = 1 << 16  # bytes
MOST = 8 << 20  # bytes of a recording that are looked through for names
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}/[a-z0-9][a-z0-9.-]{0,252}")  # of anything else the shell learns nothing
SERVICE = "svc/"
NOT_READ = CannotRead("iptables", "a program would have to be started")
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
    if recording and (recording == STANDARD_INPUT or own_descriptor(recording) is not None):
        return [], []  # the shell's own input is not read
    pods, services = _recorded(recording) if recording else _in_cluster()
    return [name for name in pods if NAME.fullmatch(name)], [name for name in services if NAME.fullmatch(name)]


def _in_cluster() -> tuple[list[str], list[str]]:
    """What the API server answers within SECONDS, else nothing."""
    answers: list[tuple[list[str], list[str]]] = []

    def ask() -> None:
        with suppress(Exception):
            choose(starts_nothing=True)
            api = connect(Host())
            pods, services = Pods.collect(api).items, Services.collect(api, NOT_READ).items
            answers.append(([f"{pod.namespace}/{pod.name}" for pod in pods], [str(service) for service in services]))

    worker = threading.Thread(target=ask, daemon=True)
    worker.start()
    worker.join(SECONDS)
    return answers[0] if answers else ([], [])


def _recorded(recording: str) -> tuple[list[str], list[str]]:
    """What a process without rights finds in a recording within SECONDS, else nothing."""
    ours, theirs = os.pipe()
    with suppress(NetdoctorError, OSError), open_recording(recording) as file, os.fdopen(ours, "rb") as pipe:
        reader = os.fork()
        if not reader:
            _tell(file, theirs)
        os.close(theirs)
        try:
            told = _read_for(SECONDS, pipe).decode(errors="replace")
        finally:
            os.kill(reader, signal.SIGKILL)
            os.waitpid(reader, 0)
        pods, _, services = told.partition("\n\n")
        return pods.split("\n"), services.split("\n")
    return [], []


def _tell(file: BinaryIO, pipe: int) -> NoReturn:
    """Give up all rights, then write the names in a recording into the pipe: pods, an empty line, Services."""
    try:
        confine(readable=False)
        facts = decode(unpacked(file.read(MOST + 1), MOST))["facts"]
        kinds = ("\n".join(_listed(facts, kind)) for kind in ("Pods", "Services"))
        data = "\n\n".join(kinds).encode()
        while data:
            data = data[os.write(pipe, data) :]
    finally:
        os._exit(0)


def _read_for(seconds: float, pipe: BinaryIO) -> bytes:
    """What comes out of a pipe until it is closed; b"" where that takes longer."""
    found, end = bytearray(), time.monotonic() + seconds
    while select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(pipe.fileno(), PART)
        if not part:
            return bytes(found)
        found += part
    return b""


def _listed(facts: Any, kind: str) -> list[str]:
    """The full names of the objects that a recorded fact lists."""
    if "fact" not in facts.get(kind, ()):
        return []
    names = [f"{item['namespace']}/{item['name']}" for item in facts[kind]["fact"]["items"]]
    return [name for name in names if NAME.fullmatch(name)]
