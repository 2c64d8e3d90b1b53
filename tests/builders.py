"""Functions that build one fact of a healthy node, with one thing different."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from netdoctor.changes import as_data
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.coredns import Upstream
from netdoctor.facts.cluster.services import Endpoint, EndpointSlices, Service, ServicePort, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pod, Pods, Workload, Workloads
from netdoctor.facts.gateways.postgres_session import Slots
from netdoctor.facts.node.cni import Attachment, Attachments, CniConfig
from netdoctor.facts.node.firewalld import Firewalld, Zone
from netdoctor.facts.node.iptables import EMPTY, Iptables, Ruleset
from netdoctor.facts.node.masquerade import Masquerade, Unmasqueraded
from netdoctor.facts.node.sysctl import BRIDGE_NF_CALL, IP_FORWARD, TRACKED, TRACKED_MOST, Sysctls
from netdoctor.facts.traffic.departures import Departure, Departures
from netdoctor.facts.traffic.experiments import Experiments, Trial, Tried
from netdoctor.facts.traffic.failed_flows import FailedFlow, FailedFlows
from netdoctor.facts.traffic.names import (
    OUTSIDE_NAME,
    SERVICE_NAME,
    ClusterDns,
    Lookup,
    UpstreamAnswers,
    UpstreamLookup,
)
from netdoctor.facts.traffic.postgres import STAGES, TCP, Postgres, PostgresStage
from netdoctor.facts.traffic.reach import CLUSTER_IP, NODE, POD, AskedFlow, Reach
from netdoctor.facts.traffic.service_reach import FROM_NODE, ITSELF, NODE_PORT, SERVICE, ServiceReach
from netdoctor.facts.traffic.vantage import HOST, NEW, OLD, VantagePoint, VantagePoints
from netdoctor.model import Change
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.nft_trace import Dropped
from netdoctor.system.traffic import Answer, Reply

NODE_NAME, NODE_ADDRESS, POD_NETWORK, BRIDGE = "n1", "192.0.2.10", "10.244.0.0/16", "bridge"
COREDNS, CLIENT, POSTGRES, TEST_POD = "10.244.0.2", "10.244.0.3", "10.244.0.4", "10.244.0.9"
DNS_ADDRESS, POSTGRES_IP = "10.96.0.10", "10.96.0.50"
ENDS = {"A": f"{NODE_ADDRESS}:8443", "B": f"{COREDNS}:53", "C": f"{POSTGRES}:5432"}
CHAINS = {"10.96.0.1": "A", DNS_ADDRESS: "B", POSTGRES_IP: "C"}
UPSTREAMS = (Upstream("8.8.8.8", 53, False), Upstream("1.1.1.1", 53, False))
OLD_POD = "pod default/client-7d9-abcde"
COREDNS_POD = "pod kube-system/coredns-5dd-xyz12"
OK = Reply(Answer.OK, 1.0)
SILENT = Reply(Answer.TIMEOUT, 1200.0)
REFUSED = Reply(Answer.REFUSED, 0.4)
REJECTED = Reply(Answer.PROHIBITED, 0.5, "3/13 from 10.244.0.1")
NO_ROUTE = Reply(Answer.NET_UNREACHABLE, 0.1)
NXDOMAIN = Reply(Answer.NXDOMAIN, 9.0, "", "NXDOMAIN")
SERVFAIL = Reply(Answer.SERVFAIL, 2001.0, "", "SERVFAIL")
DOWN: dict[type, CannotRead] = {
    KubeApi: CannotRead("API server https://192.0.2.10:8443", "connection refused", Why.NO_ANSWER)
}


def pod(name: str, namespace: str, address: str, labels: Mapping[str, str], **more: Any) -> Pod:
    built = Pod(
        namespace, name, f"uid-{name}", NODE_NAME, (address,), False, "Running", True, labels, "ReplicaSet/x",
        "2026-01-01T00:00:00Z", "", False,
    )  # fmt: skip
    return replace(built, **more)


def pods(**changed: Any) -> Pods:
    """CoreDNS, a client and Postgres; `changed` goes to CoreDNS and Postgres."""
    return Pods(
        (
            pod("coredns-5dd-xyz12", "kube-system", COREDNS, {"k8s-app": "kube-dns"}, **changed),
            pod("client-7d9-abcde", "default", CLIENT, {"app": "client"}),
            pod("postgres-66c-qwert", "default", POSTGRES, {"app": "postgres"}, **changed),
        )
    )


def node_port_service(name: str, port: int) -> Service:
    namespace, _, plain = name.partition("/")
    return Service(namespace, plain, "NodePort", "10.96.0.99", (ServicePort("http", "TCP", 4000, port),), {})


def services(*leave_out: str, postgres_selector: str = "postgres", more: Service | None = None) -> Services:
    kube_dns = (ServicePort("dns", "UDP", 53, 0), ServicePort("dns-tcp", "TCP", 53, 0))
    everything = (
        Service("default", "kubernetes", "ClusterIP", "10.96.0.1", (ServicePort("https", "TCP", 443, 0),), {}),
        Service("kube-system", "kube-dns", "ClusterIP", DNS_ADDRESS, kube_dns, {"k8s-app": "kube-dns"}),
        Service("default", "postgres", "ClusterIP", POSTGRES_IP, (ServicePort("", "TCP", 5432, 0),),
                {"app": postgres_selector}),
        *((more,) if more else ()),
    )  # fmt: skip
    return Services(tuple(s for s in everything if s.name not in leave_out), "https://192.0.2.10:8443")


def slices(*without: str, ready: bool = True) -> EndpointSlices:
    """Endpoints of every Service but those of `without`."""
    return EndpointSlices(
        {
            name: tuple(Endpoint(address, port, protocol, ready, of) for of, protocol, port in ports)
            for name, address, ports in (
                ("default/kubernetes", NODE_ADDRESS, [("https", "TCP", 8443)]),
                ("kube-system/kube-dns", COREDNS, [("dns", "UDP", 53), ("dns-tcp", "TCP", 53)]),
                ("default/postgres", POSTGRES, [("", "TCP", 5432)]),
            )
            if name not in without
        }
    )


def workloads(wanted: int = 1) -> Workloads:
    return Workloads(
        (
            Workload("Deployment", "kube-system", "coredns", wanted, wanted, {"k8s-app": "kube-dns"}),
            Workload("Deployment", "default", "postgres", wanted, wanted, {"app": "postgres"}),
        )
    )


def attachments() -> Attachments:
    return Attachments(
        tuple(
            Attachment(f"id-{p.name}", "k8s-pod-network", p.namespace, p.name, p.uid, f"/run/netns/{p.name}",
                       p.addresses, "eth0", (DNS_ADDRESS,), ("default.svc.cluster.local", "svc.cluster.local"),
                       "2026-01-01T00:00:00Z")
            for p in pods().items
        )
    )  # fmt: skip


def cni(**changed: Any) -> CniConfig:
    plugins: tuple[Mapping[str, Any], ...] = (
        {"type": "bridge", "bridge": BRIDGE, "ipMasq": True, "ipam": {"type": "host-local", "subnet": POD_NETWORK}},
        {"type": "portmap"},
        {"type": "firewall"},
    )
    built = CniConfig("/etc/cni/net.d/1-k8s.conflist", "k8s-pod-network", plugins, (), (), "")
    return replace(built, **changed)


def sysctls(
    ip_forward: str = "1", bridge_nf_call: str | None = "1", tracked: tuple[str | None, str | None] = ("31", "262144")
) -> Sysctls:
    """`tracked`: how many connections the node tracks, and how many at most."""
    count, most = tracked
    return Sysctls({IP_FORWARD: ip_forward, BRIDGE_NF_CALL: bridge_nf_call, TRACKED: count, TRACKED_MOST: most})


def this_node(problem: str = "") -> ThisNode:
    """`problem`: why the kubelet calls the node not ready."""
    return ThisNode(NODE_NAME, (NODE_ADDRESS,), problem)


def iptables(*leave_out: str, more: Iterable[str] = (), dns_end: str = ENDS["B"]) -> Iptables:
    """What kube-proxy and the CNI write, without the lines that hold one of these words, and lines of nat `more`.

    `dns_end`: where the rules lead the cluster DNS.
    """
    ends = {**ENDS, "B": dns_end}
    lines = [
        "*nat",
        ":PREROUTING ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":POSTROUTING ACCEPT [0:0]",
        ":KUBE-SERVICES - [0:0]",
        *(f":KUBE-SVC-{name} - [0:0]" for name in ENDS),
        *(f":CNI-{p.name} - [0:0]" for p in pods().items),
        *(f"-A KUBE-SVC-{name} -j KUBE-SEP-{name}" for name in ENDS),
        *(f"-A KUBE-SEP-{name} -p tcp -m tcp -j DNAT --to-destination {end}" for name, end in ends.items()),
    ]
    lines += [
        f'-A {hook} -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
        for hook in ("PREROUTING", "OUTPUT")
    ]
    lines += [
        f'-A KUBE-SERVICES -d {s.cluster_ip}/32 -p {p.protocol.lower()} -m comment --comment '
        f'"{s}{":" if p.name else ""}{p.name} cluster IP" -m {p.protocol.lower()} --dport {p.port} '
        f"-j KUBE-SVC-{CHAINS[s.cluster_ip]}"
        for s in services().items for p in s.ports
    ]  # fmt: skip
    for p in pods().items:
        lines += [
            f"-A POSTROUTING -s {p.addresses[0]}/32 -j CNI-{p.name}",
            f"-A CNI-{p.name} -d {POD_NETWORK} -j ACCEPT",
            f"-A CNI-{p.name} ! -d 224.0.0.0/4 -j MASQUERADE",
        ]
    kept = [line for line in lines if not any(word in line for word in leave_out)]
    return Iptables(Ruleset.parse("\n".join([*kept, *more, "COMMIT"])), EMPTY)


def zone(name: str, target: str = "default", sources: Iterable[str] = (), interfaces: Iterable[str] = ()) -> Zone:
    return Zone(name, target, tuple(interfaces), tuple(sources), True, False)


def firewalld(*trusted: str, target: str = "default", direct: Iterable[str] = ()) -> Firewalld:
    """firewalld with zone public by default, and these sources in trusted."""
    zones = {
        "public": zone("public", target, (), ("eth0",)),
        "trusted": zone("trusted", "ACCEPT", trusted),
    }
    return Firewalld(True, "2.3", "public", zones, zones, (), tuple(direct), tuple(direct), "", "")


def points(*leave_out: str) -> VantagePoints:
    """The host, the test pod, CoreDNS and a client."""
    everything = [
        VantagePoint("host", HOST, "", NODE_ADDRESS),
        VantagePoint("test pod", NEW, "/run/netns/new", TEST_POD, "default", "netdoctor-1", (DNS_ADDRESS,)),
        VantagePoint(COREDNS_POD, OLD, "/run/netns/coredns", COREDNS, "kube-system", "coredns-5dd-xyz12", (), (),
                     (("k8s-app", "kube-dns"),)),
        VantagePoint(OLD_POD, OLD, "/run/netns/client", CLIENT, "default", "client-7d9-abcde", (DNS_ADDRESS,)),
    ]  # fmt: skip
    return VantagePoints(tuple(p for p in everything if p.name not in leave_out), "")


def reach(pod: Reply = REFUSED, node: Reply = OK, cluster_ip: Reply = OK, old: Reply | None = None) -> Reach:
    """Flows from the test pod and an old pod; `old` is the reply to everything that the old pod asks."""
    flows = []
    for point in points("host", COREDNS_POD).points:
        is_old = old is not None and point.kind == OLD
        flows += [
            AskedFlow(point.name, POD, COREDNS_POD, COREDNS, 53, old if is_old and old else pod),
            AskedFlow(point.name, NODE, f"node {NODE_NAME}", NODE_ADDRESS, 10250, old if is_old and old else node),
            AskedFlow(point.name, CLUSTER_IP, "Service kube-system/kube-dns", DNS_ADDRESS, 53,
                 old if is_old and old else cluster_ip),
        ]  # fmt: skip
    flows.append(AskedFlow("host", CLUSTER_IP, "Service default/kubernetes", "10.96.0.1", 443, OK))
    return Reach(tuple(flows))


def service_reach(
    from_node: Reply = REFUSED, itself: Reply = OK, node_port: Reply = OK, service: Reply = OK, direct: Reply = OK
) -> ServiceReach:
    """A flow of each kind but hostPort; `direct`: of the node to the pod behind the NodePort."""
    echo = "Service default/echo"
    return ServiceReach((
        AskedFlow("host", FROM_NODE, COREDNS_POD, COREDNS, 53, from_node),
        AskedFlow("pod default/postgres-66c-qwert", ITSELF, "Service default/postgres", POSTGRES_IP, 5432, itself),
        *(AskedFlow(vantage, NODE_PORT, echo, NODE_ADDRESS, 30080, node_port) for vantage in ("host", "test pod")),
        *((AskedFlow("host", FROM_NODE, echo, "10.244.0.5", 8080, direct),) if node_port is not OK else ()),
        *(AskedFlow(vantage, SERVICE, echo, "10.96.0.60", 80, service) for vantage in ("test pod", OLD_POD)),
    ))  # fmt: skip


def dns_answers(service: Reply = OK, outside: Reply = NXDOMAIN) -> ClusterDns:
    return ClusterDns(
        DNS_ADDRESS,
        tuple(
            Lookup(vantage, kind, DNS_ADDRESS, name, "udp", reply)
            for vantage in ("test pod", OLD_POD)
            for kind, name, reply in (
                (SERVICE_NAME, "kubernetes.default.svc.cluster.local.", service),
                (OUTSIDE_NAME, "p1.example.com", outside),
            )
        ),
    )


def upstream_answers(
    host: Reply = NXDOMAIN, pods: Reply = NXDOMAIN, dead: Iterable[Upstream] = (), old: Reply | None = None
) -> UpstreamAnswers:
    """Each upstream asked from host, test pod and old pod; those of `dead` are silent to everybody."""
    lookups = []
    for upstream in UPSTREAMS:
        for vantage, reply in (("host", host), ("test pod", pods), (OLD_POD, old or pods)):
            told = SILENT if upstream in tuple(dead) else reply
            lookups.append(UpstreamLookup(upstream, vantage, "udp", told))
    return UpstreamAnswers(tuple(lookups))


def postgres(
    failing: str = "", observed: str = "no", sqlstate: str = "", *, services: bool = True,
    modules: tuple[str, ...] = (), unasked: tuple[str, ...] = (), used: int = 0,
    by: tuple[str, str] = ("other", "somebody"),
) -> Postgres:  # fmt: skip
    """Every step from two pods, up to and with the failing one; with `used` connections that are counted."""
    if not services:
        return Postgres((), (), "")
    stages = []
    for vantage in ("test pod", OLD_POD):
        for stage in STAGES:
            failed = stage == failing
            stages.append(
                PostgresStage("default/postgres", vantage, stage, not failed, observed if failed else "fine",
                              sqlstate if failed else "", modules=modules if stage in STAGES[3:] else (),
                              address=POSTGRES_IP if stage == TCP else "", port=5432 if stage == TCP else 0,
                              reply=(SILENT if failed else OK) if stage == TCP else None)
            )  # fmt: skip
            if failed and stage != "name":
                break
    slots = (Slots("default/postgres", 100, 3, (by,) * used),) if used else ()
    return Postgres(
        ("default/postgres",), tuple(stages), "DATABASE_URL of pod default/client", slots, (), unasked
    )  # fmt: skip


def masquerade(*missing: str, wanted: bool = True) -> Masquerade:
    return Masquerade(wanted, tuple(Unmasqueraded("default", f"pod-{a}", a) for a in missing))


def departures(address: str, source: str = "", back_by: str = "", rp_filter: str = "1", drops: int = 1) -> Departures:
    flow = "pod default/client -> 8.8.8.8:53/udp"
    sources = (source or address,)
    return Departures((Departure(flow, address, "eth0", sources, back_by, rp_filter, drops, "8.8.8.8"),))


FLOW = f"{OLD_POD} -> 8.8.8.8:53/udp"


def failed_flow(reply: Reply = SILENT) -> FailedFlows:
    """A pod that gets no answer from outside."""
    flow = FailedFlow(
        FLOW, "outside", "default/client-7d9-abcde", "/run/netns/client", CLIENT, "8.8.8.8", "udp", 53, reply
    )
    return FailedFlows((flow,), True)


def tried(cause: str, says: str = "something is odd", *by_hand: str, changes: tuple[Change, ...] = ()) -> Tried:
    return Tried("change-it", cause, says, "it is as usual", cause != "found-by-experiment", by_hand,
                 tuple(map(as_data, changes)))  # fmt: skip


def experiments(
    *cures: tuple[Tried, ...], passes: bool = False, programs: tuple[str, ...] = (), asked: bool = False
) -> Experiments:
    """Nothing was tried; or the flow of `failed_flow` was, with these cures."""
    if not (cures or passes or asked):
        return Experiments((), programs, 0, 0.0)
    twin = "ok" if passes else "no answer within 0.3 s"
    trial = Trial(
        FLOW, "outside", "no answer within 1.2 s", twin, not passes, passes, Dropped(last_seen="prerouting 400"),
        "", "", cures, (True,) * len(cures),
    )  # fmt: skip
    causes = tuple(dict.fromkeys(each.cause for cure in cures for each in cure))
    return Experiments((trial,), programs, 5, 1.0, "", causes)
