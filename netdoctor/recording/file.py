"""Facts in a file: what a user attaches to an issue, and what `check --facts` judges without the machine.

A recording holds every fact that was read, as JSON by the fact's name, or why it could not be read. Secrets are not
facts, and every text passes the redaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.experiment import experiment
from netdoctor.errors import BadInput, BadRecording, CannotRead, Why
from netdoctor.facts import Facts, StrangeFacts, parameters
from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.this_node import NotANode, ThisNode
from netdoctor.facts.cluster.workloads import Nodes, Pods
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.recorded import Recorded
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.recording import unread
from netdoctor.recording.forms import wrong
from netdoctor.recording.named_file import read_recording
from netdoctor.recording.outside_names import outside_names
from netdoctor.recording.parts import judged_labels, needed
from netdoctor.redact_data import plain
from netdoctor.system.foreign_gzip import unpacked
from netdoctor.system.foreign_json import LARGEST, decode
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi
from netdoctor.twin.redaction import redact_recording

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA_VERSION = 1
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
CLUSTER_DOMAIN = "cluster.local"  # kubeadm's and minikube's own
OF_A_REPORT = {"results", "diagnoses", "causes", "findings", "verdict"}


def to_json(facts: Facts) -> str:
    """Everything that was read, as JSON: no secret in it, and nothing that tells whose node it is."""
    stored: dict[str, Any] = {}
    network: NodeNetwork | None = None
    known = facts.known()
    labels = judged_labels(known)
    for kind, value in known.items():
        if isinstance(value, CannotRead):
            if value.why not in (Why.NOT_RECORDED, Why.OLDER):
                stored[kind.__name__] = {"cannot_read": unread.stored(value)}
        elif isinstance(value, NodeNetwork):
            network = value
        elif is_dataclass(value) and not isinstance(value, type) and _is_read(kind):
            stored[kind.__name__] = {"fact": asdict(needed(value, labels))}
        elif isinstance(value, KubeApi):
            stored[kind.__name__] = {"answered": {"server": value.server, "version": value.version}}
    stored["recorded"] = asdict(_origin(known))
    state = network.state if network else None
    told, state = redact_recording(plain(stored), state, *_names(known), outside_names(known), _domain(known))
    head = {"schema_version": SCHEMA_VERSION, "recorded": told.pop("recorded")}
    if state:
        told[NodeNetwork.__name__] = {"fact": plain(NodeNetwork(state).recorded())}
    return json.dumps({**head, "facts": told}, indent=1, ensure_ascii=False)


def _origin(known: Mapping[type, object]) -> Recorded:
    """When and where the facts were read: here and now, unless they come from a recording."""
    recorded, api = known.get(Recorded), known.get(KubeApi)
    if isinstance(recorded, Recorded):
        return recorded
    return Recorded.here(Host(), api.version if isinstance(api, KubeApi) else "")


def _is_read(kind: type) -> bool:
    return hasattr(kind, "collect") or getattr(kind, "derived", False)


def _names(known: Mapping[type, object]) -> tuple[set[str], set[str]]:
    """The nodes' names, which are replaced, and those of namespaces, Services and pods, which are not."""
    keep = {"node", "host", "localhost"}
    for listed in (known.get(Pods), known.get(Services)):
        for item in listed.items if isinstance(listed, (Pods, Services)) else ():
            keep |= {item.name, item.namespace}
    return _node_names(known) | _domains_of_nodes(known), keep


def _node_names(known: Mapping[type, object]) -> set[str]:
    """What the cluster's nodes are called, and this machine where it is not one of them."""
    hosts: set[str] = set()
    this, nodes = known.get(ThisNode), known.get(Nodes)
    if isinstance(this, ThisNode):
        hosts.add(this.name)
    if isinstance(nodes, Nodes):
        hosts |= {node.name for node in nodes.items}
    if isinstance(this, NotANode):
        hosts.add(this.machine)
    return hosts


def _domains_of_nodes(known: Mapping[type, object]) -> set[str]:
    """The domains that pods search, and CoreDNS answers for, and that are not the cluster's own."""
    points, attachments = known.get(VantagePoints), known.get(Attachments)
    searched = [p.search for p in points.points] if isinstance(points, VantagePoints) else []
    searched += [p.search for p in attachments.pods] if isinstance(attachments, Attachments) else []
    found = {domain for search in searched for domain in search if not _of_the_cluster(domain, search)}
    corefile = known.get(Corefile)
    zones = corefile.zones if isinstance(corefile, Corefile) else ()
    return found | {zone for zone in zones if zone not in (".", CLUSTER_DOMAIN, _domain(known))}


def _domain(known: Mapping[type, object]) -> str:
    """The cluster's domain, from the search list that the kubelet wrote for a pod."""
    points = known.get(VantagePoints)
    searched = [domain for p in points.points for domain in p.search] if isinstance(points, VantagePoints) else []
    return next((domain.removeprefix("svc.").rstrip(".") for domain in searched if domain.startswith("svc.")), "")


def _of_the_cluster(domain: str, search: tuple[str, ...]) -> bool:
    """Whether a search domain is the cluster's own, and not the node's."""
    cluster = next((s.removeprefix("svc.") for s in search if s.startswith("svc.")), CLUSTER_DOMAIN)
    return domain == cluster or domain.endswith(f".{cluster}")


def from_file(path: str, catalogue: Catalogue) -> Facts:
    """The facts of the recording that the user named. Raises BadInput with one sentence, which says what file it is."""
    data = read_recording(path)
    try:
        return from_json(data, catalogue)
    except BadRecording as error:
        raise error.named(path) from error


