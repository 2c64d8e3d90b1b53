"""Cases of root causes that people have met (tests/causes.yaml), with the words that the programs really write."""

from __future__ import annotations

from dataclasses import replace

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.kube_proxy_health import Health, KubeProxyHealth
from netdoctor.facts.cluster.last_ends import COREDNS
from netdoctor.facts.cluster.this_node import LocalAddresses
from netdoctor.facts.gateways.network_policies import NetworkPolicies
from netdoctor.facts.gateways.postgres_session import LOGIN
from netdoctor.facts.node.certificate_terms import CertificateTerms, Term
from netdoctor.facts.node.container_groups import ContainerGroups
from netdoctor.facts.node.neighbour_table import NeighbourTable
from netdoctor.facts.traffic.hidden_pods import HiddenPod, HiddenPods
from netdoctor.facts.traffic.kept_pods import KeptPods
from netdoctor.facts.traffic.names import ClusterDns
from netdoctor.facts.traffic.postgres import TCP, Postgres
from netdoctor.facts.traffic.searched_names import SearchedName, SearchedNames
from netdoctor.facts.traffic.stale_connections import StaleConnection, StaleConnections
from netdoctor.model import Confidence, Severity
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.traffic import Answer, Reply
from tests.builders import (
    CLIENT,
    DNS_ADDRESS,
    NXDOMAIN,
    OK,
    OLD_POD,
    SILENT,
    dns_answers,
    pods,
    points,
    postgres,
    services,
    slices,
    this_node,
)
from tests.facts.test_kept_pods import TO_ADDRESS, TO_DNS_PODS, policy, rule
from tests.gateways.module_builders import modules
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Case
from tests.probes.message_cases import ended, of_gateway
from tests.worlds import unread

NOT_YET = CannotRead("API server", "its certificate is not valid yet, by the clock of this node", Why.NO_ANSWER)
NO_LINE = 'FATAL: no pg_hba.conf entry for host "10.244.0.7", user "app", database "app", no encryption'
DENIED = "plugin/forward: open /etc/resolv.conf: permission denied"
LOCK = ("Error: P1002: The database server at `postgres`:`5432` was reached but timed out. Timed out trying to "
        "acquire a postgres advisory lock (SELECT pg_advisory_lock(72707369)).")  # fmt: skip
ENGINES = ("request to https://binaries.prisma.sh/all_commits/x/debian-openssl-3.0.x/libquery_engine.so.node.gz.sha256 "
           "failed, reason: getaddrinfo EAI_AGAIN binaries.prisma.sh")  # fmt: skip
HOME = "PermissionError: [Errno 13] Permission denied: '/.cache/prisma-python/binaries'"


def lost() -> Postgres:
    """Postgres, whose connections from pods time out."""
    found = postgres(TCP)
    return replace(found, stages=tuple(replace(s, reply=SILENT) if s.stage == TCP else s for s in found.stages))


def kept(policies: NetworkPolicies, *, database: bool = False) -> KeptPods:
    """What these policies forbid of the queries, or of the connections to Postgres, that got no answer."""
    names, found = (dns_answers(), lost()) if database else (dns_answers(SILENT), postgres())
    return KeptPods.collect(policies, points(), services(), pods(), names, found)


def of_a_gateway(story: str, line: str, says: str, cause: str) -> Case:
    """A gateway ends with this line in its log."""
    return Case("gateway-keeps-ending", story, FAIL, (modules(), of_gateway(line)), says,
                confidence=Confidence.LIKELY, stands_for=(cause,))  # fmt: skip


STALE = StaleConnection(CLIENT, 40000, "kube-system/kube-dns", DNS_ADDRESS, 53, "10.244.0.250")
UNTRANSLATED = replace(STALE, source="192.0.2.10", sent_to=DNS_ADDRESS)

CACHE = "169.254.20.10"


def of_a_cache() -> tuple[object, ...]:
    """Pods whose nameserver is a DNS cache of the node, and what they are answered there."""
    asking = tuple(replace(p, nameservers=(CACHE,)) if p.nameservers else p for p in points().points)
    lookups = tuple(replace(lookup, server=CACHE) for lookup in dns_answers(SILENT).lookups)
    return replace(points(), points=asking), ClusterDns(CACHE, lookups)


def searched(reply: Reply) -> SearchedNames:
    """What the test pod is answered for a name in the company's domain."""
    return SearchedNames(
        (SearchedName("test pod", DNS_ADDRESS, "corp.example", "p1.example.com.corp.example.", reply),)
    )


