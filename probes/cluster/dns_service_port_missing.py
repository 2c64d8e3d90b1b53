"""The cluster's DNS Service does not offer DNS over both UDP and TCP.

## What it checks
The Service of the cluster DNS has port 53 for UDP and for TCP.

## Why it matters
An answer that does not fit into a UDP packet is asked for again over TCP. Without the port for TCP only such names
fail, those with many addresses or long records, and the rest of the DNS looks healthy. Without UDP nothing resolves.

## When it is not a fault
Where the cluster's DNS is not a Service of kube-system.

## By hand
`kubectl -n kube-system get service kube-dns -o yaml`; kubeadm's has `dns` (53/UDP) and `dns-tcp` (53/TCP).
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.facts.cluster.services import Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_IPS
from netdoctor.system.kube_api import KubeApi

CONSEQUENCES = {"UDP": "names do not resolve", "TCP": "names with long answers do not resolve"}
ADD = '[{"op":"add","path":"/spec/ports/-","value":{"name":"%s","port":53,"protocol":"%s","targetPort":53}}]'
NAMES = {"UDP": "dns", "TCP": "dns-tcp"}  # as kubeadm has them


@probe(area=Area.DNS, healthy="the DNS Service offers UDP and TCP", explains=CLUSTER_IPS)
def dns_service_port_missing(services: Services, api: KubeApi, this: ThisNode) -> Iterator[Finding]:
    """Transports of DNS that the Service has no port for."""
    service = services.cluster_dns
    if service is None or services.source != api.server:
        raise NotApplicable("kube-system has no Service with port 53, or it is not known from the API server")
    offered = {port.protocol for port in service.ports if port.port == 53}
    for transport, consequence in CONSEQUENCES.items():
        if transport not in offered:
            yield _finding(service, transport, consequence, this)


def _finding(service: Service, transport: str, consequence: str, this: ThisNode) -> Finding:
    there = ", ".join(map(str, service.ports))
    form, patch = "kubectl -n {} patch service/{} --type=json -p {}", ADD % (NAMES[transport], transport)
    return Finding(
        f"Service {service} does not offer 53/{transport.lower()}, only {there}: {consequence}",
        (Evidence(f"ports of Service {service}", there, f"53/{transport.lower()}", Values(service=str(service))),),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
        by_hand=command(form, service.namespace, service.name, patch),
    )
