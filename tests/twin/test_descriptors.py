"""Copies of a node take more descriptors than most shells give; what cannot be opened is never left out unseen."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from netdoctor.errors import CannotRead
from netdoctor.system.nft_trace import messages
from netdoctor.twin.listening import Responder
from netdoctor.twin.state import Listener
from tests.conftest import ROOT
from tests.twin.network import real

FEW = 64
CHECK = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
sys.argv[1:] = ["check", "--facts", "{ROOT}/tests/recordings/note-b-direct-rules-reload.json", "--trust-recording"]
from netdoctor.cli import main
main()
"""


def check(soft: int, hard: int) -> str:
    """What `check` says of a recording in which two things are broken, with so many descriptors."""
    argv = [sys.executable, "-c", CHECK, str(soft), str(hard)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    return done.stdout


@real
@pytest.mark.thorough
def test_it_takes_as_many_as_it_may() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert "  proof  on a copy of this node, " in check(FEW, hard)


@real
@pytest.mark.thorough
def test_too_few_are_said() -> None:
    said = check(FEW, FEW)
    assert "  proof" not in said
    assert "not verified on a copy of the node: Too many open files" in said


def test_a_listener_that_cannot_be_opened_is_no_closed_port(monkeypatch: pytest.MonkeyPatch) -> None:
    responder = Responder()

    def no_more(*_: object) -> socket.socket:
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr(socket, "socket", no_more)
    with pytest.raises(CannotRead, match="Too many open files"):
        responder.listen(Listener("tcp", "127.0.0.1", 1))
    responder.close()


def test_events_are_heard_whatever_the_number_of_the_socket() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    with ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        opened.callback(ours.close)
        opened.callback(theirs.close)
        assert ours.fileno() > 1024
        theirs.send(b"event")
        assert list(messages(ours, 0)) == [b"event"]
