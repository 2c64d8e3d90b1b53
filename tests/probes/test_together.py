"""A whole node with one fault: every probe is asked, and the cause stands alone, with what it explains under it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.diagnosis.runner import run
from netdoctor.facts import Facts
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.last_ends import COREDNS, KUBE_PROXY
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.litellm_config import Database
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.named_answers import NamedAnswer, NamedAnswers
from netdoctor.facts.traffic.postgres import Postgres
from netdoctor.model import Severity
from netdoctor.system.kube_api import KubeApi
from tests.builders import (
    CLIENT,
    DNS_ADDRESS,
    DOWN,
    NO_ROUTE,
    NXDOMAIN,
    OK,
    REFUSED,
    REJECTED,
    SERVFAIL,
    SILENT,
    UPSTREAMS,
    dns_answers,
    failed_flow,
    firewalld,
    iptables,
    masquerade,
    pods,
    postgres,
    reach,
    service_reach,
    services,
    slices,
    sysctls,
    upstream_answers,
    workloads,
)
from tests.gateways.module_builders import gateway, images, modules, provider, servers
from tests.probes import cause_cases, flow_cases, flush_cases, object_cases
from tests.probes.message_cases import (
    DENIED,
    FULL,
    LOOP,
    LOOSE,
    NO_IPV6,
    NODENAME,
    RPF,
    STUB,
    TAKEN,
    ended,
    refused,
    with_daemon_set,
)
from tests.probes.relation_cases import CLUSTER_LOCAL, HERE, IN_PODS, LOCAL, NAMED_DOWN, asked, coredns_at, sized, zoned
from tests.worlds import catalogue, world

(DNS_FLOW,) = failed_flow().items


def unresolved(server: str) -> Postgres:
    """A Postgres whose name does not exist."""
    found = postgres("name")
    return replace(found, services=(server,), stages=tuple(replace(s, service=server) for s in found.stages))


UNRESOLVED = dns_answers(outside=SERVFAIL)
SILENT_DNS = dns_answers(SILENT, SILENT)
FAULTS: dict[str, tuple[Facts, list[str]]] = {
    "nothing": (world(), []),
    "forwarding off": (
        world(sysctls("0"), upstream_answers(pods=SILENT), UNRESOLVED, reach(cluster_ip=SILENT), postgres("TCP")),
        ["ip-forward-disabled"],
    ),
    "no connection can be tracked any more": (
        world(sysctls(tracked=("65536", "65536")), upstream_answers(pods=SILENT), UNRESOLVED, SILENT_DNS,
              reach(cluster_ip=SILENT), postgres("name")),
        ["connection-tracking-full"],
    ),
    "forwarding off, and nothing by a Service either": (
        world(sysctls("0"), upstream_answers(pods=SILENT), UNRESOLVED, reach(cluster_ip=SILENT),
              service_reach(itself=SILENT, node_port=SILENT, service=SILENT)),
        ["ip-forward-disabled"],
    ),
    "a policy forbids the pods the DNS": (
        world(SILENT_DNS, object_cases.kept(("default/deny",), ("default/deny",))), ["policy-keeps-pods"],
    ),
    "Postgres is another node's alone": (
        world(*object_cases.local("postgres", "n2"), object_cases.lost_postgres()), ["service-local-to-other-nodes"],
    ),
    "the DNS Service has lost TCP": (
        world(object_cases.dns_ports("UDP"), dns_answers(SILENT)), ["dns-service-port-missing"],
    ),
    "a module's database has a short name of another namespace": (
        world(modules(gateway(database=Database("postgres", 5432, "d", "u"))),
              object_cases.environment(object_cases.DATABASE, namespace="litellm"),
              NamedAnswers((NamedAnswer("litellm/app-1", object_cases.DATABASE, ("postgres.",), NXDOMAIN),)),
              unresolved("litellm/postgres"), images(present=True), provider()),
        ["service-name-of-other-namespace"],
    ),
    "a database on the host's network asks the node's resolvers": (
        world(flow_cases.on_host(flow_cases.IN_FULL),
              object_cases.answer(flow_cases.IN_FULL, NXDOMAIN, flow_cases.AT_NODE)),
        ["cluster-dns-bypassed"],
    ),
    "firewalld forwards its own ports alone": (
        world(*flow_cases.strict(), reach(cluster_ip=REJECTED), SILENT_DNS, postgres("name"), UNRESOLVED),
        ["firewalld-forwards-own-ports"],
    ),
    "queries for IPv6 addresses are dropped": (
        world(flow_cases.both(OK, SILENT)), ["ipv6-lookups-failing"],
    ),
    "datagrams to a Service are lost": (world(flow_cases.datagram(SILENT)), ["service-unreachable"]),
    "the rules of hostPorts flushed": (
        world(object_cases.host_port(REFUSED), object_cases.WITH_WEB), ["host-port-rules-missing"],
    ),
    "bridge netfilter off": (
        world(sysctls(bridge_nf_call="0"), reach(cluster_ip=SILENT), SILENT_DNS, postgres("name")),
        ["bridge-netfilter-disabled"],
    ),
    "firewalld has forgotten the pods": (
        world(firewalld("10.244.0.9/32"), reach(old=REJECTED), upstream_answers(old=REJECTED), UNRESOLVED),
        ["firewalld-rejects-pods"],
    ),
    "direct rules flushed everything": (
        world(firewalld("10.244.0.0/16", direct=["--add-rule x"]), iptables("KUBE-SERVICES"), masquerade(CLIENT),
              upstream_answers(pods=SILENT), UNRESOLVED, reach(cluster_ip=SILENT), SILENT_DNS),
        ["direct-rules-flush-iptables"],
    ),
    "rules of two programs gone, at different times": (
        world(iptables("KUBE-SERVICES"), masquerade(CLIENT), upstream_answers(pods=SILENT), SILENT_DNS,
              reach(cluster_ip=SILENT)),
        ["kube-proxy-rules-missing", "pod-masquerade-missing"],
    ),
    "rules flushed, by whomever": (
        world(iptables("KUBE-SERVICES"), *flush_cases.ALL_LOST, SILENT_DNS, reach(cluster_ip=SILENT)),
        ["netfilter-flushed"],
    ),
    "firewalld started late": (
        world(flush_cases.started(flush_cases.AFTER), iptables("KUBE-SERVICES"), flush_cases.ALL_LOST[0],
              upstream_answers(pods=REJECTED), reach(REJECTED, REJECTED, REJECTED)),
        ["firewalld-started-after-pods"],
    ),
    "kube-proxy's rules were loaded from a file of an earlier day": (
        world(iptables(dns_end="10.244.77.77:53"), FailedFlows((replace(DNS_FLOW, destination=DNS_ADDRESS),), True),
              reach(cluster_ip=SILENT), SILENT_DNS, postgres("name")),
        ["kube-proxy-rules-stale"],
    ),
    "no default route": (
        world(Links((), ()), upstream_answers(NO_ROUTE, NO_ROUTE), UNRESOLVED), ["default-route-missing"],
    ),
    "upstreams dead": (world(upstream_answers(dead=UPSTREAMS), UNRESOLVED), ["coredns-upstream-dead"]),
    "the Corefile has another cluster domain": (
        world(CLUSTER_LOCAL, zoned("clouster.local"), dns_answers(NXDOMAIN), postgres("name")),
        ["cluster-domain-mismatch"],
    ),
    "the only resolver lies in the pod network": (
        world(*asked((IN_PODS, SILENT)), UNRESOLVED), ["pod-network-overlaps"],
    ),
    "one resolver lies in the pod network, and the other is dead": (
        world(*asked((IN_PODS, SILENT), (UPSTREAMS[0], SILENT)), UNRESOLVED),
        ["coredns-upstream-dead", "pod-network-overlaps"],
    ),
    "CoreDNS is on the network of another CNI": (
        world(coredns_at("10.88.0.2"), reach(SILENT, cluster_ip=SILENT), SILENT_DNS, postgres("name")),
        ["pods-on-two-networks"],
    ),
    "CoreDNS scaled to 0": (
        world(slices("kube-system/kube-dns"), workloads(0), Pods(()), SILENT_DNS, postgres("name")),
        ["coredns-not-ready"],
    ),
    "Postgres's selector is wrong": (
        world(slices("default/postgres"), services(postgres_selector="postgers"), postgres("TCP", "refused")),
        ["postgres-without-endpoints"],
    ),
    "wrong password": (world(postgres("login", "password authentication failed")), ["postgres-login-refused"]),
    "connections exhausted": (
        world(modules(), servers("llm"), provider(), postgres("login", "sorry, too many clients already", "53300")),
        ["database-slots-exhausted"],
    ),
    "a provider is dead": (world(modules(), servers("llm"), provider(REFUSED)), ["provider-unreachable"]),
    "forwarding off, and modules": (
        world(modules(), servers("llm"), provider(lookup=SERVFAIL), sysctls("0"), upstream_answers(pods=SILENT),
              UNRESOLVED),
        ["ip-forward-disabled"],
    ),
    "upstreams dead, and modules": (
        world(modules(), provider(lookup=SERVFAIL), upstream_answers(dead=UPSTREAMS), UNRESOLVED),
        ["coredns-upstream-dead"],
    ),
    "no way out for pods, and the provider is known from a cache": (
        world(modules(), provider(SILENT), masquerade(CLIENT), upstream_answers(pods=SILENT), UNRESOLVED),
        ["pod-masquerade-missing"],
    ),
    "no default route, and an image to pull": (
        world(modules(), provider(), images(registry="r.example:443"), Links((), ()),
              upstream_answers(NO_ROUTE, NO_ROUTE), UNRESOLVED),
        ["default-route-missing"],
    ),
    "CoreDNS forwards to itself": (
        world(slices("kube-system/kube-dns"), ended(COREDNS, LOOP), STUB, SILENT_DNS, postgres("name"),
              pods(ready=False, trouble="coredns: CrashLoopBackOff back-off")),
        ["coredns-forwards-to-itself"],
    ),
    "kube-proxy may not set connection tracking": (
        world(ended(KUBE_PROXY, DENIED), KubeProxy("iptables", "", False, "kube-system/kube-proxy-1", "Error")),
        ["kube-proxy-conntrack-refused"],
    ),
    "a network that is gone": (world(refused(NODENAME)[0], unread=refused(NODENAME)[1]), ["cni-agent-missing"]),
    "no address is free": (world(refused(FULL)[0], unread=refused(FULL)[1]), ["cni-addresses-exhausted"]),
    "two plugins make the interface": (world(refused(TAKEN)[0], unread=refused(TAKEN)[1]), ["cni-interface-exists"]),
    "no IPv6": (world(refused(NO_IPV6)[0], unread=refused(NO_IPV6)[1]), ["cni-address-family-disabled"]),
    "Calico refuses to run": (
        world(ended("Calico", RPF), LOOSE, refused(NODENAME)[0], with_daemon_set("calico-node"),
              unread=refused(NODENAME)[1]),
        ["calico-refuses-loose-rp-filter"],
    ),
    "an agent that nobody knows why it ends": (
        world(ended("Calico", "panic: x"), refused(NODENAME)[0], with_daemon_set("calico-node"),
              unread=refused(NODENAME)[1]),
        ["network-agent-not-running"],
    ),
    "forwarding off and firewalld": (
        world(sysctls("0"), firewalld("10.244.0.9/32"), reach(old=REJECTED), upstream_answers(pods=SILENT)),
        ["firewalld-rejects-pods", "ip-forward-disabled"],
    ),
    "a narrow path, and a provider that hangs": (
        world(modules(), servers("llm"), provider(SILENT), sized(1400, full=SILENT, small=OK)), ["large-packets-lost"],
    ),
    "the API server's address is gone": (world(HERE, LOCAL, unread=NAMED_DOWN), ["node-address-gone"]),
    "the API server's certificate has expired": (
        world(cause_cases.terms(-366, -1, cause_cases.SERVING), unread={KubeApi: cause_cases.EXPIRED}),
        ["certificate-not-valid"],
    ),
    "API server down, the rest works": (world(unread=DOWN), ["api-server-unreachable"]),
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("name", list(FAULTS))
def test_the_cause_and_only_the_cause(name: str) -> None:
    facts, causes = FAULTS[name]
    diagnoses = diagnose(catalogue(), run(catalogue(), facts))
    found = sorted(d.cause.probe for d in diagnoses if d.cause.severity is Severity.ERROR)
    assert found == sorted(causes), [(d.cause.probe, str(d.cause.subject)) for d in diagnoses]


def test_symptoms_stand_under_their_cause() -> None:
    facts, _ = FAULTS["forwarding off"]
    (only,) = diagnose(catalogue(), run(catalogue(), facts))
    assert [f.probe for f in only.symptoms] == [
        name for name in catalogue().causes_first() if name in {f.probe for f in only.symptoms}
    ]
    assert {"pod-to-outside-blocked", "outside-names-unresolved"} <= {f.probe for f in only.symptoms}
