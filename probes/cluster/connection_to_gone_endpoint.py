"""A client's UDP packets to a Service still go to an endpoint that is gone.

## What it checks
The tracked UDP connections of clients to ClusterIPs, where kube-proxy works in mode iptables or nftables: whether their
packets go to an address that is an endpoint of the Service. Where one does not, the table is read again for some
seconds: only a connection on which packets are still sent counts.

## Why it matters
A translation is decided with a connection's first packet. A client that keeps its source port, as nginx, Envoy, statsd
and many resolvers do, keeps the entry alive with each packet that it sends: it goes to a pod that is gone, or nowhere,
while every new client is served. kube-proxy deletes such entries; it does not where it hangs, was stopped meanwhile, or
another program put them back.

## When it mends itself
When the client is silent for 30 s (180 s if it was answered before), or asks from another port.

## When it is not a fault
When the endpoints changed within the last seconds: kube-proxy is about to follow. Where new queries are not answered
either, or rules of kube-proxy are missing or stale, that is the fault, and nothing is said of old connections.

## By hand
`conntrack -L -p udp --orig-dst CLUSTER_IP`; `conntrack -D -p udp --orig-dst CLUSTER_IP --reply-src ADDRESS`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.traffic.stale_connections import StaleConnection, StaleConnections
from netdoctor.model import Confidence
from netdoctor.shell import all_of, command


@probe(
    area=Area.SERVICES,
    healthy="tracked connections lead to endpoints",
    requires=("kube-proxy-rules-missing", "kube-proxy-rules-stale"),
)
def connection_to_gone_endpoint(
    connections: StaleConnections | CannotRead, pods: Pods | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Connections in use to addresses that are gone, for each Service."""
    if isinstance(connections, CannotRead):
        if connections.why in (Why.ABSENT, Why.UNSUPPORTED):
            raise NotApplicable(str(connections))
        raise connections
    by_service: dict[str, list[StaleConnection]] = {}
    for each in connections.items:
        by_service.setdefault(each.service, []).append(each)
    names = {} if isinstance(pods, CannotRead) else {a: f"{p.namespace}/{p.name}" for p in pods.items
                                                     for a in p.addresses if not p.host_network}  # fmt: skip
    for service, found in by_service.items():
        yield _finding(service, found, names, this.name)


def _finding(service: str, found: list[StaleConnection], names: dict[str, str], node: str) -> Finding:
    clients = list(dict.fromkeys(names.get(each.source, each.source) for each in found))
    first = found[0]
    where = "nowhere" if first.sent_to == first.address else f"to {first.sent_to}, which is not an endpoint"
    shown = ", ".join(clients[:3]) + (f" and {len(clients) - 3} more" if len(clients) > 3 else "")
    return Finding(
        f"UDP packets of {shown} to Service {service} go {where}: the kernel keeps the translation of their old "
        "connection as long as they send from the same port",
        tuple(_evidence(each, names) for each in found[:3]),
        Subject(node=node, service=service),
        confidence=Confidence.CONFIRMED,
        by_hand=all_of(
            command("sudo conntrack -D -p udp --orig-dst {} --reply-src {}", each.address, each.sent_to)
            for each in found
        ),
    )


def _evidence(each: StaleConnection, names: dict[str, str]) -> Evidence:
    client = names.get(each.source, each.source)
    data = Values(pod=names.get(each.source, ""), service=each.service, address=each.sent_to, port=each.port,
                  protocol="udp")  # fmt: skip
    return Evidence(
        f"connection of {client} from port {each.source_port} to {each.address}:{each.port}",
        f"answers are awaited from {each.sent_to}",
        "an endpoint",
        data,
    )
