"""`fix` on a real node: what changes while it asks is noticed, and what nobody confirms is undone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Lab
from tests.node_state import SCRIPT, difference, sections
from tests.terminal import on_terminal

pytestmark = pytest.mark.lab
PERSON, NODE = "10.77.0.1", "10.77.0.2"
ASKED = "[y/N] "
CHANGED = "the node is not as it was when the repair was planned"
SECONDS = 10
UNDOING = 15.0  # seconds for an undo that takes one or two on a quiet machine
# a careless repair, as somebody else might write one: it also takes out the rule by which a person comes
CARELESS = """
import sys
from netdoctor import remedy
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.changes.direct_rules import RemoveDirectRules
from netdoctor.cli import main

@remedy(fixes="direct-rules-flush-iptables")
def remove_all_direct_rules(findings):
    yield RemoveDirectRules.planned()

catalogue = Catalogue.load()
wider = Catalogue.of(catalogue.probes, {**catalogue.remedies, remove_all_direct_rules.name: remove_all_direct_rules})
Catalogue.load = lambda: wider
sys.argv[0] = "netdoctor"
main()
"""
SSHD = "import socket\\nserver = socket.create_server(('0.0.0.0', 22))\\nwhile True: server.accept()[0].close()"
REACHED = f"python3 -c \"import socket; socket.create_connection(('{NODE}', 22), 2, ('{PERSON}', 0))\""


def on(lab: Lab, *turns: tuple[str, str, str], argv: list[str], kill: bool = False) -> dict[str, Any]:
    """What netdoctor says on a terminal of the node, with a command and an answer at each turn."""
    wanted = json.dumps({"argv": argv, "turns": turns, "kill": kill})
    printed = lab.python(Path(on_terminal.__file__).read_text(), f"{on_terminal.TERMINAL}={wanted}")
    told: dict[str, Any] = json.loads(printed)
    return told


@pytest.fixture(scope="module")
def node(lab: Lab) -> Lab:
    lab.reset(firewalld="2.3")
    return lab


@pytest.mark.parametrize(
    ("broken", "meanwhile", "what", "mended"),
    [
        ("sysctl -qw net.ipv4.ip_forward=0", "sysctl -qw net.ipv4.conf.eth0.forwarding=1", "forwarding",
         "sysctl -qw net.ipv4.ip_forward=1"),
        ("firewall-cmd -q --reload", "firewall-cmd -q --permanent --zone=trusted --add-source=192.0.2.0/24",
         "firewalld's zone trusted has changed", "firewall-cmd -q --zone=trusted --add-source=10.244.0.0/16"),
        ("iptables-save -t nat >/tmp/nat; grep -m1 'A POSTROUTING.*-j CNI-' /tmp/nat >/tmp/jump; "
         "iptables -t nat -F POSTROUTING", "{ echo '*nat'; cat /tmp/jump; echo COMMIT; } | iptables-restore -n",
         "the masquerade rules of pod", "iptables-restore -T nat /tmp/nat"),
        ("iptables -t nat -F POSTROUTING", "kubectl delete pod client --now; sleep 3",
         "is gone since the repair was planned", "true"),
    ],
    ids=["sysctl", "zone", "rule", "pod"],
)  # fmt: skip
def test_what_changes_while_it_asks_is_noticed(node: Lab, broken: str, meanwhile: str, what: str, mended: str) -> None:
    node.must(broken)
    told = on(node, (ASKED, meanwhile, "y\n"), (CHANGED, "true", ""), (ASKED, "true", "n\n"), argv=["netdoctor", "fix"])
    node.must(mended)
    print(told["text"])
    assert told["status"] == 1, told["text"]
    assert what in " ".join(told["text"].partition("the node has changed: ")[2].split())[:300], told["text"]
    assert " drifted: " in told["text"]
    assert node.must("netdoctor undo") == "nothing to undo\n", "nothing was made of what was shown first"


@pytest.fixture(scope="module")
def visited(lab: Lab) -> Lab:
    """A node on which a direct rule lets one person in, and whatever the policy is, nobody else."""
    lab.reset(firewalld="2.3")
    lab.must("firewall-cmd -q --zone=trusted --add-source=10.244.0.0/16")
    rules = ["OUTPUT 0 -p udp --dport 53 -j ACCEPT", f"INPUT 0 -s {PERSON} -p tcp --dport 22 -j ACCEPT"]
    for rule in rules:
        for permanently in ("", "--permanent"):
            lab.must(f"firewall-cmd -q {permanently} --direct --add-rule ipv4 filter {rule}")
    lab.must("iptables -A INPUT -p tcp --dport 22 -j DROP; firewall-cmd -q --zone=public --add-service=ssh")
    lab.must(f"cat > /tmp/careless.py <<'END'\n{CARELESS}END")
    lab.must(f'setsid /opt/netdoctor/bin/python -c "$(printf "{SSHD}")" >/dev/null 2>&1 </dev/null & sleep 1')
    assert lab.outside(REACHED).returncode == 0, "the person comes in"
    return lab


CAREFREE = [
    "/opt/netdoctor/bin/python", "/tmp/careless.py", "fix", "--yes", "--without-rehearsal", "--only",
    "remove-all-direct-rules", "--confirm", str(SECONDS),
]  # fmt: skip
KEEP = f"Keep it? Press ENTER within {SECONDS} s, else it is undone. "
BACK = f"firewall-cmd --direct --get-all-rules | grep -q -- '-s {PERSON}'"


def test_a_repair_that_locks_the_person_out_is_undone(visited: Lab) -> None:
    for _ in range(int(os.environ.get("NETDOCTOR_TEST_ROUNDS", "1"))):
        before = sections(visited.must(SCRIPT))
        told = on(visited, (KEEP, BACK, ""), argv=CAREFREE, kill=True)
        print(f"undone {told['seconds']} s after netdoctor and its session were killed")
        assert told["seconds"] <= SECONDS + UNDOING
        assert visited.outside(REACHED).returncode == 0, "the person comes in again"
        listed = visited.must("for i in $(seq 50); do netdoctor undo --list | grep -q not-confirmed && break; "
                              "sleep 0.2; done; netdoctor undo --list")  # fmt: skip
        assert "not-confirmed, 0 of " in listed.splitlines()[0], listed
        after = sections(visited.must(SCRIPT))
        assert "firewalld" not in difference(before, after)


def test_enter_keeps_it(visited: Lab) -> None:
    told = on(visited, (KEEP, "true", "\n"), argv=CAREFREE)
    assert " is kept" in told["text"]
    assert visited.exec(BACK).returncode, "its direct rules are gone"
    assert visited.outside(REACHED).returncode, "it really locks the person out"
    visited.must("sleep 12; netdoctor undo --list | head -1 | grep committed")
    visited.must("netdoctor undo")
    assert visited.outside(REACHED).returncode == 0
