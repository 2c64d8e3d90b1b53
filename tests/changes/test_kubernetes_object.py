"""Fields of one object, patched through an HTTP server that stands for the API server; the real one is in the lab."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netdoctor.changes import in_short, is_of_netdoctor, kubernetes_object, touched
from netdoctor.changes.kubernetes_object import PatchObject
from netdoctor.errors import BadInput, CannotRead, Drifted, NotRehearsable
from netdoctor.model import NeedsTheNode, NotApplicable
from netdoctor.rehearsal.rehearsal import HostOfCopy
from netdoctor.repair.records import NoRecord, fields_of, rebuild
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from tests.changes.object_api import ObjectServer, serving_object
from tests.twin.network import ADDRESS, CLUSTER_IP, FLOWS, SERVER, real, small_node

SERVICE = "/api/v1/namespaces/kube-system/services/kube-dns"
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
PORTS = [
    {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": 5353},
    {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": 5353, "nodePort": 30053},
    {"name": "metrics", "protocol": "TCP", "port": 9153, "targetPort": 9153},
]
SELECTOR = ("/spec/selector", {"k8s-app": "kube-dns"})
TARGETS = [("/spec/ports/0/targetPort", 53), ("/spec/ports/1/targetPort", "dns-tcp")]
BESIDE = [("/spec/ports/0/port", 53), ("/spec/ports/0/protocol", "UDP")]


def service(**more: Any) -> dict[str, Any]:
    meta = {"namespace": "kube-system", "name": "kube-dns", "uid": "uid-1", "resourceVersion": "7", **more}
    spec = {"clusterIP": "10.96.0.10", "selector": {"k8s-app": "nobody", "tier": "x"}, "ports": copy.deepcopy(PORTS)}
    return {"kind": "Service", "metadata": meta, "spec": spec}


def deployment(replicas: int = 0, ready: int = 0) -> dict[str, Any]:
    meta = {"namespace": "kube-system", "name": "coredns", "uid": "uid-2", "generation": 1}
    status = {"readyReplicas": ready, "observedGeneration": 1}
    return {"kind": "Deployment", "metadata": meta, "spec": {"replicas": replicas}, "status": status}


def at(server: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    with serving_object(server):
        (tmp_path / "config").write_text(server.kubeconfig)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        yield server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    """The API server with the DNS Service, whose selector and ports are wrong."""
    yield from at(ObjectServer(SERVICE, service()), tmp_path, monkeypatch)


@pytest.fixture
def workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    """The API server with CoreDNS's Deployment, scaled to 0."""
    yield from at(ObjectServer(DEPLOYMENT, deployment()), tmp_path, monkeypatch)


def planned(*fields: tuple[str, Any], beside: list[tuple[str, Any]] = [], name: str = "kube-dns") -> PatchObject:  # noqa: B006
    return PatchObject.planned(Host(), "Service", "kube-system", name, fields, beside=beside)


def scaled() -> PatchObject:
    return PatchObject.planned(Host(), "Deployment", "kube-system", "coredns", [("/spec/replicas", 1)])


def test_fields_are_changed_and_set_back_and_nothing_else(server: ObjectServer) -> None:
    change = planned(*TARGETS, beside=BESIDE)
    change.check(Host())
    before = copy.deepcopy(server.obj)
    change.apply(Host())
    assert server.obj is not None
    assert [port["targetPort"] for port in server.obj["spec"]["ports"]] == [53, "dns-tcp", 9153]
    assert server.obj["spec"]["ports"][1]["nodePort"] == 30053
    assert (server.content, server.queries) == ("application/json-patch+json", ["fieldManager=netdoctor"])
    assert change.undo(Host()) is None
    assert server.obj == before
    assert change.undo(Host()) is None
    assert len(server.patches) == 2, "an undo of what is undone writes nothing"


def test_a_key_of_a_selector_that_is_not_in_the_new_one_goes_and_comes_back(server: ObjectServer) -> None:
    change = planned(SELECTOR)
    change.apply(Host())
    assert server.obj is not None
    assert server.obj["spec"]["selector"] == {"k8s-app": "kube-dns"}
    change.undo(Host())
    assert server.obj == service()


def test_its_words_show_each_field_before_and_after(server: ObjectServer) -> None:
    change = planned(TARGETS[0])
    assert change.describe() == "Service kube-system/kube-dns: spec.ports.0.targetPort = 53"
    assert change.diff().splitlines() == [
        "-Service kube-system/kube-dns spec.ports.0.targetPort = 5353",
        "+Service kube-system/kube-dns spec.ports.0.targetPort = 53",
    ]
    assert [line[:2] for line in in_short(change)] == ["- ", "+ "]
    assert touched(change) == (
        ("field{s} of Kubernetes objects", "Service kube-system/kube-dns /spec/ports/0/targetPort"),
    )
    assert server.patches == []


