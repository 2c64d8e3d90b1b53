"""A stranger's recording is judged without rights, in time and within its memory, or refused with one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netdoctor.errors import BadInput, CannotRead
from netdoctor.recording import confinement
from netdoctor.recording.confinement import Judging, judge
from netdoctor.twin.recorded_state import packed
from netdoctor.twin.wire.netlink import attribute
from netdoctor.twin.wire.uapi.if_link import IFLA
from tests.cli.test_cli import START, netdoctor, one_sentence
from tests.conftest import ROOT

pytestmark = pytest.mark.thorough

RECORDING = ROOT / "tests/recordings/note-a-firewalld-reload.json"
ASKED = Judging("check", {"output": "json", "wants_report": False}, 80, False)
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
USED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
print(done.returncode, done.stderr.strip().replace("\\n", " | "), sep="\\n")
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss >> 10, used.ru_utime + used.ru_stime)
"""


def network() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDING.read_text())
    return found


def many_links() -> bytes:
    found = network()
    node = found["facts"]["NodeNetwork"]["fact"]["namespaces"][0]
    node["links"] = packed(
        b"\0" * 4 + number.to_bytes(4, sys.byteorder) + b"\0" * 8
        + attribute(IFLA.IFNAME, b"l%d\0" % number) + attribute(IFLA.MTU, b"\xdc\x05\0\0")
        for number in range(1, 13_001)
    )  # fmt: skip
    return json.dumps(found).encode()


def more_cures_than_verdicts() -> bytes:
    reply = {"answer": "timeout", "milliseconds": 1000.0, "icmp": "", "detail": ""}
    flow = {"vantage": "a", "kind": "outside", "target": "b", "address": "192.0.2.1", "port": 53, "reply": reply}
    dropped = dict.fromkeys(("family", "table", "chain", "text", "last_seen"), "") | {"handle": 0}
    tried = {"name": "a", "cause": "pod-to-outside-blocked", "says": "b", "change": "c", "remedy": False}
    trial = {
        "flow": "a", "kind": "outside", "node": "x", "twin": "x", "alike": True, "passes": False, "dropped": dropped,
        "legacy": "", "route": "", "cures": [[tried], [tried]], "necessary": [True],
    }  # fmt: skip
    experiments = {
        "trials": [trial], "programs": [], "copies": 1, "seconds": 1.0, "cut_short": "", "tried_causes": [],
        "not_tried": [],
    }  # fmt: skip
    facts = {name: fact for name, fact in network()["facts"].items() if name != "NodeNetwork"}
    facts |= {"Experiments": {"fact": experiments}, "Reach": {"fact": {"flows": [flow]}}}
    return json.dumps({"schema_version": 1, "facts": facts}).encode()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "thirteen thousand links": many_links,
    "lists in 24 MB": lambda: b'{"schema_version": 1, "facts": {"a": [' + b"[]," * 8_000_000 + b"0]}}",
    "objects in 24 MB": lambda: b'{"schema_version": 1, "facts": {"a": [' + b"{}," * 8_000_000 + b"0]}}",
    "numbers in 24 MB": lambda: b'{"schema_version": 1, "facts": {"a": [' + b"1," * 12_000_000 + b"0]}}",
    "nothing but depth": lambda: b"[" * 20_000_000,
    "depth within the number of values": lambda: b'{"schema_version":' + b"[" * 900_000 + b"]" * 900_000 + b"}",
    "more cures than verdicts": more_cures_than_verdicts,
}  # fmt: skip


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_recording_is_refused_in_time_and_within_its_memory(name: str, tmp_path: Path) -> None:
    file = tmp_path / "hostile.json"
    file.write_bytes(HOSTILE[name]())
    command = [sys.executable, "-c", USED, *START, "check", "--facts", str(file)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd=ROOT).stdout.splitlines()
    status, sentence, (megabytes, seconds) = said[0], said[1], said[2].split()
    assert status == "2", said
    assert sentence.startswith("netdoctor: ")
    assert "|" not in sentence
    assert int(megabytes) < 512
    assert float(seconds) < 10  # of the processor's: others may use it too