DAY, CLOCK = 86_400, 1_767_225_600  # 2026-01-01
SERVING, OF_KUBELET = "/etc/kubernetes/pki/apiserver.crt", "/var/lib/kubelet/pki/kubelet-client-current.pem"
EXPIRED = CannotRead("API server", "its certificate has expired", Why.NO_ANSWER)


def terms(begins: int, ends: int, *paths: str) -> CertificateTerms:
    """Certificates that begin and end so many days from now."""
    return CertificateTerms(tuple(Term(path, CLOCK + begins * DAY, CLOCK + ends * DAY) for path in paths), CLOCK)


CASES = [
    Case("pods-masqueraded-among-themselves", "by a rule that is meant for the outside", FAIL,
         (HiddenPods((HiddenPod(OLD_POD, CLIENT, "pod kube-system/coredns-1", "10.244.0.1"),)),),
         f"{OLD_POD} is seen by pod kube-system/coredns-1 as 10.244.0.1: a rule masquerades traffic between pods",
         severity=Severity.WARNING, stands_for=("np-identity-lost-by-masquerade",)),
    Case("pods-masqueraded-among-themselves", "by their own addresses", PASS),
    Case("pods-masqueraded-among-themselves", "too many to look through", NOT_APPLICABLE,
         unread={HiddenPods: CannotRead("tracked connections", "too many", Why.UNSUPPORTED)}),
    Case("pods-masqueraded-among-themselves", "not read", UNKNOWN, unread=unread(HiddenPods)),
    Case("search-domain-answers-all", "a wildcard record", FAIL, (searched(Reply(Answer.OK, 1.0, "", "203.0.113.9")),),
         "pods look outside names up in corp.example first, which has an address for every name: example.com becomes "
         "203.0.113.9", stands_for=("resolv-search-wildcard-ndots5",)),
    Case("search-domain-answers-all", "no such name", PASS, (searched(NXDOMAIN),)),
    Case("search-domain-answers-all", "a name without an address", PASS, (searched(OK),)),
    Case("search-domain-answers-all", "silent", PASS, (searched(SILENT),)),
    Case("cgroup-drivers-differ", "a runtime that takes systemd's name for a folder's", FAIL,
         (ContainerGroups((("5e0c", "cri-containerd"), ("6f1d", "cri-containerd"))),),
         "2 pods are outside the groups that hold their limits", severity=Severity.WARNING,
         evidence="SLICE:cri-containerd:ID", stands_for=("node-cgroup-driver-mismatch",)),
    Case("cgroup-drivers-differ", "each in its pod's group", PASS),
    Case("neighbour-table-full", "as many as may be", FAIL, (NeighbourTable(1020, 1024),),
         "the table of neighbours is full, 1020 of 1024", confidence=Confidence.LIKELY,
         stands_for=("neigh-table-overflow",)),
    Case("neighbour-table-full", "many", PASS, (NeighbourTable(900, 1024),)),
    Case("neighbour-table-full", "a namespace of its own", NOT_APPLICABLE, (NeighbourTable(1020, 0),)),
    Case("kube-proxy-not-following", "it hangs", FAIL, (KubeProxyHealth(Health.SILENT),),
         "kube-proxy runs and does not answer its health check: new Services and pods are not reached"),
    Case("kube-proxy-not-following", "it waits for the lock of iptables", FAIL,
         (KubeProxyHealth(Health.BEHIND, "2026-01-01 00:00:00", "iptables-restor (PID 77)"),),
         "says that changes since 2026-01-01 00:00:00 wait, and iptables-restor (PID 77) holds the lock of iptables",
         stands_for=("iptables-xtables-lock-held",)),
    Case("kube-proxy-not-following", "it follows", PASS),
    Case("kube-proxy-not-following", "no health check", NOT_APPLICABLE, (KubeProxyHealth(Health.UNKNOWN),)),
    Case("certificate-not-valid", "that of the API server has expired", FAIL,
         (terms(-366, -1, SERVING, "/etc/kubernetes/pki/apiserver-kubelet-client.crt"),),
         f"the certificate {SERVING} (and 1 more) has expired on 2025-12-31T00:00:00Z: the node's clock says",
         unread={KubeApi: EXPIRED}),
    Case("certificate-not-valid", "that of the kubelet has expired, and the node is not ready", FAIL,
         (terms(-366, -1, OF_KUBELET), this_node("Kubelet stopped posting node status")), OF_KUBELET),
    Case("certificate-not-valid", "the clock is behind", FAIL, (terms(2, 367, SERVING),),
         "is not valid before 2026-01-03T00:00:00Z: the node's clock says 2026-01-01T00:00:00Z",
         unread={KubeApi: NOT_YET}, stands_for=("node-clock-skew-tls",)),
    Case("certificate-not-valid", "expired, and nobody minds", FAIL, (terms(-366, -1, SERVING),), "has expired",
         severity=Severity.WARNING),
    Case("certificate-not-valid", "it expires next week", FAIL, (terms(-358, 7, SERVING),), "expires on 2026-01-08",
         severity=Severity.WARNING),
    Case("certificate-not-valid", "a short term, which is renewed in time", PASS, (terms(0, 2, OF_KUBELET),)),
    Case("certificate-not-valid", "a year old authority with nine to go", PASS, (terms(-365, 3285, SERVING),)),
    Case("nameserver-of-no-service", "that of a DNS cache which the node does not have", FAIL, of_a_cache(),
         "169.254.20.10, which does not belong to any Service nor to a DNS cache of this node: the cluster DNS is",
         stands_for=("nodelocaldns-wrong-mode",)),
    Case("nameserver-of-no-service", "that of a DNS cache, which is silent", PASS,
         (*of_a_cache(), LocalAddresses((CACHE,)))),
    Case("connection-to-gone-endpoint", "a client that keeps its port", FAIL, (StaleConnections((STALE,)),),
         "UDP packets of default/client-7d9-abcde to Service kube-system/kube-dns go to 10.244.0.250, which is not an "
         "endpoint", stands_for=("kube-proxy-stale-udp-conntrack",)),
    Case("connection-to-gone-endpoint", "from the time without endpoints", FAIL, (StaleConnections((UNTRANSLATED,)),),
         "UDP packets of 192.0.2.10 to Service kube-system/kube-dns go nowhere"),
    Case("connection-to-gone-endpoint", "none", PASS),
    Case("connection-to-gone-endpoint", "IPVS", NOT_APPLICABLE,
         unread={StaleConnections: CannotRead("tracked connections", "no", Why.ABSENT)}),
    Case("connection-to-gone-endpoint", "too many", NOT_APPLICABLE, says="more than 100000",
         unread={StaleConnections: CannotRead("tracked connections", "there are more than 100000", Why.UNSUPPORTED)}),
    Case("connection-to-gone-endpoint", "the kernel does not say", UNKNOWN, unread=unread(StaleConnections)),
    Case("policy-keeps-pods", "egress to DNS alone, and the database is lost", FAIL,
         (kept(policy(rule(TO_DNS_PODS, 53)), database=True),), "from Service default/postgres",
         confidence=Confidence.LIKELY, stands_for=("np-egress-missing-db-port",)),
    Case("policy-keeps-pods", "egress to the Service's address, and pods' are compared", FAIL,
         (kept(policy(rule(TO_ADDRESS, 53))),), "from Service kube-system/kube-dns",
         confidence=Confidence.LIKELY, stands_for=("np-dns-port-or-ip-seen-after-dnat",)),
    Case("postgres-login-refused", "pg_hba.conf has no line for pods", FAIL, (postgres(LOGIN, NO_LINE, "28000"),),
         "no pg_hba.conf entry", stands_for=("pg-hba-rejects-pod-network",)),
    Case("coredns-not-ready", "SELinux denies it a file", FAIL,
         (slices("kube-system/kube-dns"), ended(COREDNS, DENIED)), "is not allowed to read its resolv.conf (SELinux",
         stands_for=("node-selinux-denials",)),
    of_a_gateway("a lock that a pooler keeps", LOCK, "waits for a lock", "litellm-migration-advisory-lock-pooler"),
    of_a_gateway("its probe has no key", 'INFO:     10.244.0.1:52110 - "GET /health HTTP/1.1" 401 Unauthorized',
                 "ask /health/liveliness", "litellm-probe-on-authenticated-health"),
    of_a_gateway("engines from outside", ENGINES, "downloads Prisma's engines", "litellm-prisma-downloads-at-start"),
    of_a_gateway("no HOME to write to", HOME, "has no HOME", "litellm-nonroot-home-or-oom"),
]  # fmt: skip
