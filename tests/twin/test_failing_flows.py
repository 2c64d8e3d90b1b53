"""A failed flow is asked in copies as it was asked on the node."""

from __future__ import annotations

from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.recording.file import from_json
from netdoctor.rehearsal.failing_flows import failed_flows
from netdoctor.twin.twin import NAME
from tests.conftest import ROOT
from tests.worlds import catalogue


def test_a_rehearsal_asks_dns_for_the_name_that_failed() -> None:
    recording = (ROOT / "tests/recordings/ip-forward-zero.json").read_text(encoding="utf-8")
    facts = from_json(recording, catalogue())
    failed = {flow.name: flow.question for flow in facts.get(FailedFlows).items}
    assert set(failed.values()) - {NAME}
    asked = failed_flows(facts, facts.get(NodeNetwork).state, facts.get(ClusterAddresses))
    assert {each.name: each.flow.name for each in asked} == failed
