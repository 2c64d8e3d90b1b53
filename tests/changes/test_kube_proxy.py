"""kube-proxy's pod, deleted through an HTTP server that stands for the API server, and rules that are real.

The lab has a real API server and a real kube-proxy; here the successor's rules are written once the pod is deleted.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netdoctor.changes import _iptables_nat, in_short, kube_proxy
from netdoctor.changes.kube_proxy import ResyncKubeProxy
from netdoctor.errors import CannotRead, Drifted
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer
from tests.builders import NODE_NAME
from tests.changes.on_node import insist_it_cures_a_copy, on
from tests.facts.kube_proxy_api import Server, listed, serving
from tests.twin.network import ADDRESS, CLUSTER_IP, FLOWS, RULES, SERVER, Node, real, small_node

pytestmark = [pytest.mark.thorough, real]
MASQUERADE = "iptables-nft -t nat -A POSTROUTING -s 10.244.0.0/24 ! -d 10.244.0.0/24 -j MASQUERADE"
PORT = (CLUSTER_IP, "tcp", 5432)
CHANGE = ResyncKubeProxy(
    "kube-system/kube-proxy-abcde", "iptables", (PORT,), True, ((*PORT, ADDRESS[SERVER], 5432),), uid="uid-real",
    node=NODE_NAME,
)  # fmt: skip


@pytest.fixture(scope="module")
def machine() -> Iterator[Node]:
    with small_node() as node:
        yield node


@pytest.fixture
def node(machine: Node) -> Node:
    """A node on which somebody has flushed table nat, and the CNI has written its masquerade again."""
    machine.sh("iptables-nft -t nat -F", "iptables-nft -t nat -X", MASQUERADE)
    return machine


@pytest.fixture
def server(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The API server, as the node reaches it."""
    with serving(node.namespaces["node"].run) as told:
        told.pods = [listed("uid-real")]
        (tmp_path / "config").write_text(told.kubeconfig)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        yield told


def write(node: Node, rules: str = RULES) -> None:
    node.namespaces["node"].run(lambda: Host(loads=True).run(["iptables-nft-restore", "--noflush"], stdin=rules))


def later(node: Node, rules: str = RULES) -> None:
    """Write rules a little later, as a kube-proxy that has to start first."""
    threading.Timer(0.15, lambda: write(node, rules)).start()


def test_it_is_deleted_and_the_rules_are_waited_for(node: Node, server: Server) -> None:
    server.successor = lambda: later(node)
    assert CHANGE.describe() == (
        "kube-proxy's rules are written again, by replacing its pod kube-system/kube-proxy-abcde"
    )
    assert CHANGE.diff().splitlines() == [
        "+kubectl -n kube-system delete pod kube-proxy-abcde",
        f" wait for the rules of {CLUSTER_IP}:5432/tcp",
        "+conntrack -D -d IP -r IP   for each ClusterIP: connections that no rule translated",
    ]
    on(node, CHANGE.check)
    assert node.ask(FLOWS["service"], 0.1).answer is not Answer.OK
    on(node, CHANGE.apply)
    assert node.ask(FLOWS["service"]).answer is Answer.OK
    ((path, options),) = server.deletes
    assert path == "/api/v1/namespaces/kube-system/pods/kube-proxy-abcde"
    assert (options["preconditions"], options["gracePeriodSeconds"]) == ({"uid": "uid-real"}, 1)
    written = node.text("iptables-nft-save -t nat | grep -v '^[#:]'")
    assert on(node, CHANGE.undo) is None
    assert node.text("iptables-nft-save -t nat | grep -v '^[#:]'") == written, "they are kube-proxy's own"
    assert len(server.deletes) == 1


@pytest.mark.skipif(shutil.which("conntrack") is None, reason="conntrack is not installed")
def test_connections_that_no_rule_translated_are_forgotten_and_no_others(node: Node, server: Server) -> None:
    server.successor = lambda: write(node)
    node.sh("conntrack -F")
    for name in ("service", "host"):
        node.ask(FLOWS[name], 0.1)
    untranslated = f"dst={CLUSTER_IP} .*src={CLUSTER_IP} "
    count = "conntrack -L | grep -c '{}' || true"
    assert int(node.text(count.format(untranslated))) == 1
    on(node, CHANGE.apply)
    assert int(node.text(count.format(untranslated))) == 0
    assert int(node.text(count.format("dst=8.8.8.8 "))) == 1
    node.ask(FLOWS["service"])
    on(node, CHANGE.apply)
    assert int(node.text(count.format(f"dst={CLUSTER_IP} .*src={ADDRESS[SERVER]} "))) == 1, "a translated one goes on"


