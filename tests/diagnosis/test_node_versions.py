"""What runs on the node: in the report of this machine, of a recording, and left out where nobody knows."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace

import pytest

from netdoctor.diagnosis.check import look
from netdoctor.diagnosis.node_versions import in_words, node_versions
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Node, Nodes
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.iptables import EMPTY, Iptables, Ruleset
from netdoctor.facts.recorded import Recorded
from netdoctor.output.report_json import to_json
from netdoctor.recording.file import from_json
from netdoctor.system.host import Host
from netdoctor.values import Versions
from tests.conftest import ROOT
from tests.worlds import catalogue, world

MACHINE = Recorded("2026-01-01T00:00:00Z", "netdoctor 0.1.0", "Debian 12", "6.1.0-18", "v1.36.3", "1.0.6")
RULES = Ruleset({"nat": {"OUTPUT": ()}}, {})


def test_all_that_facts_and_the_machine_say() -> None:
    known = {
        **world().known(),
        ThisNode: ThisNode("n1", ("192.0.2.10",), ""),
        Nodes: Nodes((Node("n2", (), (), True, "", (), "v1.35.0"), Node("n1", (), (), True, "", (), "v1.36.2"))),
        Iptables: Iptables(RULES, EMPTY),
    }
    found = node_versions(known, MACHINE)
    firewalld, proxy = known[Firewalld], known[KubeProxy]
    assert isinstance(firewalld, Firewalld)
    assert isinstance(proxy, KubeProxy)
    assert found == Versions(
        os="Debian 12", kernel="6.1.0-18", kubernetes="1.36.2", cni="bridge", kube_proxy=proxy.mode,
        firewalld=firewalld.version if firewalld.running else "", nft="1.0.6", iptables="nf_tables",
    )  # fmt: skip
    assert list(in_words(found))[:3] == ["Kubernetes 1.36.2", "CNI bridge", f"kube-proxy {proxy.mode}"]
    assert list(in_words(replace(found, firewalld="2.3.1")))[-1] == "firewalld 2.3.1"


def test_without_a_kubelet_s_version_the_api_server_s() -> None:
    assert node_versions({}, MACHINE).kubernetes == "1.36.3"


@pytest.mark.parametrize(
    ("nft", "legacy", "kind"),
    [(RULES, EMPTY, "nf_tables"), (EMPTY, RULES, "legacy"), (RULES, RULES, "nf_tables and legacy"), (EMPTY, EMPTY, "")],
)
def test_whose_iptables_rules_there_are(nft: Ruleset, legacy: Ruleset, kind: str) -> None:
    assert node_versions({Iptables: Iptables(nft, legacy)}, None).iptables == kind


def test_what_a_recording_does_not_hold_is_left_out() -> None:
    stored = json.loads((ROOT / "tests/recordings/healthy.json").read_text())
    stored.pop("recorded", None)

    def versions() -> dict[str, str]:
        facts = from_json(json.dumps(stored), catalogue())
        found: dict[str, str] = json.loads(to_json(look(catalogue(), facts).report()))["versions"]
        return found

    assert not {"os", "kernel", "nft"} & versions().keys()
    stored["recorded"] = {"at": MACHINE.at, "os": "Debian 12", "kernel": "6.1.0-18", "nft": "1.0.6"}
    assert {"os": "Debian 12", "kernel": "6.1.0-18", "nft": "1.0.6"}.items() <= versions().items()


@pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")
def test_the_version_of_nft_here() -> None:
    said = subprocess.run(["nft", "--version"], check=True, capture_output=True, text=True).stdout
    assert f" v{Recorded.here(Host()).nft} " in said


def test_where_nft_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert Recorded.here(Host()).nft == ""
