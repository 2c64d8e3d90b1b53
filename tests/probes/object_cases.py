"""The cases of probes that judge the objects which pods use, and the flows beside those of every pod."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.kubelet_proxy import KubeletProxy
from netdoctor.facts.cluster.services import Endpoint, EndpointSlices, Service, ServicePort, Services
from netdoctor.facts.cluster.workloads import HostPort, Pods
from netdoctor.facts.gateways.litellm_config import Database
from netdoctor.facts.gateways.named_hosts import UNESCAPED, NamedHost
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments, Proxied
from netdoctor.facts.gateways.scope import Scope
from netdoctor.facts.traffic.kept_pods import KeptPod, KeptPods
from netdoctor.facts.traffic.named_answers import NamedAnswer, NamedAnswers
from netdoctor.facts.traffic.postgres import Postgres
from netdoctor.facts.traffic.reach import AskedFlow
from netdoctor.facts.traffic.service_reach import FROM_NODE, HOST_PORT, ITSELF, NODE_PORT, SERVICE, ServiceReach
from netdoctor.model import Confidence, Severity
from netdoctor.system.traffic import Answer, Reply
from tests.builders import (
    NODE_ADDRESS,
    NXDOMAIN,
    OK,
    OLD_POD,
    REFUSED,
    SILENT,
    cni,
    dns_answers,
    iptables,
    pod,
    pods,
    postgres,
    service_reach,
    services,
    slices,
    this_node,
)
from tests.gateways.module_builders import gateway, modules
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Case
from tests.worlds import unread

RESOLVED = Reply(Answer.OK, 1.0, "", "10.96.0.50")
WEB = "pod default/web"
PORTMAP = (
    "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 443,8088 -j CNI-DN-1",
)
WITH_WEB = Pods((
    *pods().items,
    pod("web", "default", "10.244.0.7", {}, host_ports=(HostPort("TCP", 8088, 80),)),
))  # fmt: skip
WITHOUT_PORTMAP = cni(plugins=tuple(p for p in cni().plugins if p["type"] != "portmap"))


def host_port(reply: Reply, direct: Reply = OK) -> ServiceReach:
    """A hostPort asked from the node, and its pod asked directly."""
    return ServiceReach((
        AskedFlow("host", HOST_PORT, WEB, NODE_ADDRESS, 8088, reply),
        AskedFlow("host", FROM_NODE, WEB, "10.244.0.7", 80, direct),
    ))  # fmt: skip


def environment(*hosts: NamedHost, **changed: Any) -> PodEnvironments:
    """One pod of namespace ai whose variables name these hosts."""
    built = PodEnvironment("ai", "app-1", "u1", False, False, True, hosts, (), "ReplicaSet/app-7d9")
    return PodEnvironments((replace(built, **changed),))


def answer(named: NamedHost, reply: Reply, *names: str) -> NamedAnswers:
    return NamedAnswers((NamedAnswer("ai/app-1", named, names, reply),))


def with_headless(ready: bool = False) -> tuple[Services, EndpointSlices]:
    """A headless Service ai/db, and its endpoint."""
    headless = Service("ai", "db", "ClusterIP", "None", (ServicePort("", "TCP", 5432, 0),), {"app": "db"})
    ends = {**slices().by_service, "ai/db": (Endpoint("10.244.0.8", 5432, "TCP", ready),)}
    return replace(services(), headless=(headless,)), EndpointSlices(ends)


def local(name: str, node: str, **changed: Any) -> tuple[Services, EndpointSlices]:
    """A Service with a policy of Local, and its endpoints on a node."""
    known, ends = services(), dict(slices().by_service)
    policy = {"node_local": True, **changed}
    made = tuple(replace(s, **policy) if s.name == name else s for s in known.items)
    key = next(str(s) for s in made if s.name == name)
    ends[key] = tuple(replace(end, node=node) for end in ends[key])
    return replace(known, items=made), EndpointSlices(ends)


def dns_ports(*protocols: str) -> Services:
    """The Services, that of the DNS with these transports alone."""
    ports = tuple(ServicePort(f"dns-{protocol.lower()}", protocol, 53, 0) for protocol in protocols)
    known = services()
    return replace(known, items=tuple(replace(s, ports=ports) if s.name == "kube-dns" else s for s in known.items))


def kept(*policies: tuple[str, ...]) -> KeptPods:
    """The test pod and an old one, whose queries are lost, and the policies that forbid them."""
    return KeptPods(tuple(
        KeptPod(vantage, "kube-system/kube-dns", "UDP", 53, SILENT, forbidding)
        for vantage, forbidding in zip(("test pod", OLD_POD), policies, strict=True)
    ))  # fmt: skip


def lost_postgres() -> Postgres:
    """Postgres, whose connections time out."""
    found = postgres("TCP")
    return replace(found, stages=tuple(replace(s, reply=SILENT) if s.stage == "TCP" else s for s in found.stages))


OF_SERVICE = Proxied("app", "VAULT_ADDR", "vault", "203.0.113.1:3128")
OF_API = Proxied("app", "", "10.96.0.1", "203.0.113.1:3128")
DATABASE, CACHE = NamedHost("app", "DATABASE_URL", "postgres", 5432), NamedHost("app", "CACHE_HOST", "postgres", 0)
ITS_OWN = NamedHost("app", "DATABASE_URL", "localhost", 5432)
HEADLESS = NamedHost("app", "DATABASE_URL", "db", 5432)
BROKEN = NamedHost("app", "DATABASE_URL", "", 0, UNESCAPED)
IN_AI = "postgres.ai.svc.cluster.local."
USES_PORT = environment(refers_to=(("app", "POSTGRES_PORT"),), namespace="default", fails=True)

CASES = [
    Case("node-to-pod-blocked", "a pod is silent", FAIL, (service_reach(from_node=SILENT),),
         "1 of 1 pods do not answer their own node", evidence="host -> 10.244.0.2:53"),
    Case("node-to-pod-blocked", "a refusal arrives", PASS, (service_reach(from_node=REFUSED),)),
    Case("pod-to-itself-blocked", "silent", FAIL, (service_reach(itself=SILENT),),
         "1 of 1 pods do not reach themselves by their own Service (Service default/postgres)"),
    Case("pod-to-itself-blocked", "no pod is alone behind a Service", NOT_APPLICABLE,
         (ServiceReach(tuple(f for f in service_reach().flows if f.kind != ITSELF)),)),
    Case("service-unreachable", "silent", FAIL, (service_reach(service=SILENT),),
         "2 of 2 connections to Services are not answered (Service default/echo)"),
    Case("service-unreachable", "its pod refuses", FAIL, (service_reach(service=REFUSED),),
         "2 of 2 connections to Services are not accepted", severity=Severity.WARNING),
    Case("service-unreachable", "no other Service", NOT_APPLICABLE,
         (ServiceReach(tuple(f for f in service_reach().flows if f.kind != SERVICE)),)),
    Case("node-port-unreachable", "refused by the node", FAIL, (service_reach(node_port=REFUSED),),
         "2 of 2 connections to NodePorts are not accepted (Service default/echo at 30080)"),
    Case("node-port-unreachable", "silent", FAIL, (service_reach(node_port=SILENT),), "Service default/echo at 30080"),
    Case("node-port-unreachable", "its pod refuses too", PASS, (service_reach(node_port=REFUSED, direct=REFUSED),)),
    Case("node-port-unreachable", "no NodePort", NOT_APPLICABLE,
         (ServiceReach(tuple(f for f in service_reach().flows if f.kind != NODE_PORT)),)),
    Case("host-port-unreachable", "refused by the node", FAIL, (host_port(REFUSED),),
         "1 of 1 connections to hostPorts are not accepted (pod default/web at 8088)"),
    Case("host-port-unreachable", "its pod refuses too", PASS, (host_port(REFUSED, REFUSED),)),
    Case("host-port-unreachable", "it answers", PASS, (host_port(OK),)),
    Case("host-port-rules-missing", "flushed", FAIL, (host_port(REFUSED), WITH_WEB),
         "hostPort 8088 leads nowhere: no rule of CNI-HOSTPORT-DNAT names it, and pod default/web asks for it"),
    Case("host-port-rules-missing", "nothing leads to them", FAIL,
         (host_port(REFUSED), WITH_WEB, iptables(more=PORTMAP[1:])), "PREROUTING does not lead to CNI-HOSTPORT-DNAT"),
    Case("host-port-rules-missing", "no portmap", FAIL, (host_port(REFUSED), WITH_WEB, WITHOUT_PORTMAP),
         "hostPort 8088 leads nowhere: the CNI has no plugin portmap, only bridge, firewall"),
    Case("host-port-rules-missing", "they are there, and something else loses it", PASS,
         (host_port(SILENT), WITH_WEB, iptables(more=PORTMAP))),
    Case("host-port-rules-missing", "it answers without them", PASS, (host_port(OK), WITH_WEB)),
    Case("host-port-rules-missing", "its pod refuses too", PASS, (host_port(REFUSED, REFUSED), WITH_WEB)),
    Case("host-port-rules-missing", "rules of nftables", NOT_APPLICABLE,
         (host_port(REFUSED), WITH_WEB, cni(plugins=({"type": "bridge"}, {"type": "portmap", "backend": "other"})))),
    Case("service-local-to-other-nodes", "Postgres times out", FAIL, (*local("postgres", "n2"), lost_postgres()),
         "Service default/postgres has internalTrafficPolicy Local and no endpoint on this node (they are on n2)"),
    Case("service-local-to-other-nodes", "the cluster DNS is silent", FAIL,
         (*local("kube-dns", "n2"), dns_answers(SILENT)), "Service kube-system/kube-dns has internalTrafficPolicy"),
    Case("service-local-to-other-nodes", "a module's NodePort, from outside", FAIL,
         (*local("postgres", "n2", node_local=False, node_local_outside=True, kind="NodePort"),
          modules(services=("default/postgres",))), "has externalTrafficPolicy Local", severity=Severity.WARNING),
    Case("service-local-to-other-nodes", "nobody here needs it", PASS, local("postgres", "n2")),
    Case("service-local-to-other-nodes", "an endpoint is here", PASS, (*local("postgres", "n1"), lost_postgres())),
    Case("service-local-to-other-nodes", "a NodePort of somebody else's", PASS,
         local("postgres", "n2", node_local=False, node_local_outside=True, kind="NodePort")),
    Case("dns-service-port-missing", "no TCP", FAIL, (dns_ports("UDP"),),
         "Service kube-system/kube-dns does not offer 53/tcp, only 53/udp: names with long answers do not resolve"),
    Case("dns-service-port-missing", "no UDP", FAIL, (dns_ports("TCP"),), "does not offer 53/udp, only 53/tcp"),
    Case("dns-service-port-missing", "both", PASS),
    Case("dns-service-port-missing", "no such Service", NOT_APPLICABLE, (services("kube-dns"),)),
    Case("database-host-is-the-pod", "nothing listens there", FAIL, (environment(ITS_OWN), answer(ITS_OWN, REFUSED)),
         "DATABASE_URL of pod ai/app-1 names localhost:5432, which is the pod itself, and nothing listens there; the "
         "database may be Service default/postgres"),
    Case("database-host-is-the-pod", "a proxy beside it listens there", PASS,
         (environment(ITS_OWN), answer(ITS_OWN, OK))),
    Case("database-host-is-the-pod", "it could not be asked", PASS, (environment(ITS_OWN),)),
    Case("service-name-of-other-namespace", "a database", FAIL,
         (environment(DATABASE), answer(DATABASE, NXDOMAIN, IN_AI)),
         "DATABASE_URL of pod ai/app-1 names postgres, and namespace ai has no such Service: the full name is "
         "postgres.default.svc"),
    Case("service-name-of-other-namespace", "another thing, of a pod that is ready", FAIL,
         (environment(CACHE), answer(CACHE, NXDOMAIN, IN_AI)), severity=Severity.WARNING),
    Case("service-name-of-other-namespace", "another thing, of a pod that is not", FAIL,
         (environment(CACHE, fails=True), answer(CACHE, NXDOMAIN, IN_AI))),
    Case("service-name-of-other-namespace", "it resolves all the same", PASS,
         (environment(DATABASE), answer(DATABASE, RESOLVED, IN_AI))),
    Case("service-name-of-other-namespace", "the DNS does not answer", PASS,
         (environment(DATABASE), answer(DATABASE, SILENT, IN_AI))),
    Case("service-name-of-other-namespace", "the Service is in its own namespace", PASS,
         (environment(DATABASE, namespace="default"), NamedAnswers((NamedAnswer("default/app-1", DATABASE, (IN_AI,),
          NXDOMAIN),)))),
    Case("pod-asks-cluster-through-proxy", "a Service by a URL, and the pod is not ready", FAIL,
         (environment(proxied=(OF_SERVICE,), fails=True),),
         "pod ai/app-1 asks vault, which VAULT_ADDR names, through the proxy 203.0.113.1:3128",
         confidence=Confidence.LIKELY),
    Case("pod-asks-cluster-through-proxy", "the pod is ready", FAIL, (environment(proxied=(OF_SERVICE,)),),
         severity=Severity.WARNING, confidence=Confidence.LIKELY),
    Case("pod-asks-cluster-through-proxy", "the API server, of a pod that is not ready", FAIL,
         (environment(proxied=(OF_API,), fails=True),), "asks the API server at 10.96.0.1 through the proxy",
         confidence=Confidence.LIKELY),
    Case("pod-asks-cluster-through-proxy", "the API server, of a pod that is ready", PASS,
         (environment(proxied=(OF_API,)),)),
    Case("pod-asks-cluster-through-proxy", "a proxy that is set and right", PASS, (environment(DATABASE),)),
    Case("kubelet-asks-through-proxy", "and the node is not ready", FAIL,
         (KubeletProxy("203.0.113.1:3128", "192.0.2.10"), this_node("Kubelet stopped posting node status")),
         "the kubelet asks the API server at 192.0.2.10 through the proxy 203.0.113.1:3128",
         confidence=Confidence.LIKELY),
    Case("kubelet-asks-through-proxy", "and the proxy leads there", FAIL,
         (KubeletProxy("203.0.113.1:3128", "192.0.2.10"),), severity=Severity.WARNING, confidence=Confidence.LIKELY),
    Case("kubelet-asks-through-proxy", "it does not", PASS),
    Case("kubelet-asks-through-proxy", "k3s, in whose process it is", NOT_APPLICABLE,
         unread={KubeletProxy: CannotRead("kubelet", "no process is called so", Why.ABSENT)}),
    Case("kubelet-asks-through-proxy", "it may not be looked at", UNKNOWN, unread=unread(KubeletProxy)),
    Case("headless-service-not-ready", "of a database", FAIL, (environment(HEADLESS), *with_headless()),
         "Service ai/db is headless without a ready endpoint: its name does not exist for pod ai/app-1 (DATABASE_URL)"),
    Case("headless-service-not-ready", "of a module", FAIL,
         (modules(gateway(database=Database("db.ai", 5432, "d", "u"))), *with_headless()), "for module llm"),
    Case("headless-service-not-ready", "of another thing", FAIL,
         (environment(replace(HEADLESS, variable="CACHE_HOST")), *with_headless()), severity=Severity.WARNING),
    Case("headless-service-not-ready", "it has a ready pod", PASS, (environment(HEADLESS), *with_headless(ready=True))),
    Case("headless-service-not-ready", "nobody names it", PASS, with_headless()),
    Case("database-url-unreadable", "of a pod", FAIL, (environment(BROKEN),),
         "DATABASE_URL of pod ai/app-1 cannot be read as a URL: its password holds a character"),
    Case("database-url-unreadable", "of a module", FAIL, (modules(gateway(database=None, database_problem=UNESCAPED)),),
         "DATABASE_URL of deployment/litellm-llm in namespace litellm cannot be read as a URL"),
    Case("database-url-unreadable", "the gate asks for the modules' alone", PASS,
         (modules(), environment(BROKEN), Scope(True))),
    Case("database-url-unreadable", "it can be read", PASS, (environment(DATABASE),)),
    Case("service-link-taken-as-setting", "the pod is not ready", FAIL, (USES_PORT,),
         "container app of pod default/app-1 uses POSTGRES_PORT, which it does not set: Kubernetes makes it for "
         "Service default/postgres, as tcp://10.96.0.50:5432", confidence=Confidence.LIKELY),
    Case("service-link-taken-as-setting", "the pod is ready", FAIL,
         (environment(refers_to=(("app", "POSTGRES_PORT"),), namespace="default"),), severity=Severity.WARNING,
         confidence=Confidence.LIKELY),
    Case("service-link-taken-as-setting", "its links are switched off", PASS,
         (PodEnvironments((replace(USES_PORT.items[0], service_links=False),)),)),
    Case("service-link-taken-as-setting", "the Service is of another namespace", PASS,
         (environment(refers_to=(("app", "POSTGRES_PORT"),), fails=True),)),
    Case("policy-keeps-pods", "a namespace's policy forbids its pods the DNS", FAIL,
         (kept(("default/deny",), ("default/deny",)),),
         "NetworkPolicy default/deny keeps test pod, pod default/client-7d9-abcde from Service kube-system/kube-dns",
         confidence=Confidence.LIKELY),
    Case("policy-keeps-pods", "a pod that they allow fails too", PASS, (kept(("default/deny",), ()),)),
    Case("policy-keeps-pods", "nothing failed", PASS, (KeptPods(()),)),
    Case("policy-keeps-pods", "an older recording", NOT_APPLICABLE,
         unread={KeptPods: CannotRead("recording", "it does not hold NetworkPolicies", Why.NOT_RECORDED)}),
]  # fmt: skip