def test_a_later_status_or_annotation_is_no_drift(server: ObjectServer) -> None:
    change = planned(SELECTOR)
    assert server.obj is not None
    server.obj["metadata"] |= {"resourceVersion": "99", "annotations": {"a": "b"}}
    change.check(Host())
    change.apply(Host())
    server.obj["metadata"]["resourceVersion"] = "123"
    change.undo(Host())
    assert server.obj["spec"] == service()["spec"]


DRIFTS = {
    "the field": lambda obj: obj["spec"]["selector"].update({"k8s-app": "else"}),
    "its uid": lambda obj: obj["metadata"].update(uid="uid-9"),
    "the field is gone": lambda obj: obj["spec"].pop("selector"),
    "the order of the ports": lambda obj: obj["spec"]["ports"].reverse(),
}


@pytest.mark.parametrize("what", list(DRIFTS))
def test_what_has_changed_since_the_plan_is_drift(what: str, server: ObjectServer) -> None:
    change = planned(SELECTOR, TARGETS[0], beside=BESIDE)
    DRIFTS[what](server.obj)
    with pytest.raises(Drifted, match="kube-system/kube-dns"):
        change.check(Host())
    assert server.patches == []


def test_a_gone_object_is_drift_and_nothing_to_undo(server: ObjectServer) -> None:
    change = planned(SELECTOR)
    change.apply(Host())
    server.obj = None
    with pytest.raises(Drifted, match="is gone or another one"):
        change.check(Host())
    assert change.undo(Host()) == "Service kube-system/kube-dns is gone or another one since: nothing of it is set back"


def test_what_somebody_has_set_since_stays(server: ObjectServer) -> None:
    change = planned(SELECTOR, TARGETS[0])
    change.apply(Host())
    assert server.obj is not None
    server.obj["spec"]["selector"] = {"app": "theirs"}
    with pytest.raises(
        Drifted, match=r'spec\.selector .* is \{"app": "theirs"\}, and it was \{"k8s-app": "kube-dns"\}'
    ):
        change.undo(Host())
    assert len(server.patches) == 1


@pytest.mark.parametrize("act", ["apply", "undo"])
def test_the_very_last_moment_is_tested_by_the_api_server(act: str, server: ObjectServer) -> None:
    change = planned(SELECTOR)
    if act == "undo":
        change.apply(Host())

    def meanwhile() -> None:
        assert server.obj is not None
        server.obj["spec"]["selector"] = {"app": "theirs"}

    server.before_patch = meanwhile
    with pytest.raises(
        Drifted, match=r"has changed at this moment: the API server says .*testing value /spec/selector"
    ):
        getattr(change, act)(Host())
    assert server.obj is not None
    assert server.obj["spec"]["selector"] == {"app": "theirs"}


def test_an_object_made_anew_at_the_last_moment_is_not_changed(server: ObjectServer) -> None:
    change = planned(SELECTOR)
    server.before_patch = lambda: setattr(server, "obj", service(uid="uid-other"))
    with pytest.raises(Drifted, match="testing value /metadata/uid failed"):
        change.apply(Host())
    assert server.obj == service(uid="uid-other")


def test_a_webhook_that_writes_something_else_is_a_failure(server: ObjectServer) -> None:
    change = planned(SELECTOR)

    def webhook() -> None:
        assert server.obj is not None
        server.obj["spec"]["selector"]["team"] = "x"

    server.after_patch = webhook
    with pytest.raises(CannotRead, match=r"somebody changed spec\.selector as it was written"):
        change.apply(Host())


def test_an_object_of_a_controller_is_its_own_business(server: ObjectServer) -> None:
    server.obj = service(ownerReferences=[{"kind": "Cluster", "name": "pg", "uid": "u"}])
    with pytest.raises(NotApplicable, match="belongs to Cluster pg, which would write it again"):
        planned(SELECTOR)


def test_a_field_that_is_not_there_is_not_planned(server: ObjectServer) -> None:
    with pytest.raises(NotApplicable, match="is not a field that netdoctor changes, or its value is none"):
        planned(("/spec/ports/7/targetPort", 53))
    with pytest.raises(NotApplicable, match="Service kube-system/other is gone"):
        planned(SELECTOR, name="other")


def test_no_recording_tells_what_it_needs() -> None:
    with pytest.raises(NeedsTheNode, match="a recording does not hold"):
        PatchObject.planned(Host(live=False), "Service", "a", "b", [SELECTOR])


