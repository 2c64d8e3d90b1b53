"""The cases of the probes in probes/host: the fault present, absent, and what looks like it and is none."""

from __future__ import annotations

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.coredns import Upstream
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.node.firewalld_rules import FirewalldRules
from netdoctor.facts.node.iptables import EMPTY, Iptables
from netdoctor.facts.node.links import Interface, Links
from netdoctor.facts.node.sysctl import BridgeNetfilterModule, SysctlFiles
from netdoctor.facts.traffic.drops import Drop, Drops
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.facts.traffic.names import ClusterDns, UpstreamAnswers, UpstreamLookup
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.next_hops import AskedNextHop, Gateways
from netdoctor.facts.traffic.postgres import TCP, Postgres
from netdoctor.facts.traffic.reach import Reach
from netdoctor.model import Confidence, Severity
from netdoctor.system.nft_trace import Dropped
from netdoctor.system.traffic import Reply
from tests.builders import (
    BRIDGE,
    CLIENT,
    COREDNS,
    NO_ROUTE,
    NODE_ADDRESS,
    NXDOMAIN,
    OLD_POD,
    POD_NETWORK,
    REJECTED,
    SILENT,
    cni,
    departures,
    dns_answers,
    experiments,
    failed_flow,
    firewalld,
    iptables,
    masquerade,
    postgres,
    reach,
    slices,
    sysctls,
    this_node,
    tried,
    upstream_answers,
)
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Case
from tests.worlds import unread

FIREWALLD_RULES = FirewalldRules.parse(
    "table inet firewalld {\n  chain filter_FWD_public { # handle 7\n"
    '    reject with icmpx admin-prohibited # handle 231\n  }\n  chain filter_IN_public {\n'
    "    reject with icmpx admin-prohibited # handle 198\n  }\n}\n"
)  # fmt: skip
NOBODY = Links((), ())
SPARE = Links(
    (Interface("eth0", 2, "", True, True, "", 1500, (NODE_ADDRESS,)), Interface("eth1", 3, "", True, False, "", 1500)),
    ("default via 192.0.2.1 dev eth0", "default via 198.51.100.1 dev eth1 metric 200"),
)


def port(name: str, *, up: bool) -> Interface:
    return Interface(name, 9, "veth", up, up, BRIDGE, 1500)


def host_answers(*replies: tuple[str, Reply]) -> UpstreamAnswers:
    asked = ((Upstream(address, 53, False), reply) for address, reply in replies)
    return UpstreamAnswers(tuple(UpstreamLookup(upstream, "host", "udp", reply) for upstream, reply in asked))


def links(*different: Interface) -> Links:
    bridge = Interface(BRIDGE, 3, "bridge", True, True, "", 1500)
    known = different if any(link.name == BRIDGE for link in different) else (bridge, *different)
    return Links(known, ("default via 192.0.2.1 dev eth0",))


def dropped(where: Dropped, legacy: str = "") -> Drops:
    return Drops((Drop(f"{OLD_POD} -> 8.8.8.8:53", "outside", where, legacy),))


