"""The cases of the probes that hold what the cluster's parts say against each other."""

from __future__ import annotations

from dataclasses import replace

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.api_server_here import ApiServerHere
from netdoctor.facts.cluster.coredns import Corefile, Upstream, Upstreams
from netdoctor.facts.cluster.services import Endpoint, EndpointSlices
from netdoctor.facts.cluster.this_node import LocalAddresses, ThisNode
from netdoctor.facts.cluster.workloads import Node, Nodes, Pods
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.facts.node.iptables import EMPTY, Iptables, Ruleset
from netdoctor.facts.node.kubelet_resolv_conf import KubeletResolvConf
from netdoctor.facts.node.links import Interface, Links
from netdoctor.facts.traffic.api_endpoints import ApiEndpoint, ApiEndpoints
from netdoctor.facts.traffic.large_packets import LargePackets, SizedFlow, SizedReply
from netdoctor.facts.traffic.names import UpstreamAnswers, UpstreamLookup
from netdoctor.facts.traffic.reach import NODE, AskedFlow, Reach
from netdoctor.facts.traffic.vantage import HOST, VantagePoints
from netdoctor.model import Confidence, Severity
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.traffic import Answer, Reply
from tests.builders import (
    BRIDGE,
    CLIENT,
    DOWN,
    NODE_ADDRESS,
    NODE_NAME,
    NXDOMAIN,
    OK,
    OLD_POD,
    SERVFAIL,
    SILENT,
    UPSTREAMS,
    attachments,
    cni,
    dns_answers,
    failed_flow,
    pods,
    points,
    reach,
    slices,
    upstream_answers,
)
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Case
from tests.worlds import unread

LIKELY = Confidence.LIKELY
CONFLIST = "/etc/cni/net.d/1-k8s.conflist"
IN_PODS = Upstream("10.244.200.53", 53, False)
NODES = Nodes((Node(NODE_NAME, (NODE_ADDRESS,), ("10.244.0.0/24",), True, "", ()),))


def searching(*more: str, domain: str = "cluster.local") -> VantagePoints:
    """The places to test from, whose pods search this cluster domain, and more domains."""
    search = (f"default.svc.{domain}", f"svc.{domain}", domain, *more)
    return replace(points(), points=tuple(p if p.kind == HOST else replace(p, search=search) for p in points().points))


CLUSTER_LOCAL, OTHER_DOMAIN = searching(), searching(domain="corp.internal")


def zoned(*zones: str) -> Corefile:
    """A Corefile whose plugin kubernetes answers for these zones."""
    return Corefile.parse(f".:53 {{\n    kubernetes {' '.join(zones)}\n    forward . 8.8.8.8\n}}\n")


def asked(*answers: tuple[Upstream, Reply]) -> tuple[Upstreams, UpstreamAnswers]:
    """CoreDNS's upstreams, and what each says to the host and to a pod."""
    lookups = [
        UpstreamLookup(upstream, vantage, "udp", reply) for upstream, reply in answers for vantage in ("host", OLD_POD)
    ]
    return Upstreams(tuple(upstream for upstream, _ in answers), "Corefile"), UpstreamAnswers(tuple(lookups))


def routed(*routes: str) -> Links:
    """The pods' bridge, and these routes."""
    return Links((Interface(BRIDGE, 3, "bridge", True, True, "", 1500),), routes)


def pods_in(subnet: str) -> CniConfig:
    """A CNI configuration that gives pods addresses of this network."""
    return cni(plugins=({"type": "bridge", "bridge": BRIDGE, "ipam": {"type": "host-local", "subnet": subnet}},))


def coredns_at(address: str) -> Pods:
    """The node's pods, CoreDNS with this address."""
    return Pods(tuple(replace(p, addresses=(address,)) if p.namespace == "kube-system" else p for p in pods().items))


def bridged(name: str) -> Attachments:
    """libcni's cache: CoreDNS was connected to this bridge, and the others to the usual one."""
    return Attachments(
        tuple(replace(a, bridge=name if a.namespace == "kube-system" else BRIDGE) for a in attachments().pods)
    )