SHORT = {
    "nothing": (CHANGE, ""),
    "not led into": (CHANGE, RULES.replace("-A OUTPUT -j KUBE-SERVICES\n", "")),
    "to no endpoint": (CHANGE, RULES.replace("-A KUBE-SVC-PG -p", "#")),
    "another port": (replace(CHANGE, ports=(PORT, (CLUSTER_IP, "udp", 53))), RULES),
    "no NodePort": (replace(CHANGE, node_ports=(("tcp", 30080),)), RULES),
}


@pytest.mark.parametrize("short", list(SHORT))
def test_rules_that_are_not_all_back_are_a_failure(
    short: str, node: Node, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_proxy, "RULES_SECONDS", 0.2)
    change, rules = SHORT[short]
    server.successor = lambda: write(node, rules or "*nat\nCOMMIT\n")
    with pytest.raises(CannotRead, match=r"kube-proxy: it has not written its rules within 0\.2 s"):
        on(node, change.apply)


STALE = replace(CHANGE, ports=(), stale=((*PORT, "10.244.7.7:5432"),))
OLD_RULES = RULES.replace(f"{ADDRESS[SERVER]}:5432", "10.244.7.7:5432")


def test_rules_that_lead_astray_are_waited_for_until_they_are_gone(
    node: Node, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert OLD_RULES != RULES
    write(node, OLD_RULES)
    assert in_short(STALE)[0].endswith("the new one writes all rules: 10.244.7.7:5432 is not an endpoint")
    monkeypatch.setattr(kube_proxy, "RULES_SECONDS", 0.2)
    with pytest.raises(CannotRead, match="it has not written its rules"):
        on(node, STALE.apply)
    monkeypatch.setattr(kube_proxy, "RULES_SECONDS", 5.0)
    node.sh("iptables-nft -t nat -F", "iptables-nft -t nat -X", MASQUERADE)
    write(node, OLD_RULES)

    def start() -> None:
        node.sh("iptables-nft -t nat -F", "iptables-nft -t nat -X", MASQUERADE)
        later(node)

    server.successor = start
    on(node, STALE.apply)
    assert node.ask(FLOWS["service"]).answer is Answer.OK


def test_in_a_rehearsal_the_right_rules_come_before_those_that_lead_astray(node: Node) -> None:
    write(node, OLD_RULES)
    insist_it_cures_a_copy(node, STALE, FLOWS["service"])


@pytest.mark.parametrize("by_iptables", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_a_rehearsal_translates_in_the_copy_alone(
    by_iptables: bool, node: Node, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_iptables_nat, "needed", lambda: by_iptables)
    before = node.text("nft -s list ruleset")
    insist_it_cures_a_copy(node, CHANGE, FLOWS["service"])
    assert node.text("nft -s list ruleset") == before
    assert server.deletes == []


class TestResync:
    def test_it_is_checked_before_it_is_deleted(self, node: Node, server: Server) -> None:
        server.pods = [listed("uid-real")]
        on(node, CHANGE.check)
        assert server.deletes == []

    @pytest.mark.parametrize(
        "pods",
        [[], [listed("uid-other")], [listed("uid-real", ownerReferences=[])], [listed("uid-real", namespace="tenant")]],
        ids=["gone", "replaced", "nobody's", "elsewhere"],
    )
    def test_another_one_is_drift(self, node: Node, server: Server, pods: list[dict[str, Any]]) -> None:
        server.pods = pods
        with pytest.raises(Drifted, match="has been replaced since"):
            on(node, CHANGE.check)

    def test_a_template_that_has_changed_since_is_drift(self, node: Node, server: Server) -> None:
        server.pods, server.template = [listed("uid-real")], "bbb"
        with pytest.raises(Drifted, match="a different template"):
            on(node, CHANGE.check)

    def test_its_uid_goes_with_the_delete(self, node: Node, server: Server) -> None:
        server.pods = [listed("uid-tenant")]  # of the same name, made in the last moment
        with pytest.raises(CannotRead, match="409 the UID in the precondition differs"):
            on(node, CHANGE.apply)
        assert server.deletes[0][1]["preconditions"] == {"uid": "uid-real"}