def from_json(text: str | bytes, catalogue: Catalogue) -> Facts:
    """The facts of a recording, also of a packed one; what it does not hold cannot be read.

    Raises BadRecording with one sentence.
    """
    try:
        return _facts(text, catalogue)
    except BadInput as error:
        raise BadRecording(str(error)) from error


def _facts(text: str | bytes, catalogue: Catalogue) -> Facts:
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    recording = decode(unpacked(data, LARGEST))
    stored = _stored(recording)
    head = _recorded(recording["recorded"]) if "recorded" in recording else None
    strange = sorted(stored.keys() - {kind.__name__ for kind in recordable(catalogue)})
    if len(strange) == len(stored):
        raise BadInput("a recording without any fact that this netdoctor knows: record the node again")
    kinds = {kind.__name__: kind for kind in wanted(catalogue)}
    given = _given(stored, kinds)
    if NodeNetwork in given:  # then what was worked out is worked out anew
        given = {kind: value for kind, value in given.items() if not getattr(kind, "derived", False)}
    if head:
        given[Recorded] = head
    return Facts(given, live=False, context=(StrangeFacts(tuple(strange)),))


def _given(stored: dict[str, Any], kinds: dict[str, type]) -> dict[type, object]:
    """The facts of these kinds that are stored, without commands that a stranger would have somebody type.

    What an older netdoctor has worded otherwise is reworded.
    """
    given = {kinds[name]: _value(kinds[name], name, entry) for name, entry in stored.items() if name in kinds}
    tried = given.get(Experiments)
    if isinstance(tried, Experiments):
        given[Experiments] = tried.without_commands()
    points = given.get(VantagePoints)
    if isinstance(points, VantagePoints):
        given[VantagePoints] = points.reworded()
    return given


def _stored(recording: Any) -> dict[str, Any]:
    """The facts that a recording has stored, by their names. Raises BadInput for what is not of this version."""
    if not isinstance(recording, dict):
        raise BadInput("not a netdoctor recording: the top level is not an object")
    if "facts" not in recording and OF_A_REPORT & recording.keys():
        raise BadInput("this is a report, not a recording: netdoctor record FILE makes a recording")
    if lacking := [key for key in ("schema_version", "facts") if key not in recording]:
        raise BadInput(f"not a netdoctor recording: it has no {lacking[0]!r}")
    version, stored = recording["schema_version"], recording["facts"]
    if not isinstance(stored, dict):
        raise BadInput("not a netdoctor recording: its facts are not an object")
    if version != SCHEMA_VERSION:
        raise BadInput(f"a recording of version {version!r:.20}; this netdoctor reads version {SCHEMA_VERSION}")
    return stored


def _recorded(entry: Any) -> Recorded:
    """The head of a recording. Raises BadInput."""
    from pydantic import ValidationError

    try:
        head: Recorded = validator(Recorded).validate_python(entry)
    except ValidationError as error:
        raise BadInput(f"the recording is damaged: recorded: {error.errors()[0]['msg']}") from error
    if not TIME.fullmatch(head.at):
        raise BadInput("the recording is damaged: recorded.at is not a time such as 2026-01-31T12:00:00Z")
    return head


def wanted(catalogue: Catalogue) -> Iterator[type]:
    """Every kind of fact that a probe or a remedy asks for, and what those are worked out of."""
    return _closure(catalogue, lambda kind: getattr(kind, "derived", False))


def recordable(catalogue: Catalogue) -> Iterator[type]:
    """The same, and what those are collected from on a node: all that a recording of this version may hold."""
    return _closure(catalogue, lambda _: True)


def _closure(catalogue: Catalogue, goes_on: Callable[[type], bool]) -> Iterator[type]:
    """What is asked for, and what that asks for in turn, where `goes_on` says so of its kind."""
    waiting = [want.kind for probe in catalogue.probes.values() for want in parameters(probe.run)]
    waiting += [want.kind for remedy in catalogue.remedies.values() for want in parameters(remedy.plan, skip=1)]
    seen: dict[type, None] = {}
    while waiting:
        kind = waiting.pop(0)
        if kind not in seen:
            seen[kind] = None
            collect = getattr(kind, "collect", None)
            if kind is Experiments:
                waiting += [want.kind for want in parameters(experiment, skip=2)]
            elif collect and goes_on(kind):
                waiting += [want.kind for want in parameters(collect)]
    return iter(seen)


@cache
def validator(kind: type) -> TypeAdapter[Any]:
    """What makes a fact of this kind of its JSON."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _value(kind: type, name: str, entry: Any) -> object:
    from pydantic import ValidationError

    try:
        if "cannot_read" in entry:
            return unread.replayed(entry["cannot_read"])
        if kind is KubeApi:
            return _Answered(str(entry["answered"]["server"]), str(entry["answered"]["version"]))
        if kind is NodeNetwork:
            return NodeNetwork.replayed(entry["fact"])
        fact = validator(kind).validate_python(entry["fact"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([name, *(str(part) for part in first["loc"])])
        where = "".join(letter for letter in where[:120] if letter.isprintable())
        raise BadInput(f"the recording is damaged: {where}: {first['msg']}") from error
    except (KeyError, TypeError) as error:
        raise BadInput(f"the recording is damaged: {name} has no fact in it") from error
    if reason := next(wrong(fact, name), ""):
        raise BadInput(f"the recording is damaged: {reason}")
    return fact


class _Answered(KubeApi):
    """An API server that answered when the recording was made."""

    def __init__(self, server: str, version: str) -> None:
        self.server, self.version = server, version
