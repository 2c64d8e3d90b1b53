"""A Service points to a port on which nothing listens.

## What it checks
When the cluster DNS, Postgres or another Service that was asked refuses connections at its ClusterIP: whether its
endpoints refuse them too, and what listens in their pods, on which address and port.

## Why it matters
A Service sends packets to `targetPort` of its pods, but nothing checks that a program listens there: the pods are
ready, the endpoints are listed, kube-proxy's rules are in place, and every connection is refused. Two mistakes look
like that: the Service and the program use different ports, or the program listens on 127.0.0.1 only, as Postgres does
unless its `listen_addresses` says otherwise.

## When it is not a fault
When the program listens there and the refusal comes from elsewhere: a packet filter rule can refuse on its behalf.
Where the pods of a Service that is neither DNS nor Postgres listen nowhere, it is a warning: they may wait on purpose.

## By hand
`kubectl get endpointslices -l kubernetes.io/service-name=NAME -o wide` shows the ports, `kubectl exec POD -- ss -tln`
or `nsenter -t PID -n ss -tln` on the node shows what listens. Correct the Service's `targetPort`, or the address on
which the program listens.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.closed_endpoints import ClosedEndpoint, ClosedEndpoints
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_IPS

EVERY = ("0.0.0.0", "::")
LOOPBACK = ("127.", "::1")


@probe(area=Area.SERVICES, healthy="endpoints listen on their ports", explains=CLUSTER_IPS)
def endpoint_port_closed(closed: ClosedEndpoints, services: Services, this: ThisNode) -> Iterator[Finding]:
    """Endpoints that refuse, in whose pods nothing listens on that address and port."""
    databases = [str(service) for service in services.postgres]
    known = {*databases, str(services.cluster_dns)}
    seen = set()
    for endpoint in closed.items:
        if _open(endpoint) or (endpoint.service, endpoint.port) in seen:
            continue
        seen.add((endpoint.service, endpoint.port))
        namespace, _, name = endpoint.service.partition("/")
        pod = f"pod {endpoint.pod}" if endpoint.pod else endpoint.address
        yield Finding(
            f"Service {endpoint.service} forwards {endpoint.service_port} to port {endpoint.port} of {pod}, where "
            f"nothing listens{_instead(endpoint)}",
            (
                _refused(endpoint),
                *_evidence(endpoint, pod),
            ),
            Subject(this.name, namespace, service=name) if endpoint.service in databases else Subject(node=this.name),
            Severity.ERROR if endpoint.service in known or _elsewhere(endpoint) else Severity.WARNING,
            Confidence.LIKELY if endpoint.listening is None else Confidence.CONFIRMED,
            by_hand=_by_hand(endpoint),
        )


def _open(endpoint: ClosedEndpoint) -> bool:
    return any(
        port == endpoint.port and address in (*EVERY, endpoint.address) for address, port in endpoint.listening or ()
    )


def _instead(endpoint: ClosedEndpoint) -> str:
    if _on_localhost(endpoint):
        return ": its program listens on localhost only"
    if elsewhere := _elsewhere(endpoint):
        return f": its pod listens on {', '.join(map(str, elsewhere[:6]))}"
    return f": its containers declare {', '.join(map(str, endpoint.declared))}" if endpoint.declared else ""


def _on_localhost(endpoint: ClosedEndpoint) -> bool:
    """Whether its program listens at the port, for its own pod alone."""
    listening = endpoint.listening or ()
    return any(port == endpoint.port and address.startswith(LOOPBACK) for address, port in listening)


def _elsewhere(endpoint: ClosedEndpoint) -> list[int]:
    """The ports at which others are listened to in its pod."""
    return sorted({port for address, port in endpoint.listening or () if not address.startswith(LOOPBACK)})


def _by_hand(endpoint: ClosedEndpoint) -> tuple[str, ...]:
    """Correct the Service, where it has the wrong port; what the program listens at is its own configuration's."""
    ports = _elsewhere(endpoint) or list(endpoint.declared)
    namespace, _, name = endpoint.service.partition("/")
    if _on_localhost(endpoint) or not ports:
        return ()
    there = tuple(str(port) for port in ports[:6])
    form = "kubectl -n {} edit service/{}  # targetPort {}: the pod has {}"
    return command(form, namespace, name, endpoint.port, there)


def _refused(endpoint: ClosedEndpoint) -> Evidence:
    where = f"{endpoint.asked_from} -> {endpoint.address}:{endpoint.port}"
    data = Values(pod=endpoint.pod, service=endpoint.service, address=endpoint.address, port=endpoint.port)
    return Evidence(where, str(endpoint.reply), "open", data)


def _evidence(endpoint: ClosedEndpoint, pod: str) -> Iterator[Evidence]:
    wanted = f"one at port {endpoint.port}"
    if endpoint.listening is not None:
        there = ", ".join(f"{address}:{port}" for address, port in endpoint.listening[:8])
        yield Evidence(f"listening sockets of {pod}", there or "none", wanted)
    elif endpoint.declared:
        yield Evidence(f"ports that {pod} declares", ", ".join(map(str, endpoint.declared)), wanted)
