"""A Service sends nothing from this node, because its traffic policy is Local.

## What it checks
Services with `internalTrafficPolicy: Local` whose ready endpoints are all on other nodes, where pods of this node need
them: their DNS queries or their connections to Postgres get no answer.

## Why it matters
With this policy kube-proxy drops what pods of a node without an endpoint send. They see time-outs, not refusals, and
every rule is as it was meant to be: the Service has ready endpoints, and other nodes reach them.

## When it is not a fault
Where nobody on this node was seen to need the Service: a policy of Local is right for what each node has for itself.
For a module's NodePort with `externalTrafficPolicy: Local` and no endpoint here it is a warning: other nodes answer.

## By hand
`kubectl get services -A -o yaml | grep -B30 'TrafficPolicy: Local'`; `kubectl get endpointslices -A -o wide`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Endpoint, EndpointSlices, Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.traffic.names import SERVICE_NAME, ClusterDns
from netdoctor.facts.traffic.postgres import TCP, Postgres
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_IPS

INTERNAL = '{"spec":{"internalTrafficPolicy":"Cluster"}}'
EXTERNAL = '{"spec":{"externalTrafficPolicy":"Cluster"}}'


@probe(area=Area.SERVICES, healthy="traffic policies lead to endpoints", explains=CLUSTER_IPS)
def service_local_to_other_nodes(
    services: Services,
    endpoints: EndpointSlices,
    this: ThisNode,
    names: ClusterDns | CannotRead,
    postgres: Postgres | CannotRead,
    modules: Modules | CannotRead,
) -> Iterator[Finding]:
    """Services that are needed here, and that kube-proxy leads to endpoints of this node alone."""
    of_modules = () if isinstance(modules, CannotRead) else modules.services
    for service in services.items:
        ends = endpoints.ready(service)
        if not ends or any(end.node == this.name for end in ends):
            continue
        where = ", ".join(dict.fromkeys(end.node or "no node that is named" for end in ends))
        subject = _silent(service, services, names, postgres, this) if service.node_local else None
        if subject:
            said = (
                f"Service {service} has internalTrafficPolicy Local and no endpoint on this node (they are on {where}):"
                " kube-proxy drops the traffic of this node's pods to it"
            )
            yield _finding(said, service, ends, subject, Severity.ERROR, INTERNAL)
        elif str(service) in of_modules and _is_local_outside(service):
            said = (
                f"Service {service} has externalTrafficPolicy Local and no endpoint on this node (they are on {where}):"
                " from outside, its NodePort does not answer here"
            )
            yield _finding(said, service, ends, Subject(node=this.name), Severity.WARNING, EXTERNAL)


def _is_local_outside(service: Service) -> bool:
    return service.node_local_outside and service.kind == "NodePort"


def _silent(
    service: Service,
    services: Services,
    names: ClusterDns | CannotRead,
    postgres: Postgres | CannotRead,
    this: ThisNode,
) -> Subject | None:
    """What the consequence is about, where pods of this node got no answer from the Service."""
    if service == services.cluster_dns:
        asked = () if isinstance(names, CannotRead) else names.of(SERVICE_NAME)
        return Subject(node=this.name) if any(not each.reply.arrived for each in asked) else None
    steps = () if isinstance(postgres, CannotRead) else postgres.of(TCP)
    lost = any(step.service == str(service) and step.reply and not step.reply.arrived for step in steps)
    return Subject(this.name, service.namespace, service=service.name) if lost else None


def _finding(
    said: str, service: Service, ends: tuple[Endpoint, ...], subject: Subject, severity: Severity, patch: str
) -> Finding:
    there = ", ".join(dict.fromkeys(f"{end.address} on {end.node or 'no named node'}" for end in ends[:4]))
    data = Values(service=str(service), count=0, of=len(ends))
    return Finding(
        said,
        (Evidence(f"endpoints of Service {service}", there, "one on this node, or the policy Cluster", data),),
        subject,
        severity,
        Confidence.CONFIRMED,
        by_hand=command("kubectl -n {} patch service/{} -p {}", service.namespace, service.name, patch),
    )