REPLICAS = ("/spec/replicas", "0", "1")
GOOD = PatchObject("Service", "default", "postgres", "uid-1", (("/spec/selector", '{"a": "b"}', '{"a": "c"}'),))
WRONG: dict[str, dict[str, Any]] = {
    "a Secret": {"of_kind": "Secret", "fields": (("/data/password", '"eA=="', '"eQ=="'),)},
    "a ConfigMap": {"of_kind": "ConfigMap"},
    "another field": {"fields": (("/spec/externalIPs", '["10.0.0.1"]', "[]"),)},
    "a type": {"fields": (("/spec/type", '"ClusterIP"', '"NodePort"'),)},
    "nothing": {"fields": ()},
    "no JSON": {"fields": (("/spec/selector", "", '{"a": "b"}'),)},
    "a selector of everything": {"fields": (("/spec/selector", '{"a": "b"}', "{}"),)},
    "control characters": {"fields": (("/spec/selector", '{"a": "b"}', '{"a": "\\u001b[2J"}'),)},
    "another path": {"name": "../../secrets/x"},
    "another uid": {"uid": "a b"},
    "a port that is none": {"fields": (("/spec/ports/0/targetPort", "53", "70000"),)},
    "a guard that is no port": {"beside": (("/metadata/annotations", "{}"),)},
}


@pytest.mark.parametrize("what", list(WRONG))
def test_a_journal_cannot_have_anything_else_written(what: str) -> None:
    with pytest.raises(BadInput):
        replace(GOOD, **WRONG[what])
    with pytest.raises(NoRecord, match="no change of kind kubernetes-object"):
        rebuild("kubernetes-object", {**fields_of(GOOD), **json.loads(json.dumps(WRONG[what]))})


def test_it_is_what_a_journal_says(server: ObjectServer) -> None:
    change = planned(*TARGETS, beside=BESIDE)
    assert rebuild(change.kind, fields_of(change)) == change


@pytest.mark.parametrize(
    ("namespace", "fields", "own"),
    [
        ("kube-system", REPLICAS, True),
        ("default", REPLICAS, False),
        ("kube-system", ("/spec/replicas", "2", "0"), False),
    ],
)
def test_it_scales_up_in_kube_system_only(namespace: str, fields: tuple[str, str, str], own: bool) -> None:
    assert is_of_netdoctor(PatchObject("Deployment", namespace, "coredns", "uid-2", (fields,))) is own


class TestWaiting:
    def test_it_waits_until_the_pods_are_ready(self, workload: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
        change = scaled()
        looks = []

        def later(seconds: float) -> None:
            looks.append(seconds)
            workload.obj = deployment(1, ready=len(looks) // 2)

        monkeypatch.setattr("netdoctor.changes.kubernetes_object.time.sleep", later)
        change.apply(Host())
        assert len(looks) == 2

    def test_an_old_status_does_not_count(self, workload: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
        workload.obj = deployment(0, ready=1)
        workload.obj["metadata"]["generation"] = 2
        monkeypatch.setattr(kubernetes_object, "READY_SECONDS", 0.1)
        with pytest.raises(CannotRead, match=r"Deployment kube-system/coredns: its pods are not ready after 0\.1 s"):
            scaled().apply(Host())

    @pytest.mark.thorough
    def test_pods_that_do_not_come_are_a_failure_that_can_be_undone(
        self, workload: ObjectServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(kubernetes_object, "READY_SECONDS", 0.1)
        change = scaled()
        with pytest.raises(CannotRead, match="are not ready"):
            change.apply(Host())
        change.undo(Host())
        assert workload.obj == deployment()

    def test_it_is_said_why_no_copy_shows_it(self, workload: ObjectServer) -> None:
        with small_node() as node:
            assert "no rule, route or setting changes" in scaled().touches_no_way(node.state())
            assert GOOD.touches_no_way(node.state()) == ""
        with pytest.raises(NotRehearsable, match="which pods Deployment kube-system/coredns will lead to is not known"):
            scaled().rehearse(Host())
        assert workload.patches == []


@pytest.mark.thorough
@real
@pytest.mark.parametrize("before", ["no rules", "a closed port"])
def test_a_rehearsal_translates_in_the_copy_alone(before: str) -> None:
    change = replace(GOOD, translations=((CLUSTER_IP, "tcp", 5432, ADDRESS[SERVER], 5432),))
    with small_node() as node:
        node.sh("iptables-nft -t nat -F")
        if before == "a closed port":  # kube-proxy's own rule leads to it, and comes after this one
            node.sh(
                f"iptables-nft -t nat -A PREROUTING -d {CLUSTER_IP} -p tcp -j DNAT --to-destination {ADDRESS[SERVER]}:9"
            )
        was = node.text("nft -s list ruleset")
        twin = build(node.state())
        try:
            assert twin.ask(FLOWS["service"]).answer is not Answer.OK
            twin.run(lambda: change.rehearse(HostOfCopy()))
            assert twin.ask(FLOWS["service"]).answer is Answer.OK
        finally:
            twin.close()
        assert node.text("nft -s list ruleset") == was
