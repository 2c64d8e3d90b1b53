"""A pod that names a Service does not ask the cluster's DNS for it.

## What it checks
Services that the variables of this node's pods name, where the pod's `dnsPolicy` has it ask other resolvers:
`Default`, `None`, or `ClusterFirst` on the host's network, which the kubelet then treats as `Default`. The name is
looked up as the pod does it.

## Why it matters
`ClusterFirst` is what a pod has that says nothing. With `hostNetwork: true` it silently becomes the node's resolv.conf:
other pods resolve the name, this one does not, and neither CoreDNS nor the network is at fault.

## When it is not a fault
Where the node's resolvers know the name, or it stands in the node's `/etc/hosts` or the pod's `hostAliases`. Where the
variable names no database and the pod is ready, it is a warning: it may not use it.

## By hand
`kubectl get pod POD -o jsonpath='{.spec.hostNetwork} {.spec.dnsPolicy}'`; set `dnsPolicy: ClusterFirstWithHostNet`, or
`ClusterFirst` where the pod is not on the host's network. Its pods are recreated. The cluster's DNS does not belong
into the node's resolv.conf: CoreDNS would forward to itself.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.named_hosts import NamedHost
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments, where_to_edit
from netdoctor.facts.traffic.named_answers import NamedAnswer, NamedAnswers
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import DATABASE_NAMES

HOST_POLICY, POLICY = "ClusterFirstWithHostNet", "ClusterFirst"
PATCH = """'{{"spec":{{"template":{{"spec":{{"dnsPolicy":"%s"}}}}}}}}'"""


@probe(area=Area.DNS, healthy="pods that name Services ask the cluster's DNS", explains=DATABASE_NAMES)
def cluster_dns_bypassed(
    environments: PodEnvironments,
    answers: NamedAnswers,
    services: Services,
    endpoints: EndpointSlices | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """Names of Services that the cluster's DNS has, and the resolver of the pod has not."""
    there = {(each.namespace, each.name) for each in _in_dns(services, endpoints)}
    for environment in environments.items:
        if not (environment.uses_node_resolvers or environment.dns_policy == "None"):
            continue
        for named in environment.hosts:
            answer = answers.of(environment, named)
            if answer and answer.has_no_address and named.service(environment.namespace) in there:
                yield _finding(environment, named, answer, this)


def _in_dns(services: Services, endpoints: EndpointSlices | CannotRead) -> Iterator[Service]:
    """The Services whose names the cluster's DNS has: a headless one only with a ready endpoint."""
    yield from services.items
    if not isinstance(endpoints, CannotRead):
        yield from (service for service in services.headless if endpoints.ready(service))


def _finding(environment: PodEnvironment, named: NamedHost, answer: NamedAnswer, this: ThisNode) -> Finding:
    on_host = " on the host's network" if environment.host_network else ""
    asked = "the node's resolvers" if environment.uses_node_resolvers else "resolvers of its own"
    matters = named.is_database or environment.fails
    namespace, name = named.service(environment.namespace)
    wanted = HOST_POLICY if environment.host_network else POLICY
    data = Values(pod=str(environment), name=answer.names[0], answer=str(answer.reply.answer))
    return Finding(
        f"pod {environment}{on_host} has dnsPolicy {environment.dns_policy} and asks {asked}, which do not know "
        f"{named.host} of its variable {named.variable}: Service {namespace}/{name} has that name in the cluster's DNS",
        (
            Evidence(f"pod {environment} -> {answer.names[0]}", str(answer.reply), "an address", data),
            Evidence(f"dnsPolicy of pod {environment}", environment.dns_policy, wanted),
        ),
        Subject(this.name, namespace, service=name),
        Severity.ERROR if matters else Severity.WARNING,
        Confidence.CONFIRMED,
        by_hand=_by_hand(environment, wanted),
    )


def _by_hand(environment: PodEnvironment, wanted: str) -> tuple[str, ...]:
    """The change of what makes the pod, where that is known."""
    kind, _, name = environment.owner.partition("/")
    if kind == "ReplicaSet":
        kind, name = "Deployment", name.rpartition("-")[0]
    if kind not in ("Deployment", "StatefulSet", "DaemonSet"):
        return where_to_edit(environment)
    form = f"kubectl -n {{}} patch {{}} --type merge -p {PATCH % wanted}"
    return command(form, environment.namespace, f"{kind.lower()}/{name}")
