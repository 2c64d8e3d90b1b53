"""Judging a stranger's recording in a process that has no rights and no time to do harm.

The process is a new one, so nothing that this one has read is in its memory. Where netdoctor was started by root, it
becomes nobody, without groups and without a way back, before it reads the first byte of the recording; the copy of the
recorded node is then made in a user namespace of nobody's. It writes nothing: its answer comes back by a pipe.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from netdoctor.errors import BadInput, BadRecording, CannotRead, NetdoctorError
from netdoctor.recording.named_file import open_recording
from netdoctor.system.patience import tasks_per_processor

SECONDS = 10.0  # of a quiet machine, and of processor time
MEMORY = 512 << 20  # bytes
FARTHEST = 30.0  # times as many seconds on a busy machine, whatever it is busy with
LONGEST_ANSWER = 64 << 20  # bytes
GLANCE = 0.05
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
KEPT = ("LANG", "LC_ALL", "LC_CTYPE", "PATH", "TERM", "COLORTERM", "NO_COLOR", "TZ")
START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from netdoctor.recording.confined import main; main()"
STEERING = re.compile(r"\x1b(?!\[[\d;]{0,20}m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\ud800-\udfff]", re.ASCII)
HINT = "with --trust-recording it is judged without these limits"


@dataclass(frozen=True, slots=True)
class Judging:
    """What is to be judged, and how the answer is to look."""

    command: str  # of the command line, whose module has a function `judge`
    options: Mapping[str, Any]
    width: int  # columns
    colors: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer: for standard output, for the file that was asked for, and the exit status."""

    text: str
    document: str | None
    status: int


def judge(asked: Judging, recording: str) -> Judgement:
    """Judge the recording at this path in a process of its own.

    Raises BadInput, CannotRead, or what that process says.
    """
    with open_recording(recording) as file:
        ours, theirs = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", START, json.dumps(_path()), json.dumps(asdict(asked)), str(theirs)],
                stdin=file,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs,),
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            os.close(ours)
            raise CannotRead.of("recording", error, "no process can be started: ") from error
        finally:
            os.close(theirs)
    try:
        answer = _await(process, ours)
    finally:
        os.close(ours)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)  # the kernel may still be at work for it: nobody waits for that
    return _read(answer, process.returncode, recording)


def _path() -> list[str]:
    return [str(Path(entry or ".").resolve()) for entry in sys.path]


def _environment() -> dict[str, str]:
    """No secret of the caller's; and threads of the C library that share what they have freed."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "MALLOC_ARENA_MAX": "2", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}


def _await(process: subprocess.Popen[bytes], pipe: int) -> bytes:
    """What the process writes until it closes the pipe. Raises BadInput where it needs more than it may."""
    answer = bytearray()
    quiet, last, begin = 0.0, time.monotonic(), time.monotonic()
    while True:
        ready, _, _ = select.select([pipe], [], [], GLANCE)
        if ready:
            part = os.read(pipe, 1 << 20)
            if not part:
                return bytes(answer)
            answer += part
            if len(answer) > LONGEST_ANSWER:
                raise BadInput(f"the recording cannot be judged: its answer is longer than {LONGEST_ANSWER >> 20} MB")
        now = time.monotonic()
        # beside other work everything takes longer, and only there
        quiet, last = quiet + (now - last) / max(1.0, tasks_per_processor()), now
        processor, memory = _taken(process.pid)
        if quiet > SECONDS or processor > SECONDS or now - begin > FARTHEST * SECONDS:
            raise BadInput(f"the recording cannot be judged within {SECONDS:g} s; {HINT}")
        if memory > MEMORY:
            raise BadInput(f"the recording cannot be judged within {MEMORY >> 20} MB; {HINT}")


def _taken(pid: int) -> tuple[float, int]:
    """Seconds of processor time, with those of ended children, and bytes of memory of a process."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0, 0
    return sum(int(word) for word in words[11:15]) / TICKS, pages * PAGE


def _read(answer: bytes, status: int | None, recording: str) -> Judgement:
    """The answer taken apart: it is a stranger's too. Raises what it says, BadRecording, or CannotRead."""
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        said = {}
    if isinstance(said.get("error"), str):
        if said.get("of_file") is True:
            raise BadRecording(_harmless(" ".join(said["error"].split()))).named(recording)
        raise _Said(said["error"], 2 if said.get("status") == 2 else 3)
    text, document, code = said.get("text"), said.get("document", 0), said.get("status")
    if not (isinstance(text, str) and isinstance(document, str | None) and code in (0, 1, 3)):
        limit = " at its limit of memory or time" if status is not None and status < 0 else ""
        raise CannotRead("recording", f"the process that judged it ended without an answer{limit}; {HINT}")
    return Judgement(_harmless(text), None if document is None else _harmless(document), int(code))


def _harmless(text: str) -> str:
    """The text with no other control sequence than colours: what comes from a stranger's file steers no terminal."""
    return STEERING.sub("�", text)


class _Said(NetdoctorError):
    """What the process says in place of an answer."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(_harmless(" ".join(sentence.split())))
        self.exit_code = status
