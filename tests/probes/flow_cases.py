"""The cases of probes that judge who reaches a Service: over UDP, from outside, by which resolver; and the way out."""

from __future__ import annotations

from typing import Any

from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.gateways.named_hosts import NamedHost
from netdoctor.facts.gateways.pod_environments import PodEnvironments
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.firewalld_settings import FirewalldSettings
from netdoctor.facts.node.link_managers import NETWORK_MANAGER, NETWORKD, LinkManagers
from netdoctor.facts.node.links import Interface, Links
from netdoctor.facts.traffic.drops import Drop, Drops
from netdoctor.facts.traffic.ipv6_names import BothLookups, Ipv6Names
from netdoctor.facts.traffic.names import OUTSIDE_NAME, SERVICE_NAME
from netdoctor.facts.traffic.outside_reach import LostOutside, OutsideReach
from netdoctor.facts.traffic.reach import AskedFlow
from netdoctor.facts.traffic.service_reach import IPV6_SERVICE, NODE_PORT, UDP_SERVICE, ServiceReach
from netdoctor.facts.traffic.udp_services import UdpServices
from netdoctor.model import Confidence, Severity
from netdoctor.system.nft_trace import Dropped
from netdoctor.system.traffic import Reply
from tests.builders import (
    DNS_ADDRESS,
    NO_ROUTE,
    NODE_ADDRESS,
    NXDOMAIN,
    OK,
    OLD_POD,
    REFUSED,
    REJECTED,
    SERVFAIL,
    SILENT,
    firewalld,
    service_reach,
    upstream_answers,
)
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, Case
from tests.probes.object_cases import DATABASE, HEADLESS, RESOLVED, answer, environment, with_headless


def datagram(reply: Reply) -> UdpServices:
    """A datagram to a Service of a UDP port alone."""
    return UdpServices(
        (AskedFlow("test pod", UDP_SERVICE, "Service default/statsd", "10.96.0.30", 8125, reply, "udp"),)
    )


def over_ipv6(reply: Reply) -> ServiceReach:
    """The usual flows, and one to a Service's address of IPv6."""
    flow = AskedFlow("test pod", IPV6_SERVICE, "Service default/echo", "fd00:96::60", 80, reply)
    return ServiceReach((*service_reach().flows, flow))


def closed_outside() -> OutsideReach:
    """A NodePort that a rule keeps from a neighbour."""
    dropped = Dropped("ip", "filter", "FORWARD", 7, "iifname eth0 drop")
    asked = (NODE_PORT, "Service default/echo", NODE_ADDRESS, 30080, "192.0.2.254")
    return OutsideReach(1, (LostOutside(*asked, SILENT, dropped),))


def strict(chain: str = "filter_FORWARD_dnat") -> tuple[object, ...]:
    """firewalld with StrictForwardPorts=yes, and a packet that ended in this chain of its."""
    drop = Drop("pod x -> 10.96.0.10:53", "ClusterIP", Dropped("inet", "firewalld", chain, 7, "reject"))
    return firewalld("10.244.0.0/16"), FirewalldSettings(strict_forward_ports=True), Drops((drop,))


def on_host(*hosts: NamedHost, **changed: Any) -> PodEnvironments:
    """The same on the host's network, with the dnsPolicy of a pod that says nothing."""
    return environment(*hosts, **{"host_network": True, "dns_policy": "ClusterFirst", **changed})


IN_FULL = NamedHost("app", "DATABASE_URL", "postgres.default.svc", 5432)
CACHE_IN_FULL = NamedHost("app", "CACHE_HOST", "postgres.default.svc", 0)
AT_NODE = "postgres.default.svc."


def both(answer: Reply, aaaa: Reply, second: Reply | None = None, outside: bool = False) -> Ipv6Names:
    """The name of a Service, or an outside one, asked for both kinds of address by two pods."""
    kind, name = SERVICE_NAME, "kubernetes.default.svc.cluster.local."
    if outside:
        kind, name = OUTSIDE_NAME, "p1.example.com"
    return Ipv6Names((
        BothLookups("test pod", kind, DNS_ADDRESS, name, answer, aaaa),
        BothLookups(OLD_POD, kind, DNS_ADDRESS, name, answer, second or aaaa),
    ))  # fmt: skip


