"""A recording from somebody else: nothing in it gets out of the copy, and whatever is wrong is one sentence."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netdoctor.errors import BadInput, CannotRead
from netdoctor.twin.build import build
from netdoctor.twin.recorded_state import packed, replayed
from netdoctor.twin.trust import check
from netdoctor.twin.wire.netlink import attribute
from netdoctor.twin.wire.uapi.if_link import IFLA

pytestmark = pytest.mark.thorough

RECORDING = Path(__file__).parents[1] / "recordings/note-a-firewalld-reload.json"
Edit = Callable[[dict[str, Any]], object]


def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORDING.read_text())["facts"]["NodeNetwork"]["fact"]
    return found


def link(name: bytes) -> str:
    return packed([b"\0" * 16 + attribute(IFLA.IFNAME, name + b"\0") + attribute(IFLA.MTU, b"\xdc\x05\0\0")])


HOSTILE: dict[str, Edit] = {
    "a setting outside": lambda n: n["sysctls"].update({"../../../../tmp/pwned": "1"}),
    "a setting of the kernel": lambda n: n["sysctls"].update({"ipv4/../../kernel/core_pattern": "|/bin/x"}),
    "an absolute setting": lambda n: n["sysctls"].update({"/etc/passwd": "x"}),
    "a setting with NUL": lambda n: n["sysctls"].update({"ipv4/x\0y": "x"}),
    "a setting for which the kernel loads a module": lambda n: n["sysctls"].update(
        {"ipv4/tcp_congestion_control": "pwned"}
    ),
    "half a letter": lambda n: n["sysctls"].update({"ipv4/\ud800": "x"}),
    "ipset writes a file": lambda n: n.update(ipsets="create a hash:ip\nsave -file /tmp/pwned\n"),
    "ipset, an option": lambda n: n.update(ipsets="create a hash:ip -f /tmp/pwned\n"),
    "iptables loads a program": lambda n: n.update(legacy="*filter\n-A INPUT --modprobe=/tmp/x -j ACCEPT\nCOMMIT\n"),
    "iptables, cut short": lambda n: n.update(legacy="*filter\n-A INPUT --modp /tmp/x -j ACCEPT\nCOMMIT\n"),
    "iptables, one letter": lambda n: n.update(legacy="*filter\n-A INPUT -M /tmp/x -j ACCEPT\nCOMMIT\n"),
    "iptables, letters together": lambda n: n.update(legacy="*filter\n-A INPUT -vM/tmp/x -j ACCEPT\nCOMMIT\n"),
    "iptables, another verb": lambda n: n.update(legacy6="*filter\n-F\nCOMMIT\n"),
    "a name for nft to read": lambda n: n.update(links=link(b'a";include"/e')),
    "a name with a slash": lambda n: n.update(links=link(b"../../x")),
    "a name of dots": lambda n: n.update(links=link(b"..")),
    "a counter": lambda n: n.update(nfacct=["a b"]),
    "a port": lambda n: n.update(listeners=[{"protocol": "tcp", "address": "0.0.0.0", "port": 99999}]),
    "a protocol": lambda n: n.update(listeners=[{"protocol": "sctp", "address": "0.0.0.0", "port": 9}]),
    "more listeners than a node has": lambda n: n.update(
        listeners=[{"protocol": "tcp", "address": "0.0.0.0", "port": 1 + p % 65000} for p in range(5000)]
    ),
    "short messages": lambda n: n.update(routes=packed([b"\0" * 3])),
    "empty messages": lambda n: n.update(routes=packed([b"\0" * 64])),
    "messages of nothing": lambda n: n.update(routes=packed([b""])),
    "more messages than fit into memory": lambda n: n.update(routes=packed([b"\2" + b"\0" * 11] * 2_000_000)),
    "a type": lambda n: n.update(legacy=5),
    "another type": lambda n: n.update(sysctls=[]),
    "no name": lambda n: n.pop("name"),
    "another name": lambda n: n.update(name="somebody"),
    "half a connection": lambda n: n.update(conntrack=packed([b"\2\0\0\0" + attribute(2, b"") + b"\0" * 4])),
    "an address": lambda n: n.update(address="10.0.0.0; x"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(HOSTILE))
def test_what_gets_out_is_refused(name: str) -> None:
    network = stored()
    HOSTILE[name](network["namespaces"][0])
    with pytest.raises(BadInput, match="network state is damaged") as caught:
        replayed(network)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200
    assert not any(word in str(caught.value) for word in ("Error", "NoneType", "object has no"))


@pytest.mark.parametrize(
    ("error", "says"), [(KeyError(1), "a part is missing"), (struct.error("unpack requires"), "a message is cut short")]
)
def test_what_cannot_be_copied_is_a_sentence(error: Exception, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise error

    monkeypatch.setattr("netdoctor.twin.build._Builder.build", broken)
    with pytest.raises(CannotRead, match=f"the network state cannot be copied: {says}$"):
        build(replayed(stored()))


def test_two_namespaces_of_one_name_are_refused() -> None:
    network = stored()
    network["namespaces"].append(network["namespaces"][1])
    with pytest.raises(BadInput):
        replayed(network)


@pytest.mark.parametrize("path", sorted(RECORDING.parent.glob("*.json")), ids=lambda p: p.stem)
def test_what_a_node_has_is_accepted(path: Path) -> None:
    network = replayed(json.loads(path.read_text())["facts"]["NodeNetwork"]["fact"])
    check([network.node, *network.pods])


@pytest.mark.parametrize("command", [["check"], ["trace", "client", "10.96.0.10", "53"]], ids=["check", "trace"])
def test_a_hostile_recording_ends_with_one_sentence(command: list[str], tmp_path: Path) -> None:
    recording = json.loads(RECORDING.read_text())
    target = tmp_path / "pwned"
    recording["facts"]["NodeNetwork"]["fact"]["namespaces"][0]["sysctls"][f"../../..{target}"] = "1"
    file = tmp_path / "hostile.json"
    file.write_text(json.dumps(recording))
    done = subprocess.run(
        [sys.executable, "-m", "netdoctor", *command, "--facts", str(file)],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not target.exists()


@pytest.mark.parametrize("file", ["/dev/zero", "/"])
def test_what_is_no_file_is_not_read(file: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netdoctor", "trace", "--facts", file, "a", "1.1.1.1", "53"],
        check=False, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["check"], ["check", "-o", "json"]], ids=["text", "json"])
def test_a_full_disk_is_a_sentence(command: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "netdoctor", *command, "--facts", str(RECORDING.parent / "healthy.json")],
            check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr
