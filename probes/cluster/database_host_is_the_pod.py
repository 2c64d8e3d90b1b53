"""A pod looks for its database at localhost, which is the pod itself.

## What it checks
Variables of this node's pods that name a database (`DATABASE_URL`, `DATABASE_HOST`, `PGHOST` and the like, or a URL of
one) at localhost: whether anything listens at that port in the pod's own network.

## Why it matters
A container's localhost is its pod, not the node and not another pod. A value that was right on a laptop or in a
docker-compose file is refused here, whatever is done to Postgres or to the network.

## When it is not a fault
With a proxy of the database beside the application in the same pod, which listens there. A pod in the node's network is
left out: its localhost is the node.

## By hand
`kubectl exec POD -- printenv DATABASE_URL`; name the Service of the database instead, as in `postgres.default.svc`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.pod_environments import PodEnvironments, where_to_edit
from netdoctor.facts.traffic.named_answers import NamedAnswers
from netdoctor.model import Confidence
from netdoctor.symptoms import DATABASE_NAMES
from netdoctor.system.foreign_text import is_address
from netdoctor.system.traffic import Answer


@probe(area=Area.POSTGRES, healthy="pods look for databases outside of themselves", explains=DATABASE_NAMES)
def database_host_is_the_pod(
    environments: PodEnvironments, answers: NamedAnswers, services: Services, this: ThisNode
) -> Iterator[Finding]:
    """Databases at the localhost of a pod in which nothing listens."""
    there = ", ".join(str(service) for service in services.postgres[:3])
    for environment in environments.items:
        for named in environment.hosts:
            answer = answers.of(environment, named) if named.is_itself else None
            if answer is None or answer.reply.answer is not Answer.REFUSED:
                continue
            instead = f"; the database may be Service {there}" if there else ""
            data = Values(pod=str(environment), address=named.host, port=named.port, answer=str(answer.reply.answer))
            yield Finding(
                f"{named.variable} of pod {environment} names {named.host}:{named.port}, which is the pod itself, and "
                f"nothing listens there{instead}",
                (Evidence(f"pod {environment} -> {named.host}:{named.port}", str(answer.reply), "connected", data),),
                Subject(this.name, "" if is_address(named.host) else environment.namespace, service=named.host),
                Severity.ERROR,
                Confidence.CONFIRMED,
                by_hand=where_to_edit(environment),
            )
