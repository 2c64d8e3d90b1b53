"""A person on a real node, let in by a direct rule and by a zone of a real firewalld: no repair cuts them off."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import LAB, Lab

pytestmark = pytest.mark.lab
PERSON, NODE = "10.77.0.1", "10.77.0.2"
# what stands for sshd on the node, and for ssh outside
SSHD = "import socket, time\nserver = socket.create_server(('0.0.0.0', 22))\nkept = server.accept()\ntime.sleep(600)"
SSH = f"import socket, time\ns = socket.create_connection(('{NODE}', 22), 20, ('{PERSON}', 40022))\ntime.sleep(600)"
# run on the node: what `netdoctor fix` does before it changes anything, for repairs that cut off the person
PROGRAM = """
import json
from dataclasses import dataclass
from typing import ClassVar
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import look
from netdoctor.errors import NotRehearsable
from netdoctor.facts import Facts
from netdoctor.facts.gateways.scope import Scope
from netdoctor.model import FROM_PODS
from netdoctor.rehearsal.rehearsal import rehearse

@dataclass(frozen=True)
class SourceRemoved:
    kind: ClassVar[str] = "removed"
    def describe(self):
        return "the zone's source removed"
    def rehearse(self, host):
        raise NotRehearsable("only firewalld can do it")
    def apply_over(self, bus):
        bus.call("zone", "removeSource", "ss", "internal", "10.77.0.1")

@dataclass(frozen=True)
class SshDropped:
    kind: ClassVar[str] = "dropped"
    def describe(self):
        return "ssh dropped"
    def rehearse(self, host):
        host.run(["nft", "add", "table", "inet", "lockdown"])
        host.run(["nft", "add", "chain", "inet", "lockdown", "in", "{ type filter hook input priority 0; }"])
        host.run(["nft", "add", "rule", "inet", "lockdown", "in", "tcp", "dport", "22", "drop"])

seen = look(Catalogue.load(), Facts(context=(Scope(False, whole_state=True),)))
told = {}
for change, with_daemon in ((SshDropped(), False), (SourceRemoved(), True)):
    found = rehearse(seen.facts, [change], FROM_PODS, with_daemon=with_daemon)
    told[change.kind] = {"refusal": found.refusal, "not_shown": found.not_shown, "seconds": found.seconds}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def visited(lab: Lab) -> Iterator[Lab]:
    """The hand-over note's node, and a person on it whom a direct rule lets in under a policy that drops."""
    lab.reset(firewalld="2.3")
    rules = ["OUTPUT 0 -p udp --dport 53 -j ACCEPT", f"INPUT 0 -s {PERSON} -p tcp --dport 22 -j ACCEPT"]
    for rule in rules:
        lab.must(f"firewall-cmd -q --permanent --direct --add-rule ipv4 filter {rule}")
    lab.must("firewall-cmd -q --reload; firewall-cmd -q --zone=public --remove-service=ssh")
    lab.must(f"firewall-cmd -q --zone=internal --add-source={PERSON}")
    accepted = ("-i lo", "-s 10.244.0.0/16", f"-s {NODE}", "-m conntrack --ctstate ESTABLISHED")
    lab.must("; ".join([*(f"iptables -A INPUT {match} -j ACCEPT" for match in accepted), "iptables -P INPUT DROP"]))
    lab.must(f'setsid /opt/netdoctor/bin/python -c "{SSHD}" >/dev/null 2>&1 </dev/null & sleep 1')
    ssh = subprocess.Popen([str(LAB), "outside", "--name", lab.name, "--", "python3", "-c", SSH])
    try:
        there = f"ss -Htn src {NODE}:22 dst {PERSON} | grep -q ESTAB"
        lab.must(f"for n in $(seq 50); do {there} && exit 0; sleep 0.2; done; exit 1")
        yield lab
    finally:
        ssh.terminate()
        ssh.wait()


def test_a_direct_rule_by_which_a_person_came_stays(visited: Lab) -> None:
    argv = ["env", f"SSH_CONNECTION={PERSON} 40022 {NODE} 22", "netdoctor", "fix", "--dry-run", "-v"]
    done = visited.exec(argv, timeout=120)
    assert "not repaired: firewalld's 2 direct rules make each reload flush iptables" in done.stdout, done.stdout
    rule = f"ipv4 filter INPUT 0 -s {PERSON} -p tcp --dport 22 -j ACCEPT"
    assert f"the direct rule `{rule}` may be needed: the policy of chain INPUT is DROP" in done.stdout
    assert f"`firewall-cmd --permanent --direct --remove-rule {rule}`" in done.stdout
    assert "  1 trust-pod-network " in done.stdout, "the other repairs go on"
    assert "    tried too: logins by ssh: 1" in done.stdout
    assert "REFUSED" not in done.stdout, done.stdout


def test_what_would_cut_off_the_person_is_refused(visited: Lab) -> None:
    told: dict[str, Any] = json.loads(visited.python(PROGRAM, f"SSH_CONNECTION={PERSON} 40022 {NODE} 22"))
    print(told)
    for kind in ("dropped", "removed"):
        assert f"person on the node: ssh from {PERSON} (you) -> {NODE}:22/tcp" in told[kind]["refusal"], told
        assert told[kind]["not_shown"] == []
