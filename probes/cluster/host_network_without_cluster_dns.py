"""A pod on the host's network does not ask the cluster DNS, and names a Service.

## What it checks
Pods of this node on the host's network whose `dnsPolicy` is not `ClusterFirstWithHostNet`: whether a variable of theirs
names a Service of the cluster, which only the cluster DNS knows.

## Why it matters
`ClusterFirst`, the default, means the node's own resolv.conf for a pod on the host's network, and no event says so. The
node's resolvers do not know the cluster's names: the program reports that its database cannot be found, while the same
image works on a network of its own.

## When it is not a fault
When the node's resolvers lead to the cluster DNS, or `dnsPolicy` is `None` with a configuration of the pod's own. Where
the pod is ready it is a warning.

## By hand
Set `dnsPolicy: ClusterFirstWithHostNet` in the pod's template.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.kubelet_resolvers import KubeletResolvers
from netdoctor.facts.cluster.services import Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments, where_to_edit
from netdoctor.symptoms import DATABASE_NAMES

OF_THE_NODE = ("ClusterFirst", "Default")
WANTED = "ClusterFirstWithHostNet"


@probe(area=Area.DNS, healthy="pods on the host's network ask the cluster DNS", explains=DATABASE_NAMES)
def host_network_without_cluster_dns(
    environments: PodEnvironments, services: Services, resolvers: KubeletResolvers | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Pods that ask the node's resolvers for a Service of the cluster."""
    if _lead_to_the_cluster(resolvers, services):
        return
    known = {(service.namespace, service.name): service for service in (*services.items, *services.headless)}
    for environment in environments.items:
        if not environment.host_network or environment.dns_policy not in OF_THE_NODE:
            continue
        named = [host for host in environment.hosts if host.service(environment.namespace) in known]
        if named:
            service = known[named[0].service(environment.namespace)]
            yield _finding(environment, named[0].variable, service, this)


def _lead_to_the_cluster(resolvers: KubeletResolvers | CannotRead, services: Services) -> bool:
    """Whether the node itself asks the cluster DNS."""
    dns = services.cluster_dns
    return isinstance(resolvers, KubeletResolvers) and dns is not None and dns.cluster_ip in resolvers.nameservers


def _finding(environment: PodEnvironment, variable: str, service: Service, this: ThisNode) -> Finding:
    data = Values(pod=str(environment), value=environment.dns_policy, expected=WANTED)
    return Finding(
        f"pod {environment} is on the host's network with dnsPolicy {environment.dns_policy}, so it asks the node's "
        f"resolvers, and {variable} names Service {service}, which only the cluster DNS knows",
        (
            Evidence(f"dnsPolicy of pod {environment}", environment.dns_policy, WANTED, data),
            Evidence(f"{variable} of pod {environment}", f"Service {service}", "a name that the node's resolvers know"),
        ),
        Subject(this.name, environment.namespace, service=service.name),
        Severity.ERROR if environment.fails else Severity.WARNING,
        by_hand=where_to_edit(environment),
    )
