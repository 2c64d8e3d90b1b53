"""A pod's proxy variables send requests for Services of the cluster to a proxy.

## What it checks
Pods of this node with `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY` among the variables of their specification: whether
`NO_PROXY` has the Services that other variables name by a URL, and, where the pod is not ready and has a service
account of its own, the API server.

## Why it matters
A company's proxy does not know the cluster's names and addresses: requests to Services end with 403, 503 or a gateway
time-out, while a database, which is not asked by HTTP, works. Most clients compare names only: a network of addresses
in `NO_PROXY` does not cover a Service's name, and `.svc` does not cover a short one.

## When it is not a fault
When `NO_PROXY` has the name, an end of it, or `*`. Where the pod is ready it is a warning.

## By hand
Add the name that is asked to `NO_PROXY`, and to `no_proxy`; `.svc,.cluster.local` and the Service network beside it.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments, Proxied, where_to_edit


@probe(area=Area.PODS, healthy="pods ask the cluster without a proxy")
def pod_asks_cluster_through_proxy(environments: PodEnvironments, this: ThisNode) -> Iterator[Finding]:
    """Services that NO_PROXY does not have; the API server only of a pod that is not ready."""
    for environment in environments.items:
        asked = [each for each in environment.proxied if each.variable or environment.fails]
        if asked:
            yield _finding(environment, asked, this)


def _finding(environment: PodEnvironment, asked: list[Proxied], this: ThisNode) -> Finding:
    first = asked[0]
    named = f"{first.host}, which {first.variable} names," if first.variable else f"the API server at {first.host}"
    return Finding(
        f"pod {environment} asks {named} through the proxy {first.proxy}: its NO_PROXY does not have that name",
        tuple(_evidence(environment, each) for each in asked[:3]),
        Subject(this.name, environment.namespace, environment.pod),
        Severity.ERROR if environment.fails else Severity.WARNING,
        by_hand=where_to_edit(environment),
    )


def _evidence(environment: PodEnvironment, each: Proxied) -> Evidence:
    data = Values(pod=str(environment), name=each.host, value=each.proxy)
    return Evidence(
        f"variables of container {each.container} of pod {environment}", f"a proxy at {each.proxy}",
        f"NO_PROXY with {each.host}", data,
    )  # fmt: skip