def proxy_for(cidr: str) -> Iptables:
    """kube-proxy's rules, with this clusterCIDR."""
    rules = [
        "*nat",
        ":KUBE-SVC-X - [0:0]",
        f"-A KUBE-SVC-X ! -s {cidr} -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-MARK-MASQ",
    ]
    return Iptables(Ruleset.parse("\n".join([*rules, "COMMIT"])), EMPTY)


def api_slices(*addresses: str) -> EndpointSlices:
    """The node's endpoints, with these of the API server."""
    ends = tuple(Endpoint(address, 8443, "TCP", True, "https") for address in addresses)
    return EndpointSlices({**slices().by_service, "default/kubernetes": ends})


def ranges(*networks: str) -> ApiServerHere:
    """An API server that gives Services addresses of these networks."""
    return ApiServerHere(NODE_ADDRESS, runs=True, service_ranges=networks)


def ends(*answers: tuple[str, Reply]) -> ApiEndpoints:
    """What the API server's endpoints say to the host."""
    return ApiEndpoints(tuple(ApiEndpoint(address, 8443, reply) for address, reply in answers))


LOCAL = LocalAddresses(("127.0.0.1", NODE_ADDRESS, "10.244.0.1"))
HERE, HERE_AND_RIGHT = ApiServerHere("192.0.2.99", runs=True), ApiServerHere(NODE_ADDRESS, runs=True)
NAMED_DOWN: dict[type, CannotRead] = {
    KubeApi: CannotRead("API server https://control-plane.example:8443", "no route to host", Why.NO_ANSWER)
}
NODE_GONE = ThisNode(NODE_NAME, ("192.0.2.77",), "")
NODES_GONE = Nodes((Node(NODE_NAME, ("192.0.2.77",), (), True, "", ()),))
NODE_SILENT = Reach((AskedFlow(OLD_POD, NODE, f"node {NODE_NAME}", "192.0.2.77", 10250, SILENT),))
OTHER_NODE = Nodes((*NODES.items, Node("n2", ("192.0.2.20",), (), True, "", ())))


def sized(largest: int, *, full: Reply = OK, small: Reply | None = None, above: Reply = SILENT) -> LargePackets:
    """Echo requests of the test pod up to this size are answered; `above`: the reply to larger ones."""
    echoes = tuple(SizedReply(size, OK if size <= largest else above) for size in (84, 1200, 1400, 1500))
    return LargePackets((SizedFlow("test pod", "resolver 8.8.8.8", "8.8.8.8", 1500, echoes, full, small),))


def uplink(mtu: int) -> Links:
    """A default route by an uplink of this MTU."""
    return Links((Interface("eth0", 2, "", True, True, "", mtu),), ("default via 192.0.2.1 dev eth0",))


