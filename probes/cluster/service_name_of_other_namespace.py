"""A pod looks for a Service by its short name, and the Service is in another namespace.

## What it checks
Hosts that the variables of this node's pods name without a namespace, where the pod's namespace has no Service of that
name and another namespace has: the name is looked up as the pod does it.

## Why it matters
A resolver completes a short name with the pod's own namespace. The DNS is right to say that `postgres.ai.svc` does not
exist; neither CoreDNS nor the network is at fault.

## When it is not a fault
Where the name resolves anyway, by another domain of the pod's search list. Where the variable names no database
and the pod is ready, it is a warning: it may not use it.

## By hand
`kubectl get services -A | grep NAME`; name it in full, `NAME.NAMESPACE.svc`, or make a Service of type ExternalName.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.facts.cluster.services import Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.named_hosts import NamedHost
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments, where_to_edit
from netdoctor.facts.traffic.named_answers import NamedAnswer, NamedAnswers
from netdoctor.model import Confidence
from netdoctor.symptoms import DATABASE_NAMES


@probe(area=Area.DNS, healthy="short names are of the pods' own namespaces", explains=DATABASE_NAMES)
def service_name_of_other_namespace(
    environments: PodEnvironments, answers: NamedAnswers, services: Services, this: ThisNode
) -> Iterator[Finding]:
    """Names without a Service in the pod's namespace, and with one elsewhere."""
    everything = (*services.items, *services.headless)
    for environment in environments.items:
        for named in environment.hosts:
            answer = answers.of(environment, named)
            others = [service for service in everything if service.name == named.host]
            if answer and answer.is_unknown and others and not _has(environment.namespace, others):
                yield _finding(environment, named, answer, others, this)


def _has(namespace: str, services: list[Service]) -> bool:
    return any(service.namespace == namespace for service in services)


def _finding(
    environment: PodEnvironment, named: NamedHost, answer: NamedAnswer, others: list[Service], this: ThisNode
) -> Finding:
    full = " or ".join(f"{service.name}.{service.namespace}.svc" for service in others[:3])
    matters = named.is_database or environment.fails
    data = Values(pod=str(environment), name=answer.names[0], answer=str(answer.reply.answer))
    return Finding(
        f"{named.variable} of pod {environment} names {named.host}, and namespace {environment.namespace} has no such "
        f"Service: the full name is {full}",
        (
            Evidence(f"pod {environment} -> {answer.names[0]}", str(answer.reply), "an address", data),
            Evidence(f"Services called {named.host}", ", ".join(map(str, others[:3])), environment.namespace),
        ),
        Subject(this.name, environment.namespace, service=named.host),
        Severity.ERROR if matters else Severity.WARNING,
        Confidence.CONFIRMED,
        by_hand=where_to_edit(environment),
    )
