"""The cases of probes that judge the objects which pods use, and the flows beside those of every pod."""

from __future__ import annotations

from netdoctor.facts.cluster.workloads import HostPort, Pods
from netdoctor.facts.traffic.reach import AskedFlow
from netdoctor.facts.traffic.service_reach import FROM_NODE, HOST_PORT, ITSELF, NODE_PORT, SERVICE, ServiceReach
from netdoctor.model import Severity
from netdoctor.system.traffic import Reply
from tests.builders import (
    NODE_ADDRESS,
    OK,
    REFUSED,
    SILENT,
    cni,
    iptables,
    pod,
    pods,
    service_reach,
)
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, Case

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
]  # fmt: skip
