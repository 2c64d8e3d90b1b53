"""The process in which a recording is judged (see confinement): it gives up its rights first, and reads then."""

from __future__ import annotations

import ctypes
import json
import os
import pkgutil
import resource
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any, NoReturn

from netdoctor.errors import BadRecording, CannotRead, NetdoctorError
from netdoctor.recording.confinement import LONGEST_ANSWER, MEMORY, SECONDS, Judgement
from netdoctor.system.foreign_json import LARGEST
from netdoctor.twin.namespace import become_root_of_a_user_namespace

NOBODY = 65534
SET_DEATH_SIGNAL, SET_DUMPABLE, SET_NO_NEW_PRIVS = 1, 4, 38
STACK = 512 << 10  # bytes of a thread: there are many, and none goes deep
DATA = MEMORY - (32 << 20)
LATE = ("concurrent.futures.thread", "encodings.ascii", "encodings.idna", "encodings.latin_1", "encodings.utf_8_sig")
# judged once beforehand: that imports what is imported late
NOTHING = b'{"schema_version": 1, "facts": {"Links": {"cannot_read": {"source": "ip", "reason": "not asked"}}}}'


def main() -> NoReturn:
    """Judge standard input; arguments: the path of modules, what is asked, and the number of the answer's pipe."""
    asked, pipe = json.loads(sys.argv[2]), int(sys.argv[3])
    try:
        _import_everything()
        confine()
        _answer(pipe, _judged(asked))
    except NetdoctorError as error:
        of_file = isinstance(error, BadRecording)
        _answer(pipe, {"error": str(error), "status": error.exit_code, "of_file": of_file})
    except MemoryError:
        _answer(pipe, {"error": f"the recording cannot be judged within {MEMORY >> 20} MB", "status": 2})
    except Exception as error:  # nothing of the recording's may look like a mistake of the machine's
        _answer(pipe, {"error": f"the recording cannot be judged: {type(error).__name__}", "status": 3})
    os._exit(0)


def confine(*, readable: bool = True) -> None:
    """Give up root and every way to new rights, and limit memory and processor time. Raises CannotRead.

    `readable`: whether other processes of nobody's may look into this one; else it has something of root's in it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.getuid() == 0 or os.geteuid() == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        except OSError as error:
            raise CannotRead.of("recording", error, "root cannot become nobody here: ") from error
    if libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise CannotRead.of("recording", ctypes.get_errno(), "rights cannot be given up: ")
    # where it is 0, nobody may not write its own /proc/self/uid_map
    libc.prctl(SET_DUMPABLE, int(readable), 0, 0, 0)
    libc.prctl(SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_DATA, (DATA, DATA))
    resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS) + 1, int(SECONDS) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # every listener of every copy is one
    threading.stack_size(STACK)


def _import_everything() -> None:
    """Import what is needed later while the files can be read: nobody cannot enter somebody's home."""
    import netdoctor
    from netdoctor.changes import kinds
    from netdoctor.diagnosis.catalogue import Catalogue
    from netdoctor.experiments.interventions import files
    from netdoctor.facts.traffic.node_network import NodeNetwork
    from netdoctor.recording.file import validator, wanted
    from netdoctor.system.host import Host

    catalogue = Catalogue.load()
    kinds()
    files()
    for module in pkgutil.walk_packages(netdoctor.__path__, "netdoctor."):
        if not module.name.startswith(("netdoctor.probes.", "netdoctor.remedies.", "netdoctor.__main__")):
            with suppress(ImportError):
                import_module(module.name)
    for name in LATE:
        import_module(name)
    for kind in wanted(catalogue):
        if is_dataclass(kind) and not issubclass(kind, (Host, NodeNetwork)):
            validator(kind).validate_python  # noqa: B018 - made, and remembered
    import_module("netdoctor.cli.check").judge(NOTHING, True, 80, True, output="text", detail="all", form="json")


def _judged(asked: dict[str, Any]) -> dict[str, Any]:
    own_namespace = become_root_of_a_user_namespace()
    data = sys.stdin.buffer.read(LARGEST + 1)
    judge = import_module(f"netdoctor.cli.{asked['command']}").judge
    found: Judgement = judge(data, own_namespace, asked["width"], asked["colors"], **asked["options"])
    return {"text": found.text, "document": found.document, "status": found.status}


def _answer(pipe: int, answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode()
    if len(data) > LONGEST_ANSWER:
        data = json.dumps({"error": "the recording's answer is too long", "status": 2}).encode()
    while data:
        data = data[os.write(pipe, data) :]
