"""Every probe on facts built by hand: the fault present, absent, and the cases that look like it and are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster import EndpointSlices, Pods, Services
from netdoctor.facts.cni import Attachments
from netdoctor.facts.coredns import Corefile, Upstreams
from netdoctor.facts.drops import Drop, Drops
from netdoctor.facts.firewalld import Firewalld
from netdoctor.facts.firewalld_rules import FirewalldRules
from netdoctor.facts.kube_proxy import KubeProxy
from netdoctor.facts.links import Link, Links
from netdoctor.facts.listeners import Listener, Listeners
from netdoctor.facts.modules import SecretKey
from netdoctor.facts.names import ClusterDns, UpstreamAnswers
from netdoctor.facts.new_pod import NewPod
from netdoctor.facts.postgres import NAME, TCP, Postgres
from netdoctor.facts.postgres_servers import PostgresServers
from netdoctor.facts.postgres_session import LOGIN, SELECT, TLS
from netdoctor.facts.providers import Providers
from netdoctor.facts.reach import Reach
from netdoctor.facts.sysctl import BridgeNetfilterModule, SysctlFiles
from netdoctor.facts.vantage import VantagePoints
from netdoctor.kube_api import ApiError, KubeApi
from netdoctor.model import Confidence, Outcome, Severity
from netdoctor.trace import Dropped
from netdoctor.traffic import Answer, Reply
from tests.builders import (
    BRIDGE,
    CLIENT,
    COREDNS,
    DOWN,
    NO_ROUTE,
    NODE_ADDRESS,
    NODE_NAME,
    NXDOMAIN,
    OK,
    OLD_POD,
    POD_NETWORK,
    REFUSED,
    REJECTED,
    SERVFAIL,
    SILENT,
    UPSTREAMS,
    catalogue,
    cni,
    departures,
    dns_answers,
    firewalld,
    gateway,
    images,
    iptables,
    judge,
    masquerade,
    modules,
    node_port_service,
    pod,
    pods,
    points,
    policy_answers,
    postgres,
    provider,
    reach,
    servers,
    services,
    slices,
    sysctls,
    unread,
    upstream_answers,
    workloads,
)

PASS, FAIL, UNKNOWN, NOT_APPLICABLE = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
FIREWALLD_RULES = FirewalldRules.parse(
    "table inet firewalld {\n  chain filter_FWD_public { # handle 7\n"
    '    reject with icmpx admin-prohibited # handle 231\n  }\n  chain filter_IN_public {\n'
    "    reject with icmpx admin-prohibited # handle 198\n  }\n}\n"
)  # fmt: skip
NOBODY = Links((), ())


@dataclass(frozen=True)
class Case:
    """A probe, what is different on the node, and what it says then."""

    probe: str
    story: str
    outcome: Outcome
    facts: tuple[object, ...] = ()
    says: str = ""
    unread: Mapping[type, CannotRead] = field(default_factory=dict)
    severity: Severity = Severity.ERROR
    confidence: Confidence = Confidence.CONFIRMED
    evidence: str = ""


def port(name: str, *, up: bool) -> Link:
    return Link(name, 9, "veth", up, up, BRIDGE, 1500)


def links(*different: Link) -> Links:
    bridge = Link(BRIDGE, 3, "bridge", True, True, "", 1500)
    known = different if any(link.name == BRIDGE for link in different) else (bridge, *different)
    return Links(known, ("default via 192.0.2.1 dev eth0",))


def dropped(where: Dropped, legacy: str = "") -> Drops:
    return Drops((Drop(f"{OLD_POD} -> 8.8.8.8:53", "outside", where, legacy),))


CASES = [
    Case("api-server-unreachable", "down", FAIL, says="connection refused", unread=DOWN),
    Case("api-server-unreachable", "no kubeconfig", UNKNOWN, says="kubeconfig",
         unread={KubeApi: CannotRead("kubeconfig", "none that can be read")}),
    Case("api-server-unreachable", "it answers that we may not ask", UNKNOWN, says="403",
         unread={KubeApi: ApiError("API server https://x", 403, "Forbidden")}),
    Case("bridge-netfilter-disabled", "off, and ClusterIPs time out", FAIL,
         (sysctls(bridge_nf_call="0"), reach(cluster_ip=SILENT)), "is 0"),
    Case("bridge-netfilter-disabled", "no such setting: the module is not loaded", FAIL,
         (sysctls(bridge_nf_call=None), BridgeNetfilterModule(False, ""), reach(cluster_ip=SILENT)), "is missing",
         evidence="not loaded"),
    Case("bridge-netfilter-disabled", "off, and only names time out", FAIL,
         (sysctls(bridge_nf_call="0"), reach(), dns_answers(SILENT)), "is 0"),
    Case("bridge-netfilter-disabled", "off, and nobody could ask", FAIL, (sysctls(bridge_nf_call="0"),),
         unread=unread(Reach, ClusterDns), confidence=Confidence.LIKELY),
    Case("bridge-netfilter-disabled", "off, and every ClusterIP answers", PASS, (sysctls(bridge_nf_call="0"),)),
    Case("bridge-netfilter-disabled", "on, while ClusterIPs time out for another reason", PASS,
         (reach(cluster_ip=SILENT),)),
    Case("bridge-netfilter-disabled", "a CNI without a Linux bridge", NOT_APPLICABLE,
         (cni(plugins=({"type": "cilium-cni"},)), sysctls(bridge_nf_call="0")), "without a Linux bridge"),
    Case("bridge-netfilter-disabled", "no kube-proxy", NOT_APPLICABLE,
         (KubeProxy("", "", False, "", ""), sysctls(bridge_nf_call="0")), "no kube-proxy"),
    Case("cni-config-unusable", "no file", FAIL, (cni(path="", problem="no file in /etc/cni/net.d"),), "no file",
         unread={NewPod: CannotRead("test pod", "no network: cni plugin not initialized")}),
    Case("cni-config-unusable", "a plugin is missing, and no pod could be tried", FAIL,
         (cni(missing_plugins=("portmap",)),), "portmap", unread=unread(NewPod), confidence=Confidence.LIKELY),
    Case("cni-config-unusable", "a new pod gets its network all the same", PASS, (cni(missing_plugins=("portmap",)),)),
    Case("cni-config-unusable", "further files that nobody reads", PASS, (cni(others=("/etc/cni/net.d/9.conf",)),)),
    Case("default-route-missing", "gone, and upstreams are unreachable", FAIL,
         (NOBODY, upstream_answers(NO_ROUTE, NO_ROUTE)), "no default route"),
    Case("default-route-missing", "air-gapped: the resolvers are on the node's own network", PASS, (NOBODY,)),
    Case("default-route-missing", "there, while upstreams time out", PASS, (upstream_answers(SILENT, SILENT),)),
    Case("direct-rules-flush-iptables", "a direct rule, and kube-proxy's chain is gone", FAIL,
         (firewalld(direct=["--add-rule ipv4 filter OUTPUT 0 -j ACCEPT"]), iptables("KUBE-SERVICES")),
         "direct rule makes", evidence="no chain KUBE-SERVICES"),
    Case("direct-rules-flush-iptables", "two direct rules, and masquerades are gone", FAIL,
         (firewalld(direct=["--add-rule a", "--add-rule b"]), masquerade(CLIENT)), "2 direct rules make",
         evidence=CLIENT),
    Case("direct-rules-flush-iptables", "direct rules with everything in place", PASS,
         (firewalld(direct=["--add-rule a"]),)),
    Case("direct-rules-flush-iptables", "no direct rule, and the chain is gone", PASS,
         (firewalld(), iptables("KUBE-SERVICES"))),
    Case("direct-rules-flush-iptables", "no firewalld", NOT_APPLICABLE, (), "does not run"),
    Case("firewalld-rejects-pods", "old pods are forgotten, the new one works", FAIL,
         (firewalld("10.244.0.9/32"), reach(old=REJECTED), FIREWALLD_RULES), "made it forget them",
         evidence="# handle 231"),
    Case("firewalld-rejects-pods", "all pods are rejected", FAIL,
         (firewalld(), reach(REJECTED, REJECTED, REJECTED), upstream_answers(pods=REJECTED)), "in zone public"),
    Case("firewalld-rejects-pods", "the zone drops", FAIL, (firewalld(target="DROP"), reach(SILENT)), "zone public"),
    Case("firewalld-rejects-pods", "only the node is closed to pods", FAIL, (firewalld(), reach(node=REJECTED)),
         severity=Severity.WARNING),
    Case("firewalld-rejects-pods", "its own rules cannot be read", FAIL, (firewalld(), reach(REJECTED)),
         unread=unread(FirewalldRules, UpstreamAnswers)),
    Case("firewalld-rejects-pods", "pods in zone public, and their packets get through", PASS, (firewalld(),)),
    Case("firewalld-rejects-pods", "pods are trusted, and somebody else rejects", PASS,
         (firewalld(POD_NETWORK), reach(REJECTED))),
    Case("firewalld-rejects-pods", "time-outs are no rejection", PASS, (firewalld(), reach(SILENT, SILENT, SILENT))),
    Case("firewalld-rejects-pods", "no firewalld", NOT_APPLICABLE, (reach(REJECTED),), "does not run"),
    Case("ip-forward-disabled", "off, and nothing gets out", FAIL, (sysctls("0"), upstream_answers(pods=SILENT)),
         "is 0", evidence="wanted nothing"),
    Case("ip-forward-disabled", "off, by a file", FAIL,
         (sysctls("0"), upstream_answers(pods=SILENT), SysctlFiles({"/etc/sysctl.d/a.conf": "net.ipv4.ip_forward=0"})),
         evidence="net.ipv4.ip_forward = 0"),
    Case("ip-forward-disabled", "off, and nobody could ask", FAIL, (sysctls("0"),), unread=unread(UpstreamAnswers),
         confidence=Confidence.LIKELY),
    Case("ip-forward-disabled", "off, and pods get answers all the same", PASS, (sysctls("0"),)),
    Case("ip-forward-disabled", "on, and nothing gets out", PASS, (upstream_answers(pods=SILENT),)),
    Case("packets-dropped-by-rule", "a rule of nftables", FAIL,
         (dropped(Dropped("inet", "hardening", "forward", 7, "udp dport 53 drop")),),
         "inet hardening forward handle 7"),
    Case("packets-dropped-by-rule", "a policy", FAIL, (dropped(Dropped("ip", "filter", "FORWARD", 0, "policy drop")),),
         "ip filter FORWARD policy"),
    Case("packets-dropped-by-rule", "a rule of legacy iptables", FAIL,
         (dropped(Dropped(last_seen="forward -1"), "-A FORWARD -j DROP"),), "iptables-legacy -A FORWARD -j DROP"),
    Case("packets-dropped-by-rule", "lost on the way, by no rule", PASS, (dropped(Dropped(last_seen="forward 5")),)),
    Case("packets-dropped-by-rule", "firewalld's zones have a probe of their own", PASS,
         (dropped(Dropped("inet", "firewalld", "filter_FWD_public", 9, "reject")),)),
    Case("packets-dropped-by-rule", "kube-proxy rejects for want of endpoints", PASS,
         (dropped(Dropped("ip", "filter", "KUBE-SERVICES", 9, "reject")),)),
    Case("packets-dropped-by-rule", "everything is answered", PASS),
    Case("packets-refused-by-routing", "a prohibit route", FAIL,
         (Drops((Drop("pod default/client -> 8.8.8.8:53", "outside", Dropped(last_seen="prerouting 400"), "",
                      "Permission denied"),)),), "Permission denied"),
    Case("packets-refused-by-routing", "a rule dropped it", PASS,
         (dropped(Dropped("ip", "filter", "FORWARD", 0, "policy drop")),)),
    Case("pod-link-down", "the bridge", FAIL, (links(Link(BRIDGE, 3, "bridge", False, False, "", 1500)),),
         "bridge is down"),
    Case("pod-link-down", "two ports of it", FAIL, (links(port("veth1", up=False), port("veth2", up=False)),),
         "veth1, veth2 are down", evidence="ip link show veth2"),
    Case("pod-link-down", "an interface that is not the bridge's", PASS,
         (links(Link("eth1", 9, "", False, False, "", 1500)),)),
    Case("pod-link-down", "a CNI without a Linux bridge", NOT_APPLICABLE, (cni(plugins=({"type": "cilium-cni"},)),)),
    Case("pod-masquerade-missing", "gone, and the outside is silent", FAIL,
         (masquerade(CLIENT), upstream_answers(pods=SILENT)), "1 pod has lost", evidence=CLIENT),
    Case("pod-masquerade-missing", "gone, and nobody could ask", FAIL, (masquerade(CLIENT, COREDNS),), "2 pods",
         unread=unread(UpstreamAnswers), confidence=Confidence.LIKELY),
    Case("pod-masquerade-missing", "gone, and a router knows the pods", PASS, (masquerade(CLIENT),)),
    Case("pod-masquerade-missing", "in place, and the outside is silent", PASS, (upstream_answers(pods=SILENT),)),
    Case("pod-masquerade-missing", "a CNI that writes none", PASS, (masquerade(wanted=False),)),
    Case("pod-masquerade-missing", "whatever writes it, packets leave bare", FAIL,
         (masquerade(wanted=False), upstream_answers(pods=SILENT), departures(CLIENT)), "own addresses",
         evidence=f"source {CLIENT}"),
    Case("pod-masquerade-missing", "packets leave with the node's address, and the outside is silent", PASS,
         (upstream_answers(pods=SILENT), departures(CLIENT, source=NODE_ADDRESS))),
    Case("cluster-dns-silent", "silent", FAIL, (dns_answers(SILENT),), "2 of 2"),
    Case("cluster-dns-silent", "NXDOMAIN for a Service", FAIL, (dns_answers(service=SERVFAIL),), "2 of 2"),
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
    Case("coredns-upstream-dead", "all", FAIL, (upstream_answers(dead=UPSTREAMS),), "all of CoreDNS's 2"),
    Case("coredns-upstream-dead", "all, and firewalld runs", FAIL, (upstream_answers(dead=UPSTREAMS), firewalld()),
         "firewalld is not to blame"),
    Case("coredns-upstream-dead", "one of two", FAIL, (upstream_answers(dead=UPSTREAMS[:1]),), "8.8.8.8",
         severity=Severity.WARNING),
    Case("coredns-upstream-dead", "pods get none, the host does", PASS, (upstream_answers(pods=SILENT),)),
    Case("coredns-upstream-dead", "the Corefile forwards nowhere", NOT_APPLICABLE, (Upstreams((), "Corefile"),)),
    Case("corefile-invalid", "empty", FAIL, (Corefile.parse(""),), "empty"),
    Case("corefile-invalid", "a block left open", FAIL, (Corefile.parse(".:53 {\n forward . 8.8.8.8\n"),), "1 blocks"),
    Case("corefile-invalid", "braces in comments", PASS, (Corefile.parse(".:53 {\n # {\n errors\n}\n"),)),
    Case("kube-proxy-rules-missing", "flushed", FAIL, (iptables("KUBE-SERVICES"),), "3 of 3"),
    Case("kube-proxy-rules-missing", "one Service is missing", FAIL, (iptables("10.96.0.50"),), "default/postgres"),
    Case("kube-proxy-rules-missing", "nothing leads there", FAIL, (iptables("service portals"),), "nothing leads into"),
    Case("kube-proxy-rules-missing", "a Service without endpoints has no rule", PASS,
         (iptables("10.96.0.50"), slices("default/postgres"))),
    Case("kube-proxy-rules-missing", "a Service that was made this second", PASS,
         (iptables("10.96.0.50"), EndpointSlices(slices().by_service, ("default/postgres",)))),
    Case("kube-proxy-rules-missing", "kube-proxy is gone, its rules stand", PASS,
         (KubeProxy("iptables", "ConfigMap", False, "", ""),)),
    Case("kube-proxy-not-running", "gone, and its rules stand", FAIL,
         (KubeProxy("iptables", "ConfigMap", False, "", ""),), "has no pod on this node"),
    Case("kube-proxy-not-running", "it crashes", FAIL,
         (KubeProxy("iptables", "ConfigMap", False, "kube-system/kube-proxy-1", "kube-proxy: CrashLoopBackOff"),),
         "CrashLoopBackOff"),
    Case("kube-proxy-not-running", "gone, and no rule of it is left", PASS,
         (KubeProxy("iptables", "ConfigMap", False, "", ""), iptables("KUBE"))),
    Case("kube-proxy-not-running", "its process is hidden", PASS,
         (KubeProxy("iptables", "ConfigMap", False, "default/client-7d9-abcde", ""),)),
    Case("kube-proxy-not-running", "IPVS", NOT_APPLICABLE, (KubeProxy("ipvs", "", True, "", ""),), "ipvs"),
    Case("kube-proxy-rules-missing", "IPVS", NOT_APPLICABLE, (KubeProxy("ipvs", "", True, "", ""), iptables("KUBE")),
         "ipvs"),
    Case("new-pod-without-network", "none in time", FAIL, says="no network within",
         unread={NewPod: CannotRead("test pod", "no network within 4 s: sandbox")}),
    Case("new-pod-without-network", "there", PASS),
    Case("new-pod-without-network", "not made", UNKNOWN, says="no pause image",
         unread={NewPod: CannotRead("test pod", "the node has no pause image, and nothing is pulled")}),
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
    Case("postgres-without-endpoints", "the selector picks nobody", FAIL,
         (slices("default/postgres"), services(postgres_selector="postgers")), "picks no pod"),
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
    Case("database-slots-exhausted", "too few for all replicas", FAIL,
         (modules(gateway(replicas=9)), servers("llm"), postgres(used=10)), "has 87 connections for the modules, "
         "and they may open 90", evidence="100 - 3"),
    Case("database-slots-exhausted", "a login found none", FAIL, (postgres(LOGIN, "too many clients", "53300"),),
         "has no free connection"),
    Case("database-slots-exhausted", "enough", PASS, (modules(), servers("llm"), postgres(used=77))),
    Case("database-slots-exhausted", "the modules hold them themselves", PASS,
         (modules(), servers("llm"), postgres(used=95, by=("litellm_llm", "litellm")))),
    Case("database-slots-exhausted", "nobody could count", UNKNOWN, (modules(), servers("llm"), postgres()),
         "let nobody"),
    Case("database-slots-exhausted", "Postgres comes with the deployment", NOT_APPLICABLE,
         (modules(), servers(later=("litellm/postgres",))), "comes with"),
    Case("provider-name-unresolved", "NXDOMAIN", FAIL, (modules(), provider(lookup=NXDOMAIN)),
         "example.com, the provider of llm, does not resolve"),
    Case("provider-name-unresolved", "no address for IPv4", FAIL,
         (modules(), provider(lookup=Reply(Answer.OK, 1.0)))),
    Case("provider-name-unresolved", "resolves", PASS, (modules(), provider())),
    Case("provider-name-unresolved", "refuses connections", PASS, (modules(), provider(REFUSED))),
    Case("provider-name-unresolved", "a config that nobody understands", UNKNOWN,
         (modules(gateway(models=()), problems=("config.yaml is no YAML",)), Providers(())), "no YAML"),
    Case("provider-unreachable", "refused", FAIL, (modules(), provider(REFUSED)),
         "example.com:8080, the provider of llm"),
    Case("provider-unreachable", "connected", PASS, (modules(), provider())),
    Case("provider-unreachable", "no address", UNKNOWN, (modules(), provider(lookup=SERVFAIL)), "no address"),
    Case("node-port-taken", "by another Service", FAIL,
         (modules(), services(more=node_port_service("other/echo", 30100))), "belongs to Service other/echo"),
    Case("node-port-taken", "by another module", FAIL,
         (modules(gateway(), gateway("audio")),), "belongs to module"),
    Case("node-port-taken", "by the module's own Service", PASS,
         (modules(), services(more=node_port_service("litellm/litellm-llm", 30100)))),
    Case("node-port-taken", "nobody knows without the API server", UNKNOWN, (modules(),), unread=DOWN),
    Case("host-port-taken", "by a process", FAIL,
         (modules(gateway(host_network=True)), Listeners((Listener(4000, "nginx", 77, "/system.slice"),))),
         "is taken by process nginx 77"),
    Case("host-port-taken", "by another module", FAIL,
         (modules(gateway(host_network=True), gateway("audio", host_network=True)), Listeners(())), "module audio"),
    Case("host-port-taken", "by a pod of the module", PASS,
         (modules(gateway(host_network=True)), Listeners((Listener(4000, "python", 77, "/kubepods/uid-llm-1"),)),
          Pods((pod("llm-1", "litellm", NODE_ADDRESS, {"app": "llm"}),)))),
    Case("host-port-taken", "modules in networks of their own", NOT_APPLICABLE, (modules(),), "no module uses"),
    Case("image-not-obtainable", "never pulled, and not there", FAIL, (modules(), images(pull_policy="Never")),
         "pull policy is Never"),
    Case("image-not-obtainable", "a registry without a name", FAIL, (modules(), images(registry="r.invalid:443")),
         "r.invalid does not resolve"),
    Case("image-not-obtainable", "a registry that is silent", FAIL,
         (modules(), images(registry="r.example:443", reply=SILENT, resolved=True)), "does not answer the host"),
    Case("image-not-obtainable", "pulled each time, from a registry that is gone", FAIL,
         (modules(), images(present=True, pull_policy="Always", registry="r.invalid:443")), "pull policy is Always"),
    Case("image-not-obtainable", "pulled through a mirror", UNKNOWN,
         (modules(), images(registry="r.invalid:443", detour="containerd pulls through a proxy")), "through a proxy"),
    Case("image-not-obtainable", "on the node", PASS, (modules(), images(present=True))),
    Case("image-not-obtainable", "a registry that answers", PASS,
         (modules(), images(registry="r.example:443", reply=OK, resolved=True))),
    Case("secret-key-missing", "missing", FAIL,
         (modules(secrets=(SecretKey("litellm", "keys", "PROVIDER_KEY", "missing"),)),),
         "key PROVIDER_KEY of Secret litellm/keys is missing"),
    Case("secret-key-missing", "two of them", FAIL,
         (modules(secrets=(SecretKey("l", "k", "A", "empty"), SecretKey("l", "k", "B", "missing"))),), "and 1 more"),
    Case("secret-key-missing", "not read", UNKNOWN,
         (modules(secrets=(SecretKey("l", "k", "A", "403 Forbidden"),)),), "403"),
    Case("secret-key-missing", "optional", PASS, (modules(secrets=(SecretKey("l", "k", "A", "missing", True),)),)),
    Case("secret-key-missing", "there", PASS, (modules(),)),
    Case("policy-isolates-modules", "no DNS", FAIL, (modules(), policy_answers("UDP", "TCP")),
         "NetworkPolicy litellm/deny keeps llm from the cluster DNS (UDP 53), the cluster DNS (TCP 53) (read from the "
         "objects", confidence=Confidence.LIKELY),
    Case("policy-isolates-modules", "no DNS over TCP", FAIL, (modules(), policy_answers("TCP")),
         severity=Severity.WARNING, confidence=Confidence.LIKELY),
    Case("policy-isolates-modules", "nothing is closed", PASS, (modules(), policy_answers())),
    *(Case(name, "no modules", NOT_APPLICABLE, (), "no modules")
      for name in ("database-slots-exhausted", "provider-name-unresolved", "provider-unreachable", "node-port-taken",
                   "host-port-taken", "image-not-obtainable", "secret-key-missing", "policy-isolates-modules")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.probe}: {case.story}")
def test_case(case: Case) -> None:
    result = judge(case.probe, *case.facts, unread=case.unread)
    said = " ".join([result.reason, *(f.summary for f in result.findings)])
    assert result.outcome is case.outcome, said
    assert case.says in said
    for finding in result.findings:
        assert finding.severity is case.severity
        assert finding.confidence is case.confidence
        assert finding.probe == case.probe
        assert finding.evidence
        assert "\n" not in finding.summary
    observed = [text for f in result.findings for e in f.evidence for text in (e.observed, e.source, e.expected)]
    if case.evidence and case.evidence != "wanted nothing":
        assert any(case.evidence in text for text in observed), observed


@pytest.mark.parametrize("name", sorted(catalogue().probes))
def test_every_probe_has_a_red_and_a_green_case(name: str) -> None:
    outcomes = {case.outcome for case in CASES if case.probe == name}
    assert FAIL in outcomes
    assert PASS in outcomes or judge(name).outcome is PASS


@pytest.mark.parametrize("name", sorted(catalogue().probes))
def test_a_healthy_node_has_no_fault(name: str) -> None:
    result = judge(name)
    assert result.outcome in (PASS, NOT_APPLICABLE), result


@pytest.mark.parametrize("name", sorted(catalogue().probes))
def test_what_cannot_be_read_is_never_a_fault_by_itself(name: str) -> None:
    everything = unread(Services, EndpointSlices, Attachments, Firewalld, Reach, ClusterDns, UpstreamAnswers,
                        VantagePoints, Postgres, Pods, Corefile, Upstreams, Links)  # fmt: skip
    result = judge(name, unread=everything)
    assert result.outcome is not FAIL, result


def test_a_finding_about_the_node_says_so() -> None:
    finding = judge("ip-forward-disabled", sysctls("0"), upstream_answers(pods=SILENT)).findings[0]
    assert finding.subject.node == NODE_NAME


def test_the_rejected_pod_and_its_zone_are_evidence() -> None:
    finding = judge("firewalld-rejects-pods", firewalld("10.244.0.9/32"), reach(old=REJECTED)).findings[0]
    text = " ".join(f"{e.source} {e.observed}" for e in finding.evidence)
    assert OLD_POD in text
    assert "public, by the default zone" in text
    assert "3/13 from 10.244.0.1" in text
    assert BRIDGE not in points().points[0].name
