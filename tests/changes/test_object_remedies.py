"""When a Deployment or a Service is changed, and when that would be a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netdoctor.changes.kubernetes_object import PatchObject
from netdoctor.facts.cluster.services import Endpoint, EndpointSlices, Service, ServicePort, Services
from netdoctor.facts.cluster.workloads import Pod, Pods, Workload, Workloads
from netdoctor.facts.traffic.closed_endpoints import ClosedEndpoint, ClosedEndpoints
from netdoctor.model import NotApplicable
from netdoctor.remedies.cluster.correct_target_port import correct_target_port
from netdoctor.remedies.cluster.restore_dns_selector import restore_dns_selector
from netdoctor.remedies.cluster.restore_postgres_selector import restore_postgres_selector
from netdoctor.remedies.cluster.scale_coredns import scale_coredns
from netdoctor.system.host import Host
from tests.builders import COREDNS, DNS_ADDRESS, NODE_ADDRESS, POSTGRES, REFUSED, pod, this_node
from tests.changes.object_api import ObjectServer, serving_object

NOBODY = EndpointSlices({})
DNS_PORTS = (("dns", "UDP", 53), ("dns-tcp", "TCP", 53))
DNS_POD = pod("coredns-1", "kube-system", COREDNS, {"k8s-app": "kube-dns"}, ports=DNS_PORTS)
DB_POD = pod("postgres-1", "default", POSTGRES, {"app": "postgres", "tier": "db"}, ports=(("", "TCP", 5432),))
COREDNS_WORKLOAD = Workload("Deployment", "kube-system", "coredns", 1, 1, {"k8s-app": "kube-dns"})
DB = Workload("StatefulSet", "default", "postgres", 1, 1, {"app": "postgres", "tier": "db"})
WORKLOADS = Workloads((COREDNS_WORKLOAD, DB))
PODS = Pods((DNS_POD, DB_POD))


def dns(selector: dict[str, str], *targets: str) -> Services:
    ports = [ServicePort(name, protocol, 53, 0, target)
             for (name, protocol, _), target in zip(DNS_PORTS, targets or ("53", "53"), strict=True)]  # fmt: skip
    made = Service("kube-system", "kube-dns", "ClusterIP", DNS_ADDRESS, tuple(ports), selector)
    return Services((made,), "API")


def database(selector: dict[str, str], target: str = "5432", *others: Service, node_port: int = 0) -> Services:
    port = ServicePort("", "TCP", 5432, node_port, target)
    made = Service("default", "db", "ClusterIP", "10.96.0.50", (port,), selector)
    return Services((made, *others), "API")


@contextmanager
def api(of_kind: str, path: str, spec: dict[str, Any], folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    obj = {"kind": of_kind, "metadata": {"name": path.rpartition("/")[2], "uid": "u-1"}, "spec": spec}
    with serving_object(ObjectServer(path, obj)) as told:
        (folder / "config").write_text(told.kubeconfig)
        patch.setenv("KUBECONFIG", str(folder / "config"))
        yield


def only(changes: Iterator[Any]) -> PatchObject:
    (change,) = changes
    assert isinstance(change, PatchObject)
    return change


class TestScaleCoredns:
    @staticmethod
    def plan(*found: Workload, endpoints: EndpointSlices = NOBODY) -> tuple[Any, ...]:
        return tuple(scale_coredns((), dns({"k8s-app": "kube-dns"}), endpoints, Workloads(found), Host()))

    def test_the_one_deployment_is_scaled_to_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
        with api("Deployment", path, {"replicas": 0}, tmp_path, monkeypatch):
            (change,) = self.plan(replace(COREDNS_WORKLOAD, wanted=0, ready=0), DB)
        assert change.fields == (("/spec/replicas", "0", "1"),)

    def test_what_is_ready_is_left_alone(self) -> None:
        ready = EndpointSlices({"kube-system/kube-dns": (Endpoint(COREDNS, 53, "UDP", True, "dns"),)})
        assert self.plan(replace(COREDNS_WORKLOAD, wanted=0), endpoints=ready) == ()

    @pytest.mark.parametrize(
        ("found", "says"),
        [
            ((COREDNS_WORKLOAD,), "deployment/coredns is not scaled to 0"),
            ((), "picks the pods of 0 workloads"),
            ((replace(COREDNS_WORKLOAD, kind="DaemonSet", wanted=0),), "not of one Deployment"),
            ((replace(COREDNS_WORKLOAD, wanted=0), replace(COREDNS_WORKLOAD, name="x", wanted=0)), "of 2 workloads"),
        ],
    )
    def test_anything_else_is_not_scaled(self, found: tuple[Workload, ...], says: str) -> None:
        with pytest.raises(NotApplicable, match=says):
            self.plan(*found)


class TestRestoreDnsSelector:
    @staticmethod
    def plan(selector: dict[str, str], *pods: Pod, targets: tuple[str, ...] = ()) -> tuple[Any, ...]:
        made = dns(selector, *targets)
        return tuple(restore_dns_selector((), made, NOBODY, WORKLOADS, Pods(pods), this_node(), Host()))

    @pytest.mark.parametrize("targets", [(), ("dns", "dns-tcp")])
    def test_it_picks_coredns_again(
        self, targets: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, spec = "/api/v1/namespaces/kube-system/services/kube-dns", {"selector": {"k8s-app": "coredns"}}
        with api("Service", path, spec, tmp_path, monkeypatch):
            (change,) = self.plan({"k8s-app": "coredns"}, DNS_POD, targets=targets)
        assert change.fields == (("/spec/selector", '{"k8s-app": "coredns"}', '{"k8s-app": "kube-dns"}'),)
        assert {each[1:] for each in change.translations} == {("udp", 53, COREDNS, 53), ("tcp", 53, COREDNS, 53)}

    @pytest.mark.parametrize(
        ("selector", "pods", "targets"),
        [
            ({"k8s-app": "coredns"}, (), ()),
            ({"k8s-app": "coredns"}, (replace(DNS_POD, ready=False),), ()),
            ({"k8s-app": "coredns"}, (replace(DNS_POD, ports=DNS_PORTS[:1]),), ()),
            ({"k8s-app": "coredns"}, (DNS_POD,), ("5353", "5353")),
            ({"k8s-app": "coredns"}, (DNS_POD,), ("domain", "dns-tcp")),
            ({"k8s-app": "kube-dns"}, (DNS_POD,), ()),
            ({}, (DNS_POD,), ()),
            ({"app": "x"}, (DNS_POD, pod("x", "kube-system", "10.244.0.8", {"app": "x"}, ready=False)), ()),
        ],
        ids=["no pod", "not ready", "no TCP", "other ports", "a name", "not the selector", "no selector", "other pods"],
    )
    def test_it_is_left_where_that_would_not_help(
        self, selector: dict[str, str], pods: tuple[Pod, ...], targets: tuple[str, ...]
    ) -> None:
        with pytest.raises(NotApplicable):
            self.plan(selector, *pods, targets=targets)


class TestRestorePostgresSelector:
    @staticmethod
    def plan(services: Services, pods: Pods = PODS, workloads: Workloads = WORKLOADS) -> tuple[Any, ...]:
        return tuple(restore_postgres_selector((), services, NOBODY, workloads, pods, this_node(), Host()))

    @pytest.mark.parametrize(
        ("wrong", "right"),
        [
            ({"app": "postgers"}, '{"app": "postgres"}'),
            ({"app": "x", "tier": "y"}, '{"app": "postgres", "tier": "db"}'),
            ({"run": "postgres"}, '{"app": "postgres", "tier": "db"}'),
        ],
    )
    def test_the_one_workload_that_fits_is_picked(
        self, wrong: dict[str, str], right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with api("Service", "/api/v1/namespaces/default/services/db", {"selector": wrong}, tmp_path, monkeypatch):
            change = only(iter(self.plan(database(wrong, node_port=30432))))
        assert change.fields[0][2] == right
        assert change.translations == (
            ("10.96.0.50", "tcp", 5432, POSTGRES, 5432), (NODE_ADDRESS, "tcp", 30432, POSTGRES, 5432),
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("services", "pods", "workloads", "says"),
        [
            (database({"app": "x"}), Pods((replace(DB_POD, ready=False),)), WORKLOADS, "those that fit: none"),
            (database({"app": "x"}), Pods((replace(DB_POD, ports=()),)), WORKLOADS, "those that fit: none"),
            (database({"app": "x"}, "5433"), PODS, WORKLOADS, "those that fit: none"),
            (
                database({"app": "x"}),
                Pods((DB_POD, replace(DB_POD, name="p2", labels={"app": "two"}))),
                Workloads((DB, replace(DB, name="two", labels={"app": "two"}))),
                "those that fit: statefulset/postgres, statefulset/two",
            ),
            (
                database({"app": "x"}),
                Pods((DB_POD, pod("backup", "default", "10.244.0.9", {"app": "postgres"}))),
                WORKLOADS,
                "the labels of statefulset/postgres pick other pods too",
            ),
            (
                database({"role": "replica"}, "5432", Service("default", "primary", "ClusterIP", "10.96.0.51",
                         (ServicePort("", "TCP", 5432, 0),), {"app": "postgres"})),
                PODS, WORKLOADS, "has a Service of its own: default/primary",
            ),
            (database({"app": "postgres"}), PODS, WORKLOADS, "not the selector"),
            (database({}), PODS, WORKLOADS, "not the selector"),
        ],
        ids=["not ready", "declares nothing", "other port", "two fit", "other pods", "a replica's", "not it", "none"],
    )  # fmt: skip
    def test_a_guess_is_not_made(self, services: Services, pods: Pods, workloads: Workloads, says: str) -> None:
        with pytest.raises(NotApplicable, match=says):
            self.plan(services, pods, workloads)


def closed(service: str, of: str, at: int, *listening: tuple[str, int] | None, declared: tuple[int, ...] = ()) -> Any:
    there = None if listening == (None,) else listening
    return ClosedEndpoint(service, of, "x/y", COREDNS, at, "test pod", REFUSED, there, declared)  # type: ignore[arg-type]


class TestCorrectTargetPort:
    @staticmethod
    def plan(services: Services, *items: ClosedEndpoint, pods: Pods = PODS) -> tuple[Any, ...]:
        return tuple(correct_target_port((), ClosedEndpoints(items), services, pods, this_node(), Host()))

    def test_both_ports_of_dns_are_set(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = "/api/v1/namespaces/kube-system/services/kube-dns"
        spec = {"ports": [{"port": 53, "protocol": protocol, "targetPort": 5353} for _, protocol, _ in DNS_PORTS]}
        with api("Service", path, spec, tmp_path, monkeypatch):
            change = only(iter(self.plan(dns({"k8s-app": "kube-dns"}, "5353", "5353"), DNS_CLOSED)))
        assert change.fields == (("/spec/ports/0/targetPort", "5353", "53"), ("/spec/ports/1/targetPort", "5353", "53"))
        assert ("/spec/ports/1/protocol", '"TCP"') in change.beside
        assert {each[4] for each in change.translations} == {53}

    def test_a_port_of_its_own_target_is_left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = "/api/v1/namespaces/kube-system/services/kube-dns"
        spec = {"ports": [{"targetPort": 53}, {"targetPort": 5353}]}
        with api("Service", path, spec, tmp_path, monkeypatch):
            change = only(iter(self.plan(dns({"k8s-app": "kube-dns"}, "53", "5353"), DNS_CLOSED)))
        assert change.fields == (("/spec/ports/1/targetPort", "5353", "53"),)

    @pytest.mark.parametrize(
        ("services", "item", "pods"),
        [
            (lambda: database({"app": "postgres"}, "5433"), lambda: closed("default/db", "5432/tcp", 5433), PODS),
            (
                lambda: database({"app": "postgres"}, "5433"),
                lambda: closed("default/db", "5432/tcp", 5433, ("127.0.0.1", 5432)), PODS,
            ),
            (
                lambda: database({"app": "postgres"}, "5433"),
                lambda: closed("default/db", "5432/tcp", 5433, ("0.0.0.0", 8080)), PODS,
            ),
            (
                lambda: database({"app": "postgres"}),
                lambda: closed("default/db", "5432/tcp", 5432, ("127.0.0.1", 5432)), PODS,
            ),
            (
                lambda: database({"app": "postgres"}, "5433"),
                lambda: closed("default/db", "5432/tcp", 5433, ("0.0.0.0", 5432)),
                Pods((DB_POD, replace(DB_POD, name="p2", ports=(("", "TCP", 6432),)))),
            ),
            (lambda: database({}, "5433"), lambda: closed("default/db", "5432/tcp", 5433, ("0.0.0.0", 5432)), PODS),
            (lambda: database({"app": "postgres"}, "5433"), lambda: closed("default/db", "5432/tcp", 5433, None), PODS),
        ],
        ids=["nothing", "localhost", "elsewhere", "right already", "another pod", "no selector", "unknown"],
    )  # fmt: skip
    def test_a_guess_is_not_made(
        self, services: Callable[[], Services], item: Callable[[], ClosedEndpoint], pods: Pods
    ) -> None:
        with pytest.raises(NotApplicable):
            self.plan(services(), item(), pods=pods)


DNS_CLOSED = closed("kube-system/kube-dns", "53/tcp", 5353, ("::", 53))
