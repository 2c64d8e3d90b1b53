"""CoreDNS and kube-proxy are known by their Service and their DaemonSet: a label on a pod proves nothing."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from netdoctor.changes.kube_proxy import ResyncKubeProxy
from netdoctor.errors import CannotRead
from netdoctor.facts import Finalizers
from netdoctor.facts.cluster.coredns import Corefile, Upstream, Upstreams
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Nodes, Pod, Pods, dns_pods
from netdoctor.facts.traffic.new_pod import BeforeNewPods, NewPod, sweep
from netdoctor.facts.traffic.vantage import OLD, VantagePoint, VantagePoints
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.pod_cgroup import pod_uid
from tests.builders import COREDNS, DNS_ADDRESS, NODE_NAME, attachments, iptables, pod, pods, services
from tests.facts.kube_proxy_api import DAEMON_SET, LABELS, REVISIONS, daemon_set, revision
from tests.worlds import catalogue, world

POD_LIST = "/api/v1/namespaces/kube-system/pods"
THIS = ThisNode(NODE_NAME, (), "")
TENANT = pod("kube-proxy-zzzzz", "tenant", "10.244.0.66", LABELS, owner="", uid="uid-tenant")
REAL = pod("kube-proxy-abcde", "kube-system", "192.0.2.10", LABELS, owner="DaemonSet/kube-proxy", uid="uid-real",
           owner_uid="ds-1")  # fmt: skip


class Cluster(KubeApi):
    """An API server that answers from a table, and remembers what was deleted."""

    def __init__(self, answers: dict[str, dict[str, Any]]) -> None:
        self.server, self.version = "https://192.0.2.10:8443", "v1.35.0"
        self.answers, self.deleted = answers, list[str]()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        del query
        if path not in self.answers:
            raise CannotRead(path, "403 forbidden")
        return self.answers[path]

    def find(self, path: str) -> dict[str, Any] | None:
        return self.answers.get(path)

    def delete(self, path: str, grace_seconds: int | None = None, uid: str = "") -> None:
        del grace_seconds
        self.deleted.append(f"{path} {uid}")


def cluster(of: dict[str, Any] | None, *revisions: dict[str, Any]) -> Cluster:
    answers = {REVISIONS: {"kind": "List", "items": list(revisions)}}
    return Cluster(answers | ({DAEMON_SET: of} if of else {}))


def found(api: Cluster, *known: Pod) -> KubeProxy:
    return KubeProxy.collect(Host(), api, Pods(known), THIS)


class TestKubeProxysPod:
    @pytest.mark.parametrize(
        "stranger",
        [
            TENANT,
            replace(TENANT, owner="DaemonSet/kube-proxy", owner_uid="ds-1"),  # anybody may write that on their pod
            replace(REAL, owner_uid="ds-0", uid="uid-left"),  # an earlier DaemonSet's, orphaned
            replace(REAL, owner="", owner_uid="", uid="uid-bare"),
            replace(REAL, owner="DaemonSet/other", owner_uid="ds-2", uid="uid-other"),
            replace(REAL, owner="ReplicaSet/kube-proxy", owner_uid="rs-1", uid="uid-set"),
            replace(REAL, node="n2", uid="uid-far"),
            replace(REAL, leaving=True, uid="uid-leaving"),
        ],
        ids=lambda stranger: stranger.uid,
    )
    def test_a_stranger_is_never_taken_for_it(self, stranger: Pod) -> None:
        api = cluster(daemon_set(), revision(1, "aaa"))
        for known in ((REAL, stranger), (stranger, REAL)):
            both = found(api, *known)
            assert (both.pod, both.uid, both.keep) == ("kube-system/kube-proxy-abcde", "uid-real", "")
        assert found(api, stranger).pod == ""

    def test_a_cluster_without_its_daemon_set_has_none(self) -> None:
        assert found(cluster(None), TENANT, REAL).pod == ""

    def test_an_api_server_that_does_not_answer_leaves_it_unknown(self) -> None:
        class Dead(Cluster):
            def find(self, path: str) -> dict[str, Any] | None:
                if path == DAEMON_SET:
                    raise CannotRead("API server", "no answer")
                return None

        assert KubeProxy.collect(Host(), Dead({}), Pods((TENANT, REAL)), THIS).pod == ""

    @pytest.mark.parametrize(
        ("api", "says"),
        [
            (cluster(daemon_set(), revision(1, "aaa"), revision(2, "bbb")), "a different template"),
            (cluster(daemon_set(strategy="OnDelete"), revision(1, "aaa"), revision(2, "bbb")), "OnDelete"),
            (cluster(daemon_set()), "a different template"),
            (cluster(daemon_set(), revision(9, "aaa", owner="ds-0"), revision(2, "bbb")), "a different template"),
            (Cluster({DAEMON_SET: daemon_set()}), "cannot be read"),
            (cluster(daemon_set(generation=2), revision(1, "aaa")), "just been changed"),
            (cluster(daemon_set(deletionTimestamp="2026-01-01T00:00:00Z"), revision(1, "aaa")), "being deleted"),
        ],
    )
    def test_it_stays_where_a_new_one_would_differ(self, api: Cluster, says: str) -> None:
        seen = found(api, REAL)
        assert seen.pod == "kube-system/kube-proxy-abcde"
        assert says in seen.keep

    def test_a_rollback_to_its_template_is_no_change(self) -> None:
        assert found(cluster(daemon_set(), revision(3, "aaa"), revision(2, "bbb")), REAL).keep == ""

    def test_an_untouched_one_may_go_under_on_delete_too(self) -> None:
        assert found(cluster(daemon_set(strategy="OnDelete"), revision(1, "aaa")), REAL).keep == ""

    def test_two_of_them_are_a_replacement_that_goes_on(self) -> None:
        second = replace(REAL, name="kube-proxy-fghij", uid="uid-second")
        assert "2 pods on this node" in found(cluster(daemon_set(), revision(1, "aaa")), REAL, second).keep

    def test_the_remedy_leaves_what_has_to_stay(self) -> None:
        facts = world(KubeProxy("iptables", "its process", True, "kube-system/kube-proxy-1", "", keep="two of them"))
        remedy = catalogue().remedies["resync-kube-proxy"]
        with pytest.raises(Exception, match="is not deleted: two of them"):
            remedy((), *facts.arguments(remedy.plan, skip=1))

    def test_nor_does_the_one_for_stale_rules_replace_it(self) -> None:
        kept = KubeProxy("iptables", "its process", True, "kube-system/kube-proxy-1", "", keep="two of them")
        remedy = catalogue().remedies["replace-stale-rules"]
        facts = world(kept, iptables(dns_end="10.244.77.77:53"))
        with pytest.raises(Exception, match="is not deleted: two of them"):
            remedy((), *facts.arguments(remedy.plan, skip=1))
        facts = world(iptables(dns_end="10.244.77.77:53"))
        (change,) = remedy((), *facts.arguments(remedy.plan, skip=1))
        assert isinstance(change, ResyncKubeProxy)
        assert change.stale == tuple((DNS_ADDRESS, of, 53, "10.244.77.77:53") for of in ("udp", "tcp"))
        assert change.translations == tuple((DNS_ADDRESS, of, 53, COREDNS, 53) for of in ("udp", "tcp"))
        assert remedy((), *world().arguments(remedy.plan, skip=1)) == ()

    @pytest.mark.parametrize(("of", "runs"), [("uid-real", True), ("uid-tenant", False), ("", True)])
    def test_a_process_of_its_name_in_a_strangers_pod_is_not_it(self, of: str, runs: bool) -> None:
        with subprocess.Popen(["sleep", "60"]) as child:
            try:
                cgroup = f"0::/kubepods/pod{of.replace('uid-real', 'aaaa-1').replace('uid-tenant', 'aaaa-2')}/x\n"
                host = Process(pid=child.pid, cgroup=cgroup if of else "0::/system.slice/kube-proxy.service\n")
                known = Pods((replace(REAL, uid="aaaa-1"), replace(TENANT, uid="aaaa-2")))
                assert KubeProxy.collect(host, cluster(daemon_set(), revision(1, "aaa")), known, THIS).running is runs
            finally:
                child.kill()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace")
    def test_nor_is_one_of_another_network(self) -> None:
        with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as child:
            try:
                while Path(f"/proc/{child.pid}/comm").read_text().strip() != "sleep":
                    time.sleep(0.01)
                host = Process(pid=child.pid, cgroup="0::/\n")
                assert not KubeProxy.collect(host, CannotRead("API", ""), CannotRead("API", ""), THIS).running
            finally:
                child.kill()


@dataclass(frozen=True)
class Process(Host):
    """This machine, where one process is called kube-proxy and no other is."""

    pid: int = 0
    cgroup: str = ""

    def read(self, path: str | Path) -> str:
        mine = Path("/proc") / str(self.pid)
        told = {mine / "comm": "kube-proxy\n", mine / "cgroup": self.cgroup}
        return told.get(Path(path), "")


IMPOSTOR = pod("coredns-5dd-evil1", "tenant", "10.244.0.66", {"k8s-app": "kube-dns"}, uid="aaaaaaaa-eeee")
OWN_UID = "cccccccc-1111"


@dataclass(frozen=True)
class Node(Host):
    """This process stands for one of a pod: its cgroup and its resolv.conf."""

    cgroup: str = ""
    text: str = "nameserver 192.0.2.53\n"

    def read(self, path: str | Path) -> str:
        mine = Path("/proc") / str(os.getpid())
        if Path(path) == mine / "cgroup":
            return self.cgroup
        raise CannotRead(str(path), "not there")

    def read_or_none(self, path: str | Path) -> str | None:
        return self.text if str(path) == "/etc/resolv.conf" else None

    def read_in_pod(self, uid: str, pid: str, path: str) -> str | None:
        return "nameserver 198.51.100.66\n" if pid == str(os.getpid()) and path == "etc/resolv.conf" else None


def upstreams(known: Pods, cgroup: str, made: Services | CannotRead) -> tuple[Upstream, ...]:
    corefile = Corefile.parse(".:53 {\n forward . /etc/resolv.conf\n}\n")
    return Upstreams.collect(Node(cgroup=cgroup), corefile, known, made).items


class TestCoredns:
    def test_a_tenants_resolv_conf_is_not_read(self) -> None:
        known = Pods((*pods().items, IMPOSTOR))
        evil = f"0::/kubepods/pod{IMPOSTOR.uid}/x\n"
        for made in (services(), services("kube-dns"), CannotRead("API server", "no answer")):
            assert upstreams(known, evil, made) == (Upstream("192.0.2.53", 53, False),)

    def test_the_services_selector_says_who_it_is(self) -> None:
        dns = services().cluster_dns
        assert dns
        renamed = Services((replace(dns, selector={"app": "dns"}),), "")
        real = pod("dns-0", "kube-system", COREDNS, {"app": "dns"})
        labelled = pod("old-0", "kube-system", COREDNS, {"k8s-app": "kube-dns"})
        assert dns_pods(renamed, Pods((labelled, real, IMPOSTOR))) == (real,)

    def test_a_service_of_another_namespace_selects_nobody(self) -> None:
        dns = services().cluster_dns
        assert dns
        made = Services((replace(dns, namespace="tenant"),), "")
        assert dns_pods(made, Pods((*pods().items, IMPOSTOR))) == (pods().items[0],)

    def test_a_group_that_a_pod_made_below_its_own_does_not_count(self) -> None:
        known = pods(uid=OWN_UID)
        nested = f"0::/kubepods/podaaaaaaaa-2222/x/kubepods/pod{OWN_UID}/y\n"
        assert upstreams(known, nested, services()) == (Upstream("192.0.2.53", 53, False),)
        assert upstreams(known, f"0::/kubepods/pod{OWN_UID}/y\n", services()) == (Upstream("198.51.100.66", 53, False),)

    @pytest.mark.parametrize(
        ("cgroup", "uid"),
        [
            (
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1cbd_20ab.slice/cri-f00.scope",
                "1cbd-20ab",
            ),
            ("0::/system.slice/libpod-4f5e.scope", ""),
            ("11:cpu:/\n1:name=systemd:/kubepods/besteffort/pod1cbd-20ab/f00\n", "1cbd-20ab"),
            ("", ""),
        ],
    )
    def test_a_pods_uid_in_its_cgroup(self, cgroup: str, uid: str) -> None:
        assert pod_uid(cgroup) == uid

    @pytest.mark.parametrize("unread", [False, True], ids=["", "without the API server"])
    def test_the_place_to_ask_from_is_no_tenants(self, unread: bool, tmp_path: Path) -> None:
        known = (*pods().items, IMPOSTOR)
        linked = attachments().pods
        evil = replace(linked[0], namespace="tenant", pod=IMPOSTOR.name, uid=IMPOSTOR.uid)
        there = tuple(replace(a, netns=str(tmp_path)) for a in (*linked, evil))
        reason = CannotRead("API server", "no answer")
        points = VantagePoints.collect(
            Host(), replace(attachments(), pods=there), reason if unread else Pods(known), THIS, reason,
            reason if unread else services(),
        )  # fmt: skip
        assert {p.pod for p in points.points if p.is_coredns} == {"coredns-5dd-xyz12"}
        assert IMPOSTOR.name in {p.pod for p in points.points}
        assert points.no_new_pod == "no answer", "the reason alone"

    def test_a_name_alone_does_not_make_it_coredns(self) -> None:
        assert not VantagePoint("pod tenant/coredns-x", OLD, "", "", "tenant", "coredns-x").is_coredns
        labels = (("k8s-app", "kube-dns"),)
        assert not VantagePoint("pod tenant/x", OLD, "", "", "tenant", "x", (), (), labels).is_coredns


def test_only_our_own_test_pods_are_swept() -> None:
    label = {"app.kubernetes.io/managed-by": "netdoctor"}
    ours = pod("netdoctor-0a1b2c", "default", "", label, owner="", uid="uid-ours")
    others = (
        pod("netdoctor-gate-28x", "tenant", "", label, owner="Job/netdoctor-gate"),
        pod("database", "tenant", "", label, owner=""),
        pod("netdoctor-0a1b2c", "tenant", "", label, owner="StatefulSet/x"),
    )
    api = Cluster({})
    sweep(api, Pods((ours, *others)))
    assert api.deleted == ["/api/v1/namespaces/default/pods/netdoctor-0a1b2c uid-ours"]


def test_they_are_swept_before_another_is_made() -> None:
    label = {"app.kubernetes.io/managed-by": "netdoctor"}
    left = pod("netdoctor-0a1b2c", "default", "", label, owner="", uid="uid-left")
    api, finalizers = Cluster({}), Finalizers()
    with pytest.raises(CannotRead, match="it would change the node: a reason"):
        NewPod.collect(
            Host(), finalizers, BeforeNewPods("a reason"), api, Nodes(()), Pods((left,)), services(), THIS,
            CannotRead("modules", "not asked"),
        )  # fmt: skip
    assert api.deleted == ["/api/v1/namespaces/default/pods/netdoctor-0a1b2c uid-left"]
