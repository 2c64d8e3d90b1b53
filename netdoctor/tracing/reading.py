"""What the names of a trace can stand for: read from this host, or taken from a recording."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from netdoctor.errors import CannotRead, Why
from netdoctor.facts import Facts
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pod, Pods
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.traffic.node_network import MOST_PODS, NodeNetwork
from netdoctor.facts.traffic.vantage import old_pods
from netdoctor.system.foreign_text import is_address
from netdoctor.system.host import Host
from netdoctor.tracing.end_names import end_name
from netdoctor.tracing.ends import Known
from netdoctor.twin.capture import capture
from netdoctor.twin.missing_programs import missing_in_words
from netdoctor.twin.state import State


def recorded(facts: Facts) -> Known:
    """From a recording. Raises CannotRead where it has no network state."""
    try:
        state = facts.get(NodeNetwork).state
    except CannotRead as error:
        raise CannotRead("recording", f"it has no network state to copy ({error.reason})", error.why) from error
    return _known(facts, state)


def live(facts: Facts, words: Iterable[str]) -> Known:
    """From this host; of many pods first those that `words` may mean. Makes no test pod. Raises CannotRead."""
    if not Host().is_root:
        raise CannotRead("network state", "only root may read it: run it with sudo", Why.NOT_PERMITTED)
    facts.prefetch([ClusterAddresses, Attachments, Services, Pods, ThisNode])
    cluster, services = facts.get(ClusterAddresses), _services(facts)
    meant = _parts(words)
    asked = meant | {service.cluster_ip for service in services if service.name in meant}
    behind = {end[0] for address, ends in cluster.services if address in asked for end in ends}

    def rank(item: tuple[str, tuple[str, str]]) -> int:
        name, (_, address) = item
        return _rank(name, address, meant, behind)

    ordered = sorted(_namespaces(facts).items(), key=rank)
    return _known(facts, capture(dict(ordered[:MOST_PODS]), [name for name, _ in ordered[MOST_PODS:]]))


def _parts(words: Iterable[str]) -> set[str]:
    """Namespaces, names and addresses in what the user has written."""
    found: set[str] = set()
    for word in words:
        name = end_name(word).name
        found |= {name} if is_address(name) else {*name.split("/"), *name.split(".")}
    return found - {""}


def _rank(pod: str, address: str, meant: set[str], behind: set[str]) -> int:
    """Where a pod stands in the order: first those that are meant, then those behind a Service that is."""
    bare = pod.partition("/")[2]
    if address in meant or any(bare.startswith(word) for word in meant):
        return 0
    return 1 if address in behind else 2


def _known(facts: Facts, state: State) -> Known:
    missing = missing_in_words(state)
    lacking = [missing] if missing else []
    try:
        facts.get(EndpointSlices)
    except CannotRead as error:
        lacking.append(f"endpoints on other nodes are not in the copy: {error}")
    return Known(state, facts.get(ClusterAddresses), _services(facts), _pods(facts), _node(facts), tuple(lacking))


def _namespaces(facts: Facts) -> dict[str, tuple[str, str]]:
    """This node's pods with path and address: as the CNI remembers them, else by a process of theirs."""
    host, node = facts.get(Host), _node(facts)
    attachments = facts.get(Attachments)
    found = {f"{a.namespace}/{a.pod}": (a.netns, a.addresses[0]) for a in attachments.pods if Path(a.netns).exists()}
    missing = tuple(
        pod
        for pod in _pods(facts)
        if pod.node == node and not pod.host_network and f"{pod.namespace}/{pod.name}" not in found
    )
    others = old_pods(host, Attachments(()), missing, node) if missing else []
    return found | {f"{point.namespace}/{point.pod}": (point.netns, point.address) for point in others}


def _pods(facts: Facts) -> tuple[Pod, ...]:
    try:
        return facts.get(Pods).items
    except CannotRead:
        return ()


def _services(facts: Facts) -> tuple[Service, ...]:
    try:
        return facts.get(Services).items
    except CannotRead:
        return ()


def _node(facts: Facts) -> str:
    try:
        return facts.get(ThisNode).name
    except CannotRead:
        return os.uname().nodename if facts.get(Host).live else ""
