"""A whole node with one fault: every probe is asked, and the cause stands alone, with what it explains under it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.diagnosis.runner import run
from netdoctor.facts import Facts
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.model import Severity
from tests.builders import (
    CLIENT,
    DNS_ADDRESS,
    DOWN,
    NO_ROUTE,
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
    postgres,
    reach,
    services,
    slices,
    sysctls,
    upstream_answers,
    workloads,
)
from tests.gateways.module_builders import images, modules, provider, servers
from tests.worlds import catalogue, world

(DNS_FLOW,) = failed_flow().items
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
    "rules flushed, by whomever": (
        world(iptables("KUBE-SERVICES"), masquerade(CLIENT), upstream_answers(pods=SILENT), SILENT_DNS,
              reach(cluster_ip=SILENT)),
        ["kube-proxy-rules-missing", "pod-masquerade-missing"],
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
    "forwarding off and firewalld": (
        world(sysctls("0"), firewalld("10.244.0.9/32"), reach(old=REJECTED), upstream_answers(pods=SILENT)),
        ["firewalld-rejects-pods", "ip-forward-disabled"],
    ),
    "API server down, the rest works": (world(unread=DOWN), ["api-server-unreachable"]),
}  # fmt: skip


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
