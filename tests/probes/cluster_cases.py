"""The cases of the probes in probes/cluster: the fault present, absent, and what looks like it and is none."""

from __future__ import annotations

from dataclasses import replace

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.coredns import OWN_FILE, Corefile, Upstream, Upstreams
from netdoctor.facts.cluster.corefile_refusal import CorefileRefusal
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.kubelet_resolvers import KubeletResolvers
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.workloads import Pods, Workload, Workloads
from netdoctor.facts.gateways.postgres_servers import PostgresServers
from netdoctor.facts.gateways.postgres_session import LOGIN, SELECT, TLS
from netdoctor.facts.traffic.closed_endpoints import ClosedEndpoint, ClosedEndpoints
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.names import ClusterDns, UpstreamAnswers, UpstreamLookup
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.postgres import NAME, TCP, Postgres
from netdoctor.facts.traffic.reach import Reach
from netdoctor.model import Confidence, Severity
from netdoctor.system.kube_api import ApiError, KubeApi
from tests.builders import (
    COREDNS,
    COREDNS_POD,
    DNS_ADDRESS,
    DOWN,
    NXDOMAIN,
    REFUSED,
    REJECTED,
    SERVFAIL,
    SILENT,
    UPSTREAMS,
    dns_answers,
    failed_flow,
    firewalld,
    iptables,
    pods,
    postgres,
    reach,
    services,
    slices,
    this_node,
    upstream_answers,
    workloads,
)
from tests.gateways.module_builders import servers
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Case
from tests.worlds import unread

OF_ITS_POD = Upstreams(UPSTREAMS, f"Corefile -> {OWN_FILE}")
IPV6, LOOPBACK = Upstream("fd77::1", 53, False), Upstream("127.0.0.1", 53, False)


def and_ipv6(answers: UpstreamAnswers) -> UpstreamAnswers:
    """An upstream more, which the host alone can ask."""
    return UpstreamAnswers((*answers.lookups, UpstreamLookup(IPV6, "host", "udp", NXDOMAIN)))


REPLAYED = iptables(dns_end="10.244.77.77:53")  # kube-proxy's rules with CoreDNS's address of an earlier day


def silent_at(address: str) -> FailedFlows:
    """A pod that gets no answer from this address."""
    return FailedFlows(tuple(replace(flow, destination=address) for flow in failed_flow().items), True)


def closed(*listening: tuple[str, int], of: str = "kube-system/kube-dns") -> ClosedEndpoints:
    """CoreDNS's endpoint at a port that refuses, and what listens in its pod (nothing given: it is not known)."""
    there = ClosedEndpoint(
        of, "53/tcp", "kube-system/coredns-1", COREDNS, 5353, "test pod", REFUSED,
        listening or None, (53,),
    )  # fmt: skip
    return ClosedEndpoints((there,))


def moved(known: Services, name: str, cluster_ip: str) -> Services:
    """The Services, one of them at another address."""
    return replace(known, items=tuple(replace(s, cluster_ip=cluster_ip) if s.name == name else s for s in known.items))


def mistyped_dns() -> Services:
    """The DNS Service with a selector that no pod has."""
    known = services()
    dns = {"kube-dns": {"k8s-app": "kubedns"}}
    return replace(known, items=tuple(replace(s, selector=dns.get(s.name, s.selector)) for s in known.items))


def workloads_called(name: str) -> Workloads:
    """A workload whose pods have the label app by another value."""
    return Workloads((Workload("Deployment", "default", name, 1, 1, {"app": name}),))