SAME_ADDRESS = Nodes((*NODES.items, Node("n2", (NODE_ADDRESS,), (), True, "", ())))
PODMAN = replace(pods_in("10.88.0.0/16"), path="/etc/cni/net.d/05-podman.conflist", others=(CONFLIST,))
CASES = [
    Case("cluster-domain-mismatch", "the Corefile's zone is mistyped", FAIL,
         (CLUSTER_LOCAL, zoned("clouster.local", "in-addr.arpa"), dns_answers(NXDOMAIN)),
         "pods search the cluster domain cluster.local, and CoreDNS answers for clouster.local",
         evidence="clouster.local"),
    Case("cluster-domain-mismatch", "CoreDNS forwards the unknown domain to a resolver that is silent", FAIL,
         (OTHER_DOMAIN, zoned("cluster.local"), dns_answers(SERVFAIL)), "corp.internal"),
    Case("cluster-domain-mismatch", "the names resolve anyway, by a rewrite", PASS,
         (OTHER_DOMAIN, zoned("cluster.local"))),
    Case("cluster-domain-mismatch", "one of several zones is theirs, and the Service is unknown", PASS,
         (CLUSTER_LOCAL, zoned("corp.internal", "Cluster.Local."), dns_answers(NXDOMAIN))),
    Case("cluster-domain-mismatch", "the zone is all of DNS", PASS,
         (CLUSTER_LOCAL, zoned("."), dns_answers(NXDOMAIN))),
    Case("cluster-domain-mismatch", "the DNS is silent", PASS, (OTHER_DOMAIN, dns_answers(SILENT))),
    Case("cluster-domain-mismatch", "names are unknown, and the Corefile cannot be read", UNKNOWN,
         (CLUSTER_LOCAL, dns_answers(NXDOMAIN)), unread=unread(Corefile)),
    Case("pod-network-overlaps", "the only resolver", FAIL, asked((IN_PODS, SILENT)),
         "resolver 10.244.200.53: in the pod network 10.244.0.0/16 (/etc/cni/net.d/1-k8s.conflist), so packets to it",
         evidence="an address outside of 10.244.0.0/16"),
    Case("pod-network-overlaps", "one of two resolvers", FAIL, asked((IN_PODS, SILENT), (UPSTREAMS[0], NXDOMAIN)),
         "another resolver answers, so names are slow", severity=Severity.WARNING),
    Case("pod-network-overlaps", "and the other is dead", FAIL, asked((IN_PODS, SILENT), (UPSTREAMS[0], SILENT)),
         "no other resolver answers"),
    Case("pod-network-overlaps", "the resolver is a Service", FAIL,
         asked((Upstream("10.96.0.50", 53, False), SILENT)), "packets to it are sent to that Service's pods"),
    Case("pod-network-overlaps", "the gateway", FAIL,
         (routed("default via 10.244.0.254 dev eth0"), upstream_answers(SILENT, SILENT)),
         "gateway of the default route 10.244.0.254: in the pod network"),
    Case("pod-network-overlaps", "the node, whose address does not answer pods", FAIL,
         (pods_in("192.0.2.0/24"), NODES, reach(node=SILENT)), "packets of pods to that node stay on the pod network"),
    Case("pod-network-overlaps", "the node, which answers pods: its bridge answers ARP for each of its addresses", PASS,
         (pods_in("192.0.2.0/24"), NODES)),
    Case("pod-network-overlaps", "a narrower route leads to the resolver", PASS, asked((IN_PODS, NXDOMAIN))),
    Case("pod-network-overlaps", "the resolver is a pod, and dead", PASS,
         asked((Upstream(CLIENT, 53, False), SILENT))),
    Case("pod-network-overlaps", "the pod network is part of a larger one, whose resolver is dead", PASS,
         (*asked((Upstream("10.1.0.53", 53, False), SILENT)), routed("10.0.0.0/8 via 192.0.2.9 dev tun0"))),
    Case("pod-network-overlaps", "pods are in the LAN on purpose", NOT_APPLICABLE,
         (*asked((IN_PODS, SILENT)), routed(f"default via 10.244.0.254 dev {BRIDGE}"))),
    Case("pod-network-overlaps", "pods are on macvlan", NOT_APPLICABLE,
         (*asked((IN_PODS, SILENT)), cni(plugins=({"type": "macvlan"},)))),
    Case("pod-network-overlaps", "nobody could ask the resolver", PASS, asked()),
    Case("pods-on-two-networks", "another file is first by name", FAIL, (PODMAN, NODES, coredns_at("10.88.0.2")),
         "new pods get 10.88.0.0/16, because /etc/cni/net.d/05-podman.conflist is first by name, and the cluster has "
         "given this node 10.244.0.0/24: 2 of 3 pods", confidence=LIKELY,
         evidence=f"05-podman.conflist, before {CONFLIST}"),
    Case("pods-on-two-networks", "CoreDNS is older than the network", FAIL,
         (NODES, coredns_at("10.88.0.2"), failed_flow()), "1 of 3 pods on this node are not on it"),
    Case("pods-on-two-networks", "the bridge has another name now", FAIL, (bridged("cni0"),),
         "kube-system/coredns-5dd-xyz12 has cni0", confidence=LIKELY),
    Case("pods-on-two-networks", "all pods are older than the file, and the next one is not there yet", FAIL,
         (PODMAN, NODES), "3 of 3 pods", severity=Severity.WARNING, confidence=LIKELY),
    Case("pods-on-two-networks", "a second file that is not used", PASS,
         (cni(others=("/etc/cni/net.d/87-podman.conflist",)),)),
    Case("pods-on-two-networks", "the network was widened", PASS, (pods_in("10.0.0.0/8"),)),
    Case("pods-on-two-networks", "host-local has two ranges", PASS,
         (cni(plugins=({"type": "bridge", "bridge": BRIDGE, "ipam": {"type": "host-local", "ranges": [
             [{"subnet": "10.244.0.0/16"}, {"subnet": "10.88.0.0/16"}]]}},)), coredns_at("10.88.0.2"))),
    Case("pods-on-two-networks", "a pod with an address of IPv6 too", PASS, (coredns_at("fd00::5"),)),
    Case("pods-on-two-networks", "a pod on the host's network", PASS,
         (pods(host_network=True, addresses=("192.0.2.9",)),)),
    Case("pods-on-two-networks", "a pod of another node", PASS, (pods(node="n2", addresses=("10.250.0.2",)),)),
    Case("pods-on-two-networks", "a CNI that does not say which network", PASS,
         (cni(plugins=({"type": "calico"},)), coredns_at("192.168.0.5"))),
    Case("pods-on-two-networks", "the subnet of the file was changed", FAIL,
         (pods_in("10.250.0.0/24"), NODES, coredns_at("10.250.0.2")),
         f"new pods get 10.250.0.0/24, by {CONFLIST}, and the cluster has given this node 10.244.0.0/24",
         confidence=LIKELY),
    Case("pod-ranges-disagree", "the CNI and the node's podCIDR", FAIL, (pods_in("10.250.0.0/24"), NODES),
         f"network of the CNI configuration 10.250.0.0/24 ({CONFLIST}), podCIDR of this node 10.244.0.0/24",
         severity=Severity.WARNING),
    Case("pod-ranges-disagree", "kube-proxy and the pods", FAIL, (proxy_for("10.99.0.0/16"),),
         "pod network of kube-proxy 10.99.0.0/16 (kube-proxy's rules in iptables), address of a pod on this node "
         "10.244.0.2, 10.244.0.3, 10.244.0.4: connections of pods to Services are masqueraded",
         severity=Severity.WARNING),
    Case("pod-ranges-disagree", "minikube gives the CNI the whole of the cluster's range", PASS,
         (NODES, proxy_for("10.244.0.0/16"))),
    Case("pod-ranges-disagree", "no pod runs here", PASS, (proxy_for("10.99.0.0/16"), Pods(()))),
    Case("pod-ranges-disagree", "nodes have no podCIDR: the CNI gives them none", PASS,
         (pods_in("10.250.0.0/24"), replace(NODES, items=(replace(NODES.items[0], pod_cidrs=()),)))),
    Case("service-ranges-disagree", "the range was changed", FAIL, (ranges("10.112.0.0/16"),),
         "ClusterIP 10.96.0.1 (Service default/kubernetes) and 2 more, network of Services 10.112.0.0/16: the API "
         "server was given another network", severity=Severity.WARNING),
    Case("service-ranges-disagree", "it overlaps with the pods'", FAIL,
         (ranges("10.96.0.0/12"), pods_in("10.97.0.0/16")),
         "a pod can get the address of a Service", severity=Severity.WARNING),
    Case("service-ranges-disagree", "as kubeadm has it", PASS, (ranges("10.96.0.0/12"),)),
    Case("service-ranges-disagree", "two families", PASS, (ranges("10.96.0.0/12", "fd00:96::/108"),)),
    Case("service-ranges-disagree", "no API server runs here", PASS, (ranges(),)),
    Case("node-address-gone", "the API server cannot be reached at what it advertises", FAIL,
         (HERE, LOCAL), "advertised address of the API server is 192.0.2.99", unread=NAMED_DOWN,
         evidence="no route to host"),
    Case("node-address-gone", "one of the endpoints is nobody's", FAIL,
         (HERE_AND_RIGHT, LOCAL, api_slices("192.0.2.10", "10.255.255.1"),
          ends(("192.0.2.10", OK), ("10.255.255.1", SILENT))),
         "endpoint of the API server's Service is 10.255.255.1"),
    Case("node-address-gone", "the node's InternalIP", FAIL, (LOCAL, NODES_GONE, NODE_GONE, NODE_SILENT),
         "InternalIP of this node is 192.0.2.77",
         stands_for=("node-wrong-internal-ip",)),
    Case("node-address-gone", "another node has the same", FAIL, (LOCAL, SAME_ADDRESS),
         f"InternalIP of this node ({NODE_NAME}) is {NODE_ADDRESS}, and node n2 has the same"),
    Case("node-address-gone", "another node has another", PASS, (LOCAL, OTHER_NODE)),
    Case("node-address-gone", "the API server is down at an address that it has", PASS, (HERE, LOCAL), unread=DOWN),
    Case("node-address-gone", "it is down, and has what it advertises", PASS, (HERE_AND_RIGHT, LOCAL),
         unread=NAMED_DOWN),
    Case("node-address-gone", "it advertises a load balancer, which answers", PASS,
         (HERE, LOCAL, api_slices("192.0.2.99"), ends(("192.0.2.99", OK)))),
    Case("node-address-gone", "another control plane is an endpoint, and silent", PASS,
         (HERE_AND_RIGHT, LOCAL, OTHER_NODE, api_slices("192.0.2.20"), ends(("192.0.2.20", SILENT)))),
    Case("node-address-gone", "a NAT of the cloud leads to the node's InternalIP", PASS,
         (LOCAL, NODES_GONE, NODE_GONE)),
    Case("node-address-gone", "no API server runs here", PASS,
         (ApiServerHere("", False), LOCAL, api_slices("203.0.113.9"), ends(("203.0.113.9", SILENT)))),
    Case("large-packets-lost", "a narrow hop that says nothing", FAIL, (sized(1400, full=SILENT, small=OK),),
         "full packets from test pod to resolver 8.8.8.8 vanish without an ICMP error (pods send up to 1500 bytes; "
         "1400 bytes get through)", evidence="1400 bytes are answered, 1500 are not"),
    Case("large-packets-lost", "nobody answers echo requests", FAIL, (sized(0, full=SILENT, small=OK),),
         "(pods send up to 1500 bytes): connections open, and hang", evidence="small segments only"),
    Case("large-packets-lost", "and the uplink is narrower", FAIL,
         (sized(1400, full=SILENT, small=OK), uplink(1400)), "1400 bytes get through; eth0 takes 1400"),
    Case("large-packets-lost", "TCP is clamped", FAIL, (sized(1400),), "large UDP packets are lost",
         severity=Severity.WARNING),
    Case("large-packets-lost", "all get through", PASS, (sized(1500),)),
    Case("large-packets-lost", "the router says that they are too large", PASS,
         (sized(1400, above=Reply(Answer.ERROR, 1.0, "3/4 from 10.244.0.1")),)),
    Case("large-packets-lost", "a filter of large pings", PASS, (sized(84),)),
    Case("large-packets-lost", "streams are lost in small segments too", PASS, (sized(0, full=SILENT, small=SILENT),)),
    Case("resolver-list-too-long", "four resolvers", FAIL, (KubeletResolvConf("/etc/resolv.conf", 4, 1),),
         "names 4 resolvers: those after the third are never asked", severity=Severity.WARNING),
    Case("resolver-list-too-long", "four domains of the node beside three of the cluster", FAIL, (searching(*"abcd"),),
         "pods search 7 domains", severity=Severity.WARNING, confidence=LIKELY),
    Case("resolver-list-too-long", "as many as are read", PASS,
         (KubeletResolvConf("/etc/resolv.conf", 3, 3), searching(*"abc"))),
    Case("resolver-list-too-long", "nothing can be read", UNKNOWN, unread=unread(KubeletResolvConf, VantagePoints)),
]  # fmt: skip
