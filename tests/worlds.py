"""A healthy node as facts, nodes that differ from it, and what a probe says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.runner import run
from netdoctor.errors import CannotRead
from netdoctor.facts import Facts
from netdoctor.facts.cluster.api_server_here import ApiServerHere
from netdoctor.facts.cluster.coredns import Corefile, Upstreams
from netdoctor.facts.cluster.corefile_refusal import CorefileRefusal
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.kube_proxy_health import Health, KubeProxyHealth
from netdoctor.facts.cluster.kubelet_proxy import KubeletProxy
from netdoctor.facts.cluster.kubelet_resolvers import KubeletResolvers
from netdoctor.facts.cluster.last_ends import LastEnds
from netdoctor.facts.cluster.pod_network import PodNetwork
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.this_node import LocalAddresses, ThisNode
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.gateways.gateway_ends import GatewayEnds
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.gateways.images import Images
from netdoctor.facts.gateways.listeners import Listeners
from netdoctor.facts.gateways.network_policies import NetworkPolicies
from netdoctor.facts.gateways.pod_environments import PodEnvironments
from netdoctor.facts.gateways.scope import Scope
from netdoctor.facts.node.boot_rules import BootRules
from netdoctor.facts.node.certificate_terms import CertificateTerms
from netdoctor.facts.node.container_groups import ContainerGroups
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.firewalld_rules import FirewalldRules
from netdoctor.facts.node.firewalld_settings import FirewalldSettings
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.node.ipv6_switches import Ipv6Switches
from netdoctor.facts.node.kubelet_resolv_conf import KubeletResolvConf
from netdoctor.facts.node.link_managers import LinkManagers
from netdoctor.facts.node.links import Interface, Links
from netdoctor.facts.node.neighbour_table import NeighbourTable
from netdoctor.facts.node.reserved_addresses import ReservedAddresses
from netdoctor.facts.node.sysctl import BridgeNetfilterModule, SysctlFiles
from netdoctor.facts.traffic.api_endpoints import ApiEndpoints
from netdoctor.facts.traffic.claims import Claims
from netdoctor.facts.traffic.closed_endpoints import ClosedEndpoints
from netdoctor.facts.traffic.departures import Departures
from netdoctor.facts.traffic.drops import Drops
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.hidden_pods import HiddenPods
from netdoctor.facts.traffic.ipv6_names import Ipv6Names
from netdoctor.facts.traffic.kept_pods import KeptPods
from netdoctor.facts.traffic.large_packets import LargePackets
from netdoctor.facts.traffic.named_answers import NamedAnswers
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.next_hops import Gateways
from netdoctor.facts.traffic.outside_reach import OutsideReach
from netdoctor.facts.traffic.policy_answers import PolicyAnswers
from netdoctor.facts.traffic.providers import Providers
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusals
from netdoctor.facts.traffic.searched_names import SearchedNames
from netdoctor.facts.traffic.stale_connections import StaleConnections
from netdoctor.facts.traffic.udp_services import UdpServices
from netdoctor.model import Result
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi
from tests.builders import (
    BRIDGE,
    DNS_ADDRESS,
    NODE_ADDRESS,
    NODE_NAME,
    POD_NETWORK,
    TEST_POD,
    UPSTREAMS,
    attachments,
    cni,
    dns_answers,
    experiments,
    iptables,
    masquerade,
    pods,
    points,
    postgres,
    reach,
    service_reach,
    services,
    slices,
    sysctls,
    upstream_answers,
    workloads,
)
from tests.gateways.module_builders import NO_MODULES, servers


@cache
def catalogue() -> Catalogue:
    return Catalogue.load()


def unread(*kinds: type) -> dict[type, CannotRead]:
    return {kind: CannotRead("somewhere", "permission denied") for kind in kinds}


class Answered(KubeApi):
    """An API server that has said its version."""

    def __init__(self) -> None:
        self.server, self.version = "https://192.0.2.10:8443", "v1.35.0"


def healthy() -> dict[type, object]:
    """Every fact that a probe asks for, on a node without a fault."""
    corefile = ".:53 {\n    kubernetes cluster.local\n    forward . 8.8.8.8 1.1.1.1\n}\n"
    links = Links((Interface(BRIDGE, 3, "bridge", True, True, "", 1500),), ("default via 192.0.2.1 dev eth0",))
    facts: list[object] = [
        pods(), services(), slices(), workloads(), attachments(), cni(), sysctls(), iptables(), Firewalld.absent(),
        points(), reach(), service_reach(), UdpServices(()), dns_answers(), upstream_answers(), postgres(),
        masquerade(), links, Drops(()), Departures(()),
        Corefile.parse(corefile), CorefileRefusal("", 0, ""), Upstreams(UPSTREAMS, "Corefile"),
        FirewalldRules({}), SysctlFiles({}),
        BridgeNetfilterModule(True, ""), KubeProxy("iptables", "its process", True, "kube-system/kube-proxy-1", ""),
        PodNetwork((POD_NETWORK,), "/etc/cni/net.d/1-k8s.conflist"), ThisNode(NODE_NAME, (NODE_ADDRESS,), ""),
        NewPod("default", "netdoctor-1", TEST_POD, "/run/netns/new", (DNS_ADDRESS,), (), 0.8), servers(),
        PodEnvironments(()), NamedAnswers(()), KeptPods(()), FailedFlows((), True), experiments(), Gateways(()),
        ClosedEndpoints(()), Scope(False), NetworkPolicies((), {}),
        LastEnds(()), SandboxRefusals(()), KubeletResolvers("/etc/resolv.conf", ("8.8.8.8",), ()),
        ReservedAddresses("k8s-pod-network", 3), Ipv6Switches({"net.ipv6.conf.all.disable_ipv6": "0"}),
        ApiServerHere(NODE_ADDRESS, runs=True), ApiEndpoints(()), LargePackets(()),
        KubeletResolvConf("/etc/resolv.conf", 2, 1), OutsideReach(1, ()), LinkManagers({}),
        Ipv6Names(()), FirewalldSettings(strict_forward_ports=False),
        LocalAddresses((NODE_ADDRESS, "10.244.0.1")),
        BootRules((), (), starts_firewalld=False, trusts_pods=False), StaleConnections(()),
        CertificateTerms((), 1_767_225_600), KubeletProxy("", NODE_ADDRESS),
        KubeProxyHealth(Health.FOLLOWS), NeighbourTable(40, 1024), SearchedNames(()), HiddenPods(()),
        ContainerGroups(()),
    ]  # fmt: skip
    no_modules = dict.fromkeys((Modules, Providers, Images, Listeners, PolicyAnswers, GatewayEnds), NO_MODULES)
    return with_claims(derived({**{type(fact): fact for fact in facts}, **no_modules, KubeApi: Answered()}))


def with_claims(facts: dict[type, object]) -> dict[type, object]:
    """The same facts with what the parts of this cluster say."""
    others = {kind: fact for kind, fact in facts.items() if kind is not Claims}
    return {**facts, Claims: Facts(others, live=False).get(Claims)}


def derived(facts: dict[type, object]) -> dict[type, object]:
    """The same facts with those that are collected from them."""
    kube_proxy, rules, made, behind = facts[KubeProxy], facts[Iptables], facts[Services], facts[EndpointSlices]
    if (
        isinstance(kube_proxy, KubeProxy) and isinstance(rules, Iptables)
        and isinstance(made, Services) and isinstance(behind, EndpointSlices)
    ):  # fmt: skip
        return {**facts, Translated: Translated.read(Host(), kube_proxy.mode, rules).asked(made, behind, NODE_NAME)}
    return facts


def world(*changed: object, unread: Mapping[type, CannotRead] | None = None) -> Facts:
    """The healthy node with some facts different, or unread."""
    facts = derived({**healthy(), **{type(fact): fact for fact in changed}})
    return Facts(with_claims({**facts, **(unread or {})}), live=False)


def judge(name: str, *changed: object, unread: Mapping[type, CannotRead] | None = None) -> Result:
    """What one probe says, whatever it requires, on the healthy node with some facts different."""
    alone = replace(catalogue().probes[name], requires=(), explains=())
    return run(Catalogue({name: alone}, {}), world(*changed, unread=unread))[name]