CASES = [
    Case("api-server-unreachable", "down", FAIL, says="connection refused", unread=DOWN),
    Case("api-server-unreachable", "no kubeconfig", UNKNOWN, says="kubeconfig",
         unread={KubeApi: CannotRead("kubeconfig", "none that can be read")}),
    Case("api-server-unreachable", "it answers that we may not ask", UNKNOWN, says="403",
         unread={KubeApi: ApiError("API server https://x", 403, "Forbidden")}),
    Case("cluster-dns-silent", "silent", FAIL, (dns_answers(SILENT),),
         "did not answer 2 of 2 queries for Service names"),
    Case("cluster-dns-silent", "SERVFAIL for a Service", FAIL, (dns_answers(service=SERVFAIL),),
         "for 2 of 2 queries for Service names"),
    Case("cluster-dns-silent", "outside names fail, those of Services do not", PASS, (dns_answers(outside=SERVFAIL),)),
    Case("cluster-dns-silent", "no pod to ask from", UNKNOWN, (ClusterDns("10.96.0.10", ()),), "no pod"),
    Case("cluster-ip-unreachable", "silent", FAIL, (reach(cluster_ip=SILENT),), "2 of 3"),
    Case("cluster-ip-unreachable", "refused", FAIL, (reach(old=REJECTED),), "1 of 3"),
    Case("cluster-ip-unreachable", "only pod addresses fail", PASS, (reach(SILENT),)),
    Case("cluster-ip-unreachable", "no Service is known", UNKNOWN, (Reach(()),)),
    Case("coredns-not-ready", "scaled to 0", FAIL, (slices("kube-system/kube-dns"), workloads(0), Pods(())),
         "scaled to 0"),
    Case("coredns-not-ready", "crashing", FAIL,
         (slices("kube-system/kube-dns"), pods(ready=False, trouble="coredns: CrashLoopBackOff back-off")),
         "CrashLoopBackOff"),
    Case("coredns-not-ready", "ready", PASS),
    Case("coredns-not-ready", "no cluster DNS at all", NOT_APPLICABLE, (services("kube-dns"),), "no Service"),
    Case("coredns-upstream-dead", "all", FAIL, (upstream_answers(dead=UPSTREAMS),),
         "none of CoreDNS's 2 upstream resolvers answers"),
    Case("coredns-upstream-dead", "all, and firewalld runs", FAIL, (upstream_answers(dead=UPSTREAMS), firewalld()),
         "firewalld is not the cause"),
    Case("coredns-upstream-dead", "one of two", FAIL, (upstream_answers(dead=UPSTREAMS[:1]),), "8.8.8.8",
         severity=Severity.WARNING),
    Case("coredns-upstream-dead", "pods get none, the host does", PASS, (upstream_answers(pods=SILENT),)),
    Case("coredns-upstream-dead", "an IPv6 one answers the host alone, and the others do, too", PASS,
         (Upstreams((*UPSTREAMS, IPV6), "Corefile"), and_ipv6(upstream_answers()))),
    Case("coredns-upstream-dead", "an IPv6 one answers the host alone, and the others are dead", FAIL,
         (Upstreams((*UPSTREAMS, IPV6), "Corefile"), and_ipv6(upstream_answers(dead=UPSTREAMS))),
         "2 of CoreDNS's 3 upstream resolvers do not answer (8.8.8.8:53, 1.1.1.1:53), and CoreDNS has no address"),
    Case("coredns-upstream-dead", "only an IPv6 one, and pods have IPv4", FAIL,
         (Upstreams((IPV6,), "Corefile"), and_ipv6(UpstreamAnswers(()))), "no address to ask", evidence="10.244.0.2"),
    Case("coredns-upstream-dead", "one on loopback, which nobody but CoreDNS can ask", UNKNOWN,
         (Upstreams((LOOPBACK,), "Corefile"), UpstreamAnswers(())), "not on this node"),
    Case("coredns-upstream-dead", "one on CoreDNS's loopback is refused", FAIL,
         (Upstreams((LOOPBACK,), ""), UpstreamAnswers((UpstreamLookup(LOOPBACK, COREDNS_POD, "udp", REFUSED),))),
         "CoreDNS's only upstream resolver does not answer", evidence="refused"),
    Case("coredns-upstream-dead", "the node has other resolvers than when CoreDNS's pod was made", FAIL,
         (upstream_answers(dead=UPSTREAMS), OF_ITS_POD, KubeletResolvers("/etc/resolv.conf", ("192.0.2.53",), ())),
         "; the node has 192.0.2.53 now, and CoreDNS still has the list", evidence="192.0.2.53"),
    Case("coredns-upstream-dead", "the node has them still", FAIL,
         (upstream_answers(dead=UPSTREAMS), OF_ITS_POD, KubeletResolvers("/etc/resolv.conf", ("8.8.8.8",), ())),
         "outside names do not resolve"),
    Case("coredns-upstream-dead", "the Corefile forwards nowhere", NOT_APPLICABLE, (Upstreams((), "Corefile"),)),
    Case("corefile-invalid", "empty", FAIL, (Corefile.parse(""),), "empty"),
    Case("corefile-invalid", "a block left open", FAIL, (Corefile.parse(".:53 {\n forward . 8.8.8.8\n"),), "1 blocks"),
    Case("corefile-invalid", "a directive that CoreDNS does not know", FAIL,
         (CorefileRefusal("kube-system/coredns-1", 5, "Unknown directive 'redy'"),),
         "does not start because of line 5 of the Corefile: Unknown directive 'redy'"),
    Case("corefile-invalid", "its log cannot be read, and CoreDNS is ready", PASS, unread=unread(CorefileRefusal)),
    Case("corefile-invalid", "its log cannot be read", UNKNOWN, (slices(ready=False),), unread=unread(CorefileRefusal)),
    Case("corefile-invalid", "braces in comments", PASS, (Corefile.parse(".:53 {\n # {\n errors\n}\n"),)),
    Case("endpoint-port-closed", "another port", FAIL, (closed(("0.0.0.0", 53), ("127.0.0.1", 9000)),),
         "forwards 53/tcp to port 5353 of pod kube-system/coredns-1, where nothing listens: its pod listens on 53"),
    Case("endpoint-port-closed", "of another Service, whose pod listens elsewhere", FAIL,
         (closed((COREDNS, 8080), of="default/echo"),), "Service default/echo forwards 53/tcp to port 5353"),
    Case("endpoint-port-closed", "of another Service, whose pod listens nowhere", FAIL,
         (closed(("127.0.0.1", 1), of="default/echo"),), "default/echo", severity=Severity.WARNING),
    Case("endpoint-port-closed", "on localhost only", FAIL, (closed(("127.0.0.1", 5353)),),
         "listens on localhost only"),
    Case("endpoint-port-closed", "in a pod of another node", FAIL, (closed(),), "its containers declare 53",
         confidence=Confidence.LIKELY),
    Case("endpoint-port-closed", "somebody listens there, and a rule refuses", PASS, (closed(("::", 5353)),)),
    Case("endpoint-port-closed", "nothing refuses", PASS),
    Case("nameserver-of-no-service", "the Service is gone", FAIL, (services("kube-dns"), dns_answers(SILENT)),
         "the Service of the cluster DNS is gone"),
    Case("nameserver-of-no-service", "the Service has another address", FAIL,
         (moved(services(), "kube-dns", "10.96.0.11"), dns_answers(SILENT)), "kube-system/kube-dns at 10.96.0.11"),
    Case("nameserver-of-no-service", "names resolve by something else", PASS, (services("kube-dns"),)),
    Case("nameserver-of-no-service", "it is the Service's, and silent", PASS, (dns_answers(SILENT),)),
    Case("nameserver-of-no-service", "Services are known from rules only", NOT_APPLICABLE,
         (replace(services("kube-dns"), source="the comments in iptables nat KUBE-SERVICES"), dns_answers(SILENT))),
    Case("kube-proxy-rules-missing", "flushed", FAIL, (iptables("KUBE-SERVICES"),), "3 of 3"),
    Case("kube-proxy-rules-missing", "one Service is missing", FAIL, (iptables("10.96.0.50"),), "default/postgres"),
    Case("kube-proxy-rules-missing", "nothing leads there", FAIL, (iptables("service portals"),), "nothing leads into"),
    Case("kube-proxy-rules-missing", "a Service without endpoints has no rule", PASS,
         (iptables("10.96.0.50"), slices("default/postgres"))),
    Case("kube-proxy-rules-missing", "kube-proxy is gone, its rules stand", PASS,
         (KubeProxy("iptables", "ConfigMap", False, "", ""),)),
    Case("kube-proxy-rules-missing", "kube-proxy is gone with its rules, and ClusterIPs answer", NOT_APPLICABLE,
         (KubeProxy("iptables", "ConfigMap", False, "", ""), iptables("KUBE")), "something else translates"),
    Case("kube-proxy-rules-missing", "kube-proxy is gone with its rules, and ClusterIPs are silent", FAIL,
         (KubeProxy("iptables", "ConfigMap", False, "", ""), iptables("KUBE"), reach(cluster_ip=SILENT)), "3 of 3"),
    Case("kube-proxy-rules-missing", "kube-proxy has a pod here, its rules are gone", FAIL,
         (KubeProxy("iptables", "ConfigMap", False, "kube-system/kube-proxy-1", ""), iptables("KUBE")), "3 of 3"),
    Case("kube-proxy-not-running", "gone, and its rules stand", FAIL,
         (KubeProxy("iptables", "ConfigMap", False, "", ""),), "has no pod on this node"),
    Case("kube-proxy-not-running", "it crashes", FAIL,
         (KubeProxy("iptables", "ConfigMap", False, "kube-system/kube-proxy-1", "kube-proxy: CrashLoopBackOff"),),
         "CrashLoopBackOff"),
    Case("kube-proxy-not-running", "gone, and no rule of it is left", PASS,
         (KubeProxy("iptables", "ConfigMap", False, "", ""), iptables("KUBE"))),
    Case("kube-proxy-not-running", "its process is hidden", PASS,
         (KubeProxy("iptables", "ConfigMap", False, "default/client-7d9-abcde", ""),)),
    Case("kube-proxy-not-running", "IPVS, and it crashes", FAIL,
         (KubeProxy("ipvs", "ConfigMap", False, "kube-system/kube-proxy-1", "kube-proxy: CrashLoopBackOff"),),
         "CrashLoopBackOff", evidence="its rules are not read"),
    Case("kube-proxy-not-running", "IPVS, and it runs", PASS,
         (KubeProxy("ipvs", "ConfigMap", True, "kube-system/kube-proxy-1", ""),)),
    Case("kube-proxy-not-running", "IPVS", NOT_APPLICABLE, (KubeProxy("ipvs", "", True, "", ""),), "ipvs"),
    Case("kube-proxy-rules-stale", "each leads to an endpoint", PASS),
    Case("kube-proxy-rules-stale", "replayed, and the DNS is silent", FAIL,
         (REPLAYED, dns_answers(SILENT, SILENT), reach(cluster_ip=SILENT), silent_at(DNS_ADDRESS)),
         "lead kube-system/kube-dns 10.96.0.10:53/udp to 10.244.77.77:53, which is not an endpoint of it, and 1 more"),
    Case("kube-proxy-rules-stale", "replayed, and another endpoint answers", FAIL, (REPLAYED,), "10.244.77.77:53",
         severity=Severity.WARNING),
    Case("kube-proxy-rules-stale", "the endpoint is not ready", PASS, (slices(ready=False),)),
    Case("kube-proxy-rules-stale", "IPVS", NOT_APPLICABLE, (KubeProxy("ipvs", "", True, "", ""),), "not read"),
    Case("kube-proxy-rules-missing", "IPVS", NOT_APPLICABLE, (KubeProxy("ipvs", "", True, "", ""), iptables("KUBE")),
         "ipvs"),
    Case("new-pod-without-network", "none in time", FAIL, says="no network within",
         unread={NewPod: CannotRead("test pod", "no network within 4 s: sandbox", Why.NO_NETWORK)}),
    Case("new-pod-without-network", "the kubelet says why", FAIL, (this_node("cni plugin not initialized"),),
         unread={NewPod: CannotRead("test pod", "no network within 4 s: sandbox", Why.NO_NETWORK)},
         evidence="cni plugin not initialized"),
    Case("new-pod-without-network", "there", PASS),
    Case("new-pod-without-network", "not made", UNKNOWN, says="it would change the node",
         unread={NewPod: CannotRead("test pod", "it would change the node: a reason")}),
    Case("outside-names-unresolved", "SERVFAIL", FAIL, (dns_answers(outside=SERVFAIL),), "2 of 2"),
    Case("outside-names-unresolved", "silent", FAIL, (dns_answers(outside=SILENT),), "2 of 2"),
    Case("outside-names-unresolved", "the upstreams themselves say SERVFAIL to the host", PASS,
         (dns_answers(outside=SERVFAIL), upstream_answers(SERVFAIL, SERVFAIL))),
    Case("outside-names-unresolved", "NXDOMAIN from outside", PASS),
    Case("outside-names-unresolved", "no pod to ask from", UNKNOWN, (ClusterDns("10.96.0.10", ()),)),
    Case("pod-to-node-blocked", "rejected", FAIL, (reach(node=REJECTED),), "2 of 2", severity=Severity.WARNING),
    Case("pod-to-node-blocked", "open", PASS),
    Case("pod-to-node-blocked", "no pod", UNKNOWN, (Reach(()),)),
    Case("pod-to-outside-blocked", "an old pod gets nothing", FAIL, (upstream_answers(old=SILENT),), "1 of 2 pods"),
    Case("pod-to-outside-blocked", "one upstream is dead for everybody", PASS, (upstream_answers(dead=UPSTREAMS[:1]),)),
    Case("pod-to-outside-blocked", "the host gets nothing either", UNKNOWN, (upstream_answers(SILENT, SILENT),)),
    Case("pod-to-pod-blocked", "silent", FAIL, (reach(SILENT),), "2 of 2"),
    Case("pod-to-pod-blocked", "a refusal is an answer", PASS),
    Case("pod-to-pod-blocked", "no two pods", UNKNOWN, (Reach(()),)),
    Case("postgres-name-unresolved", "silent", FAIL, (postgres(NAME),), "from 2 of 2"),
    Case("postgres-name-unresolved", "resolves", PASS),
    Case("postgres-unreachable", "silent", FAIL, (postgres(TCP),), "from 2 of 2"),
    Case("postgres-unreachable", "open", PASS),
    Case("postgres-unreachable", "no pod could ask", UNKNOWN, (Postgres(("default/postgres",), (), ""),)),
    Case("postgres-tls-broken", "something else listens", FAIL, (postgres(TLS, "not a Postgres"),), "not a Postgres"),
    Case("postgres-tls-broken", "fine", PASS),
    Case("postgres-login-refused", "wrong password", FAIL, (postgres(LOGIN, "wrong", "28P01"),), "SQLSTATE 28P01"),
    Case("postgres-login-refused", "fine", PASS),
    Case("postgres-query-failing", "hangs", FAIL, (postgres(SELECT, "statement timeout", "57014"),), "57014"),
    Case("postgres-query-failing", "fine", PASS),
    *(Case(f"postgres-{name}", "no Postgres in the cluster", NOT_APPLICABLE, (postgres(services=False),))
      for name in ("name-unresolved", "unreachable", "tls-broken", "login-refused", "query-failing")),
    Case("postgres-without-endpoints", "scaled to 0", FAIL, (slices("default/postgres"), workloads(0), Pods(())),
         "scaled to 0", severity=Severity.WARNING),
    Case("postgres-without-endpoints", "the selector matches no pod", FAIL,
         (slices("default/postgres"), services(postgres_selector="postgers")),
         "its selector (app=postgers) matches no pod of any workload; those of deployment/postgres have app=postgres"),
    Case("postgres-without-endpoints", "the selector matches no pod, and nothing has the like", FAIL,
         (slices("default/postgres"), services(postgres_selector="mysql"), workloads_called("other")),
         "its selector (app=mysql) matches no pod of any workload"),
    Case("coredns-not-ready", "the selector is mistyped", FAIL,
         (slices("kube-system/kube-dns"), mistyped_dns()),
         "its selector (k8s-app=kubedns) matches no pod of any workload; those of deployment/coredns have "
         "k8s-app=kube-dns"),
    Case("postgres-without-endpoints", "not ready", FAIL, (slices(ready=False), pods(ready=False)), "none ready"),
    Case("postgres-without-endpoints", "ready", PASS),
    Case("postgres-without-endpoints", "no Postgres", NOT_APPLICABLE, (services("postgres"), PostgresServers((), ()))),
    Case("postgres-without-endpoints", "that of the modules is nobody's neighbour", FAIL,
         (slices("default/postgres"), workloads(0), Pods(()), servers("llm")), "scaled to 0"),
    Case("postgres-without-endpoints", "whose modules are not known", FAIL,
         (slices(ready=False), pods(ready=False)), unread=unread(PostgresServers)),
    Case("postgres-login-refused", "two modules, one database each", FAIL,
         (postgres(LOGIN, 'database "x" does not exist', "3D000", modules=("llm", "audio")),),
         'for llm, audio: database "x" does not exist (SQLSTATE 3D000)', evidence="does not exist"),
    Case("postgres-login-refused", "a password that nobody knows", UNKNOWN,
         (postgres(unasked=("audio",)),), "the password of audio is not known"),
    Case("postgres-login-refused", "Postgres comes with the deployment", NOT_APPLICABLE,
         (Postgres((), (), "", later=("litellm/postgres",)),), "litellm/postgres comes with the deployment"),
]  # fmt: skip