def test_it_is_refused_with_json_where_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "hostile.json"
    file.write_bytes(b'{"schema_version": 1, "facts": {"Sysctls": {"fact": {"values": 3}}}}')
    done = netdoctor("check", "--facts", file, "-o", "json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] in one_sentence(done)


STATUS = "from netdoctor.recording.confined import confine; confine(); print(open('/proc/self/status').read())"


@root
def test_root_gives_up_every_right() -> None:
    said = subprocess.run([sys.executable, "-c", STATUS], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    status = dict(line.partition(":")[::2] for line in said.splitlines())
    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert status["Groups"].split() == []
    assert status["NoNewPrivs"].strip() == "1"
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[capabilities], 16) == 0


@root
def test_the_process_that_judges_has_no_rights_on_this_machine() -> None:
    """Looked at from outside while it works: it is nobody, and what it may do it may in its own namespace alone."""
    with subprocess.Popen(
        [*START, "check", "--facts", str(RECORDING), "-o", "json"], stdout=subprocess.DEVNULL, cwd=ROOT
    ) as parent:
        seen: dict[str, str] = {}
        while parent.poll() is None:
            for child in children(parent.pid):
                try:
                    status = dict(
                        line.partition(":")[::2] for line in Path(f"/proc/{child}/status").read_text().splitlines()
                    )
                    own = Path(f"/proc/{child}/ns/user").readlink()
                except OSError:
                    continue
                if own != Path("/proc/self/ns/user").readlink():
                    seen[child] = status["Uid"].split()[1]
            time.sleep(0.005)
    assert parent.returncode == 1
    assert seen, "the copy was made in no other user namespace"
    assert set(seen.values()) == {"65534"}


def children(pid: int) -> list[str]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return found.read_text().split() if found.exists() else []


# in a user namespace that has every user and group, and may have no other below it
WITHOUT_NAMESPACES = """
import ctypes, os, sys
ready, told = os.pipe()
go, let = os.pipe()
child = os.fork()
if child == 0:
    ctypes.CDLL(None).unshare(0x10000000)
    os.write(told, b"x")
    os.read(go, 1)
    open("/proc/sys/user/max_user_namespaces", "w").write("0")
    os.execvp(sys.argv[1], sys.argv[1:])
os.read(ready, 1)
for name in ("uid_map", "gid_map"):
    open(f"/proc/{child}/{name}", "w").write("0 0 65536")
os.write(let, b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@root
@pytest.mark.parametrize("command", [("check",), ("trace", "default/client", "10.96.0.10", "53")])
def test_without_user_namespaces_it_is_judged_without_a_copy(command: tuple[str, ...]) -> None:
    done = netdoctor(*command, "--facts", RECORDING, before=(sys.executable, "-c", WITHOUT_NAMESPACES))
    assert "does not let an unprivileged process make a user namespace" in " ".join((done.stdout + done.stderr).split())
    assert done.returncode == (1 if command == ("check",) else 3)


def test_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "SECONDS", 0.01)
    with pytest.raises(BadInput, match=r"^the recording cannot be judged within 0\.01 s; "):
        judge(ASKED, str(RECORDING))


def test_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "MEMORY", 8 << 20)
    with pytest.raises(BadInput, match=r"^the recording cannot be judged within 8 MB; "):
        judge(ASKED, str(RECORDING))


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"5", b'{"text": 5, "document": null, "status": 0}', b"[" * 100_000, b'{"text": ""}',
               b'{"text": "", "document": null, "status": 77}'],
)  # fmt: skip
def test_an_answer_is_a_strangers_word_too(answer: bytes) -> None:
    with pytest.raises(CannotRead, match="ended without an answer"):
        confinement._read(answer, 0, "node.json")


def test_an_answer_steers_no_terminal() -> None:
    text = "\x1b[1mbold\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[31;1mred\x1b[m\r\n\tx\x9b2J"
    answer = json.dumps({"text": text, "document": "a\x1bb\n", "status": 0}).encode()
    found = confinement._read(answer, 0, "node.json")
    assert found.text == "\x1b[1mbold\x1b[0m �]0;title� �[2J\x1b[31;1mred\x1b[m�\n\tx�2J"
    assert found.document == "a�b\n"


def test_the_callers_environment_stays_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETDOCTOR_DATABASE_URL", "postgresql://a:secret@b/c")
    assert "secret" not in repr(confinement._environment())


def test_a_recording_that_is_no_regular_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    done = netdoctor("check", "--facts", fifo)
    assert done.returncode == 2
    assert one_sentence(done) == f"netdoctor: {fifo} cannot be read: not a regular file"