CASES = [
    Case("bridge-netfilter-disabled", "off, and ClusterIPs time out", FAIL,
         (sysctls(bridge_nf_call="0"), reach(cluster_ip=SILENT)), "is 0"),
    Case("bridge-netfilter-disabled", "no such setting: the module is not loaded", FAIL,
         (sysctls(bridge_nf_call=None), BridgeNetfilterModule(False, ""), reach(cluster_ip=SILENT)), "is missing",
         evidence="not loaded"),
    Case("bridge-netfilter-disabled", "off, and only names time out", FAIL,
         (sysctls(bridge_nf_call="0"), reach(), dns_answers(SILENT)), "is 0"),
    Case("bridge-netfilter-disabled", "off, and nobody could ask", FAIL, (sysctls(bridge_nf_call="0"),),
         unread=unread(Reach, ClusterDns, Postgres), confidence=Confidence.LIKELY),
    Case("bridge-netfilter-disabled", "off, and every ClusterIP answers", PASS, (sysctls(bridge_nf_call="0"),)),
    Case("bridge-netfilter-disabled", "off, CoreDNS is on another node and silent, and Postgres here answers", PASS,
         (sysctls(bridge_nf_call="0"), slices("kube-system/kube-dns"), reach(cluster_ip=SILENT), dns_answers(SILENT))),
    Case("bridge-netfilter-disabled", "off, and Postgres here is silent", FAIL,
         (sysctls(bridge_nf_call="0"), slices("kube-system/kube-dns"), postgres(TCP)), "is 0",
         evidence="default/postgres"),
    Case("bridge-netfilter-disabled", "off, and no Service has a pod here", PASS,
         (sysctls(bridge_nf_call="0"), slices("kube-system/kube-dns", "default/postgres"), dns_answers(SILENT))),
    Case("bridge-netfilter-disabled", "on, while ClusterIPs time out for another reason", PASS,
         (reach(cluster_ip=SILENT),)),
    Case("bridge-netfilter-disabled", "a CNI without a Linux bridge", NOT_APPLICABLE,
         (cni(plugins=({"type": "cilium-cni"},)), sysctls(bridge_nf_call="0")), "without a Linux bridge"),
    Case("bridge-netfilter-disabled", "no kube-proxy", NOT_APPLICABLE,
         (KubeProxy("", "", False, "", ""), sysctls(bridge_nf_call="0")), "no kube-proxy"),
    Case("connection-tracking-full", "as many as may be", FAIL, (sysctls(tracked=("262144", "262144")),),
         "262144 of 262144: the node drops packets that would open a new", confidence=Confidence.LIKELY),
    Case("connection-tracking-full", "a few have just ended", FAIL, (sysctls(tracked=("262001", "262144")),),
         confidence=Confidence.LIKELY),
    Case("connection-tracking-full", "busy", PASS, (sysctls(tracked=("250000", "262144")),)),
    Case("connection-tracking-full", "no limit", PASS, (sysctls(tracked=("250000", "0")),)),
    Case("connection-tracking-full", "the module is not loaded", NOT_APPLICABLE, (sysctls(tracked=(None, None)),)),
    Case("connection-tracking-full", "no number", UNKNOWN, (sysctls(tracked=("many", "262144")),)),
    Case("cni-config-unusable", "no file", FAIL, (cni(path="", problem="no file in /etc/cni/net.d"),), "no file",
         unread={NewPod: CannotRead("test pod", "no network: cni plugin not initialized", Why.NO_NETWORK)}),
    Case("cni-config-unusable", "a plugin is missing, and no pod could be tried", FAIL,
         (cni(missing_plugins=("portmap",)),), "portmap", unread=unread(NewPod), confidence=Confidence.LIKELY),
    Case("cni-config-unusable", "a new pod gets its network anyway", PASS, (cni(missing_plugins=("portmap",)),)),
    Case("cni-config-unusable", "the first file is not the one that works", FAIL,
         (cni(missing_plugins=("portmap",), others=("/etc/cni/net.d/9.conf",)),), unread=unread(NewPod),
         confidence=Confidence.LIKELY, evidence="/etc/cni/net.d/9.conf"),
    Case("cni-config-unusable", "the kubelet says why", FAIL,
         (cni(missing_plugins=("portmap",)), this_node(problem="cni plugin not initialized")), unread=unread(NewPod),
         confidence=Confidence.LIKELY, evidence="cni plugin not initialized"),
    Case("cni-config-unusable", "further files that nobody reads", PASS, (cni(others=("/etc/cni/net.d/9.conf",)),)),
    Case("default-route-missing", "gone, and upstreams are unreachable", FAIL,
         (NOBODY, upstream_answers(NO_ROUTE, NO_ROUTE)), "no default route"),
    Case("default-route-missing", "air-gapped: the resolvers are on the node's own network", PASS, (NOBODY,)),
    Case("default-route-missing", "there, while upstreams time out", PASS, (upstream_answers(SILENT, SILENT),)),
    Case("default-route-missing", "it is in another table, and an IPv6 upstream is unreachable", PASS,
         (NOBODY, host_answers(("2001:db8::53", NO_ROUTE), ("8.8.8.8", NXDOMAIN)))),
    Case("default-route-missing", "IPv6 upstreams are unreachable, and the others time out", PASS,
         (NOBODY, host_answers(("2001:db8::53", NO_ROUTE), ("8.8.8.8", SILENT)))),
    Case("default-route-missing", "an outside upstream answers without it, another is unreachable", PASS,
         (NOBODY, host_answers(("1.1.1.1", NO_ROUTE), ("8.8.8.8", NXDOMAIN)))),
    Case("default-route-missing", "gone, and only a resolver on the node's own network answers", FAIL,
         (Links((), ("192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.10",)),
          host_answers(("192.0.2.53", NXDOMAIN), ("8.8.8.8", NO_ROUTE))), "no default route"),
    Case("direct-rules-flush-iptables", "a direct rule, and kube-proxy's chain is gone", FAIL,
         (firewalld(direct=["--add-rule ipv4 filter OUTPUT 0 -j ACCEPT"]), iptables("KUBE-SERVICES")),
         "direct rule makes", evidence="no chain KUBE-SERVICES"),
    Case("direct-rules-flush-iptables", "two direct rules, and masquerades are gone", FAIL,
         (firewalld(direct=["--add-rule a", "--add-rule b"]), masquerade(CLIENT)), "2 direct rules make",
         evidence=CLIENT),
    Case("direct-rules-flush-iptables", "direct rules with everything in place", PASS,
         (firewalld(direct=["--add-rule a"]),)),
    Case("direct-rules-flush-iptables", "direct rules, and kube-proxy writes its own by legacy iptables", PASS,
         (firewalld(direct=["--add-rule a"]), Iptables(EMPTY, iptables().nft))),
    Case("direct-rules-flush-iptables", "no direct rule, and the chain is gone", PASS,
         (firewalld(), iptables("KUBE-SERVICES"))),
    Case("direct-rules-flush-iptables", "no firewalld", NOT_APPLICABLE, (), "does not run"),
    Case("firewalld-rejects-pods", "old pods are forgotten, the new one works", FAIL,
         (firewalld("10.244.0.9/32"), reach(old=REJECTED), FIREWALLD_RULES), "a reload removed them from zone trusted",
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
         "is 0", evidence="test pod -> 8.8.8.8:53/udp"),
    Case("ip-forward-disabled", "off, by a file", FAIL,
         (sysctls("0"), upstream_answers(pods=SILENT), SysctlFiles({"/etc/sysctl.d/a.conf": "net.ipv4.ip_forward=0"})),
         evidence="net.ipv4.ip_forward = 0"),
    Case("ip-forward-disabled", "off, and nobody could ask", FAIL, (sysctls("0"),), unread=unread(UpstreamAnswers),
         confidence=Confidence.LIKELY),
    Case("ip-forward-disabled", "off, and pods get answers anyway", PASS, (sysctls("0"),)),
    Case("ip-forward-disabled", "on, and nothing gets out", PASS, (upstream_answers(pods=SILENT),)),
    Case("packets-dropped-by-rule", "a rule of nftables", FAIL,
         (dropped(Dropped("inet", "hardening", "forward", 7, "udp dport 53 drop")),),
         "inet hardening forward handle 7"),
    Case("packets-dropped-by-rule", "a policy", FAIL, (dropped(Dropped("ip", "filter", "FORWARD", 0, "policy drop")),),
         "ip filter FORWARD policy"),
    Case("packets-dropped-by-rule", "two policies of one table are one fault", FAIL,
         (Drops(dropped(Dropped("inet", "x", "in", 0, "policy drop")).items
                + dropped(Dropped("inet", "x", "out", 0, "policy drop")).items),),
         "inet x in policy (policy drop) and inet x out policy (policy drop)"),
    Case("packets-dropped-by-rule", "kube-proxy's own table rejects what is not translated", PASS,
         (dropped(Dropped("ip", "kube-proxy", "cluster-ips-check", 9, "reject")),)),
    Case("packets-dropped-by-rule", "a rule of legacy iptables", FAIL,
         (dropped(Dropped(last_seen="forward -1"), "filter -A FORWARD -j DROP"),),
         "iptables-legacy filter -A FORWARD -j DROP"),
    Case("packets-dropped-by-rule", "lost on the way, by no rule", PASS, (dropped(Dropped(last_seen="forward 5")),)),
    Case("packets-dropped-by-rule", "firewalld's zones have a probe of their own", PASS,
         (dropped(Dropped("inet", "firewalld", "filter_FWD_public", 9, "reject")),)),
    Case("packets-dropped-by-rule", "kube-proxy rejects because there are no endpoints", PASS,
         (dropped(Dropped("ip", "filter", "KUBE-SERVICES", 9, "reject")),)),
    Case("packets-dropped-by-rule", "everything is answered", PASS),
    Case("found-by-experiment", "a setting whose change alone lets the packet pass", FAIL,
         (failed_flow(), experiments((tried("found-by-experiment", "rp_filter is 1", "sudo sysctl -w x=2"),))),
         "rp_filter is 1",
         evidence="it is as usual"),
    Case("found-by-experiment", "what cures it has a probe of its own", PASS,
         (failed_flow(), experiments((tried("ip-forward-disabled"),)))),
    Case("found-by-experiment", "another change, with a probe of its own, cures it too", PASS,
         (failed_flow(), experiments((tried("found-by-experiment"),), (tried("ip-forward-disabled"),)))),
    Case("found-by-experiment", "nothing cures it", PASS, (failed_flow(), experiments(asked=True))),
    Case("found-by-experiment", "a flow failed, and no copy could be made", UNKNOWN, (failed_flow(),),
         "permission denied", unread=unread(Experiments)),
    Case("found-by-experiment", "nothing failed, and no copy could be made", PASS, unread=unread(Experiments)),
    Case("packets-taken-by-program", "passes in a copy, which has no tc filter", FAIL,
         (failed_flow(), experiments(passes=True, programs=("veth1 (tc ingress)",))), "veth1 (tc ingress)",
         confidence=Confidence.LIKELY),
    Case("packets-taken-by-program", "fails in a copy, which has the queue, until it is removed", FAIL,
         (failed_flow(), experiments((tried("packets-taken-by-program", "veth1 (qdisc tbf) drops", "sudo tc x"),))),
         "veth1 (qdisc tbf) drops", evidence="it is as usual"),
    Case("packets-taken-by-program", "something else cures it", PASS,
         (failed_flow(), experiments((tried("ip-forward-disabled"),)))),
    Case("packets-taken-by-program", "passes in a copy, and no program is there", PASS,
         (failed_flow(), experiments(passes=True))),
    Case("packets-taken-by-program", "fails in the copy too", PASS,
         (failed_flow(), experiments(asked=True, programs=("eth0 (xdp)",)))),
    Case("packets-taken-by-program", "a flow failed, and no copy could be made", UNKNOWN, (failed_flow(),),
         "permission denied", unread=unread(Experiments)),
    Case("packets-refused-by-routing", "a prohibit route", FAIL,
         (Drops((Drop("pod default/client -> 8.8.8.8:53", "outside", Dropped(last_seen="prerouting 400"), "",
                      "Permission denied"),)),), "Permission denied"),
    Case("packets-refused-by-routing", "a route of the main table", FAIL,
         (Links((), ("default via 192.0.2.1 dev eth0", "blackhole 8.8.8.0/24 metric 5")),
          Drops((Drop("pod default/client -> 8.8.8.8:53", "outside", Dropped(last_seen="prerouting 400"), "",
                      "Invalid argument", "8.8.8.8"),))), "blackhole 8.8.8.0/24 metric 5"),
    Case("packets-refused-by-routing", "a rule dropped it", PASS,
         (dropped(Dropped("ip", "filter", "FORWARD", 0, "policy drop")),)),
    Case("pod-link-down", "the bridge", FAIL, (links(Interface(BRIDGE, 3, "bridge", False, False, "", 1500)),),
         "bridge is down"),
    Case("pod-link-down", "two ports of it", FAIL, (links(port("veth1", up=False), port("veth2", up=False)),),
         "veth1, veth2 are down", evidence="ip link show veth2"),
    Case("pod-link-down", "an interface that is not the bridge's", PASS,
         (links(Interface("eth1", 9, "", False, False, "", 1500)),)),
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
    Case("reverse-path-filter-drops", "by another uplink", FAIL, (departures(CLIENT, NODE_ADDRESS, "eth1"),),
         "leaves by eth0, the answers come in by eth1"),
    Case("reverse-path-filter-drops", "by the same uplink, and others' packets are dropped", PASS,
         (departures(CLIENT, NODE_ADDRESS, "eth0"),)),
    Case("reverse-path-filter-drops", "nothing is dropped", PASS, (departures(CLIENT, NODE_ADDRESS, "eth1", drops=0),)),
    Case("reverse-path-filter-drops", "the host's own question", FAIL, (departures("", NODE_ADDRESS, "eth1"),),
         "what this node asks leaves by eth0, the answers come in by eth1"),
    Case("reverse-path-filter-drops", "loose", PASS, (departures(CLIENT, NODE_ADDRESS, "eth1", rp_filter="2"),)),
    Case("reverse-path-filter-drops", "no check", PASS, (departures(CLIENT, NODE_ADDRESS, "eth1", rp_filter="0"),)),
    Case("reverse-path-filter-drops", "no answer", PASS, (departures(CLIENT, NODE_ADDRESS),)),
    Case("gateway-silent", "no answer to ARP, and the host reaches no resolver", FAIL,
         (Gateways((AskedNextHop("192.0.2.1", "default via 192.0.2.1 dev eth0", "eth0", False),)),
          upstream_answers(host=SILENT, pods=SILENT)), "192.0.2.1 does not answer", evidence="ARP on eth0"),
    Case("gateway-silent", "resolvers are silent, and the gateway is not", PASS,
         (Gateways((AskedNextHop("192.0.2.1", "default via 192.0.2.1 dev eth0", "eth0", True),)),
          upstream_answers(host=SILENT, pods=SILENT))),
    Case("uplink-down", "down, with the node's address", FAIL,
         (Links((Interface("eth0", 2, "", False, False, "", 1500, (NODE_ADDRESS,)),), ()),
          upstream_answers(host=NO_ROUTE, pods=SILENT)), "eth0 is down", evidence="DOWN"),
    Case("uplink-down", "no carrier", FAIL,
         (Links((Interface("eth0", 2, "", True, False, "", 1500),), ("default via 192.0.2.1 dev eth0",)),
          upstream_answers(host=SILENT, pods=SILENT)), "has no carrier"),
    Case("uplink-down", "a second one is down, and the outside answers", PASS,
         (Links((Interface("eth0", 2, "", False, False, "", 1500, (NODE_ADDRESS,)),), ()),)),
    Case("uplink-down", "no carrier, and nobody could ask", FAIL,
         (Links((Interface("eth0", 2, "", True, False, "", 1500),), ("default via 192.0.2.1 dev eth0",)),),
         "has no carrier", unread=unread(UpstreamAnswers), confidence=Confidence.LIKELY),
    Case("uplink-down", "two next hops, and neither can send", FAIL,
         (Links((Interface("eth0", 2, "", True, False, "", 1500), Interface("eth1", 3, "", True, False, "", 1500)),
                ("default nexthop via 192.0.2.1 dev eth0 nexthop via 198.51.100.1 dev eth1",)),
          upstream_answers(host=SILENT, pods=SILENT)), "has no carrier"),
    Case("uplink-down", "a spare one has no carrier, and the silent resolvers are not behind it", PASS,
         (SPARE, upstream_answers(host=SILENT, pods=SILENT))),
    Case("uplink-down", "a spare one has no carrier, and nobody could ask", PASS, (SPARE,),
         unread=unread(UpstreamAnswers)),
    Case("uplink-down", "a bridge without ports and ipvs' own interface, while the resolvers are unreachable", PASS,
         (Links((Interface("docker0", 4, "bridge", True, False, "", 1500, (NODE_ADDRESS,)),
                 Interface("kube-ipvs0", 5, "dummy", False, False, "", 1500, (NODE_ADDRESS,))), ()),
          upstream_answers(host=NO_ROUTE, pods=SILENT))),
    Case("uplink-down", "an interface without an address of the node's is down", PASS,
         (Links((Interface("eth1", 3, "", False, False, "", 1500),), ()), upstream_answers(host=SILENT, pods=SILENT))),
]  # fmt: skip