ETH0_DOWN = (
    Links((Interface("eth0", 2, "", False, False, "", 1500, (NODE_ADDRESS,)),), ()),
    upstream_answers(host=NO_ROUTE, pods=SILENT),
)

CASES = [
    Case("ipv6-lookups-failing", "nobody answers AAAA", FAIL, (both(OK, SILENT),),
         "queries for IPv6 addresses (AAAA) of names of Services get no answer",
         evidence="test pod -> 10.96.0.10:53/udp kubernetes.default.svc.cluster.local. AAAA"),
    Case("ipv6-lookups-failing", "of outside names, by the upstream", FAIL, (both(NXDOMAIN, SILENT, outside=True),),
         "of outside names get no answer"),
    Case("ipv6-lookups-failing", "a template says that the name does not exist", FAIL,
         (both(OK, NXDOMAIN), Corefile("template kubernetes forward", (), "")),
         "end with nxdomain", evidence="template", severity=Severity.WARNING),
    Case("ipv6-lookups-failing", "it fails at once", FAIL, (both(OK, SERVFAIL),),
         severity=Severity.WARNING),
    Case("ipv6-lookups-failing", "an answer without an address", PASS, (both(OK, OK),)),
    Case("ipv6-lookups-failing", "the servers of an outside name fail at once", PASS,
         (both(OK, SERVFAIL, outside=True),)),
    Case("ipv6-lookups-failing", "an outside name that does not exist", PASS,
         (both(NXDOMAIN, NXDOMAIN, outside=True),)),
    Case("ipv6-lookups-failing", "one pod gets an answer", PASS, (both(OK, SILENT, OK),)),
    Case("ipv6-lookups-failing", "the DNS is silent altogether", PASS, (both(SILENT, SILENT),)),
    Case("ipv6-lookups-failing", "no pod could ask", NOT_APPLICABLE, (Ipv6Names(()),)),
    Case("uplink-down", "down, and systemd-networkd configures it", FAIL,
         (*ETH0_DOWN, LinkManagers({"eth0": NETWORKD})), "eth0 is down"),
    Case("uplink-down", "down, and NetworkManager configures it", FAIL,
         (*ETH0_DOWN, LinkManagers({"eth0": NETWORK_MANAGER})), "eth0 is down"),
    Case("cluster-dns-bypassed", "on the host's network", FAIL, (on_host(IN_FULL), answer(IN_FULL, NXDOMAIN, AT_NODE)),
         "pod ai/app-1 on the host's network has dnsPolicy ClusterFirst and asks the node's resolvers, which do not "
         "know postgres.default.svc of its variable DATABASE_URL: Service default/postgres"),
    Case("cluster-dns-bypassed", "the node's resolvers by its own choice", FAIL,
         (on_host(IN_FULL, host_network=False, dns_policy="Default"), answer(IN_FULL, NXDOMAIN, AT_NODE)),
         "pod ai/app-1 has dnsPolicy Default", confidence=Confidence.CONFIRMED),
    Case("cluster-dns-bypassed", "resolvers of its own", FAIL,
         (on_host(IN_FULL, host_network=False, dns_policy="None"), answer(IN_FULL, NXDOMAIN, AT_NODE)),
         "asks resolvers of its own, which do not know"),
    Case("cluster-dns-bypassed", "no database, and the pod is ready", FAIL,
         (on_host(CACHE_IN_FULL), answer(CACHE_IN_FULL, NXDOMAIN, AT_NODE)), severity=Severity.WARNING),
    Case("cluster-dns-bypassed", "a bare pod", FAIL,
         (on_host(IN_FULL, owner=""), answer(IN_FULL, NXDOMAIN, AT_NODE)), "Service default/postgres"),
    Case("cluster-dns-bypassed", "the node's resolvers know it", PASS,
         (on_host(IN_FULL), answer(IN_FULL, RESOLVED, AT_NODE))),
    Case("cluster-dns-bypassed", "the node's resolvers fail for it", FAIL,
         (on_host(IN_FULL), answer(IN_FULL, SERVFAIL, AT_NODE)), evidence="servfail"),
    Case("cluster-dns-bypassed", "no resolver answers", PASS, (on_host(IN_FULL), answer(IN_FULL, SILENT, AT_NODE))),
    Case("cluster-dns-bypassed", "it stands in the node's hosts file, so nothing was asked", PASS, (on_host(IN_FULL),)),
    Case("cluster-dns-bypassed", "it asks the cluster's DNS", PASS,
         (environment(IN_FULL, dns_policy="ClusterFirst"), answer(IN_FULL, NXDOMAIN, AT_NODE))),
    Case("cluster-dns-bypassed", "with a policy for the host's network", PASS,
         (on_host(IN_FULL, dns_policy="ClusterFirstWithHostNet"), answer(IN_FULL, NXDOMAIN, AT_NODE))),
    Case("cluster-dns-bypassed", "an older recording does not say the policy", PASS,
         (on_host(IN_FULL, dns_policy=""), answer(IN_FULL, NXDOMAIN, AT_NODE))),
    Case("cluster-dns-bypassed", "no Service is called so", PASS,
         (on_host(DATABASE), answer(DATABASE, NXDOMAIN, "postgres."))),
    Case("cluster-dns-bypassed", "headless, and nobody is ready", PASS,
         (on_host(HEADLESS), answer(HEADLESS, NXDOMAIN, "db."), *with_headless())),
    Case("cluster-dns-bypassed", "headless, and its pod is ready", FAIL,
         (on_host(HEADLESS), answer(HEADLESS, NXDOMAIN, "db."), *with_headless(ready=True)), "Service ai/db"),
    Case("service-unreachable", "over IPv6 alone it is silent", FAIL, (over_ipv6(SILENT),),
         "1 of 3 connections to Services are not answered (Service default/echo)",
         evidence="test pod -> fd00:96::60:80"),
    Case("service-unreachable", "over IPv6 it answers too", PASS, (over_ipv6(OK),)),
    Case("service-unreachable", "a datagram is lost on this node", FAIL, (datagram(SILENT),),
         "1 of 1 datagrams to Services are not sent on to their pods (Service default/statsd)",
         evidence="test pod -> 10.96.0.30:8125"),
    Case("service-unreachable", "a rule refuses datagrams", FAIL, (datagram(REJECTED),), "1 of 1 datagrams"),
    Case("service-unreachable", "a datagram is refused by its pod", FAIL, (datagram(REFUSED),),
         "1 of 1 datagrams to Services are not accepted", severity=Severity.WARNING),
    Case("service-unreachable", "a datagram is sent on, and the program says nothing", PASS, (datagram(OK),)),
    Case("ports-closed-to-outside", "a rule drops a neighbour's packets", FAIL, (closed_outside(),),
         "NodePort 30080 of Service default/echo: answered on this node, and dropped from outside by ip filter FORWARD "
         "handle 7 (iifname eth0 drop)", evidence="192.0.2.254 -> 192.0.2.10:30080", severity=Severity.WARNING),
    Case("firewalld-forwards-own-ports", "translated packets end in its chain", FAIL, strict(),
         "(StrictForwardPorts=yes)", evidence="inet firewalld filter_FORWARD_dnat handle 7"),
    Case("firewalld-forwards-own-ports", "it does not run", NOT_APPLICABLE, (Firewalld.absent(), *strict()[1:])),
    Case("firewalld-forwards-own-ports", "a zone rejects them", PASS, strict("filter_FWD_public")),
    Case("firewalld-forwards-own-ports", "it accepts what others translate", PASS,
         (*strict(), FirewalldSettings(strict_forward_ports=False))),
    Case("firewalld-forwards-own-ports", "everything is answered", PASS, (*strict(), Drops(()))),
    Case("ports-closed-to-outside", "a neighbour is let in", PASS),
    Case("ports-closed-to-outside", "the node itself is not answered", PASS,
         (closed_outside(), service_reach(node_port=SILENT))),
    Case("ports-closed-to-outside", "no rule drops anything", NOT_APPLICABLE,
         (OutsideReach(0, (), "no rule of this node drops anything"),), "no rule of this node drops anything"),
]  # fmt: skip
