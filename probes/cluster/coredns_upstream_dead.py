"""Upstream resolvers of CoreDNS do not answer.

## What it checks
Each upstream of the Corefile's forward lines for the root zone, one by one, over UDP and TCP, from the host itself. One
that does not answer the host is dead for every client: no rule on the path from pods is the cause. Resolvers of stub
domains are not tested: other names do not depend on them. CoreDNS with only IPv4 cannot use an IPv6 upstream. Where
CoreDNS has the upstreams from its own resolv.conf: whether the node's file, which the kubelet copies when it makes a
pod, has others now, as after a new DHCP lease, a VPN, or another network.

## Why it matters
CoreDNS waits two seconds for an upstream before it tries another. When all of them are dead, no outside name resolves;
when one of two is dead, some names are slow.

## By hand
`dig @UPSTREAM example.com`, then put a resolver that answers into the Corefile's `forward` line
(`kubectl -n kube-system edit configmap coredns`).
"""

from collections.abc import Iterable, Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import OWN_FILE, Corefile, Upstream, Upstreams
from netdoctor.facts.cluster.kubelet_resolvers import KubeletResolvers
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.traffic.names import UpstreamAnswers, UpstreamLookup, can_ask
from netdoctor.facts.traffic.vantage import HOST, VantagePoint, VantagePoints, pod_of
from netdoctor.model import Confidence
from netdoctor.shell import command

RESTART = "kubectl -n kube-system rollout restart deployment/coredns"
EDIT = "kubectl -n kube-system edit configmap coredns  # a resolver that answers, in place of: forward . {}"


@probe(area=Area.DNS, healthy="CoreDNS's upstream resolvers answer", explains=("outside-names-unresolved",))
def coredns_upstream_dead(
    corefile: Corefile,
    upstreams: Upstreams,
    answers: UpstreamAnswers,
    points: VantagePoints,
    firewalld: Firewalld | CannotRead,
    kubelet: KubeletResolvers | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """Upstreams that do not answer anything on this host."""
    if not upstreams.items:
        raise NotApplicable("the Corefile forwards to no address")
    dead = _dead(upstreams, answers)
    coredns = [point for point in points.pods if point.is_coredns]
    barred = _barred(upstreams, coredns, dead)
    none_left = len(dead) + len(barred) == len(upstreams.items)
    if not dead and not none_left:
        return
    said = []
    unanswered = _unanswered(dead, answers)
    evidence = [*map(_evidence, unanswered), _forward_line(upstreams), *_live_upstream(dead, answers)]
    if dead:
        said.append(_in_words(dead, upstreams))
    if none_left and barred:
        said.append(f"CoreDNS has no address to ask {_listed(barred)} from")
        evidence += [_own_address(point) for point in coredns]
    newer = _newer(dead, upstreams, kubelet)
    evidence += _nameservers(newer)
    outcome, about, severity = "are slow", _listed(dead), Severity.WARNING
    if none_left:
        outcome, about, severity = "do not resolve", "", Severity.ERROR
    yield Finding(
        f"{', and '.join(said)}: outside names {outcome}{_of_another_day(newer)}"
        f"{_clears_firewalld(firewalld, unanswered)}",
        tuple(evidence),
        Subject(node=this.name, upstream=about),
        severity=severity,
        confidence=Confidence.CONFIRMED,
        by_hand=_by_hand(newer, corefile),
    )


def _by_hand(newer: str, corefile: Corefile) -> tuple[str, ...]:
    """Give CoreDNS the node's resolvers, or others."""
    return command(RESTART) if newer else command(EDIT, corefile.forwards)


def _nameservers(newer: str) -> list[Evidence]:
    return [Evidence("nameservers of the node", newer, "the resolvers that CoreDNS has")] if newer else []


def _newer(dead: list[Upstream], upstreams: Upstreams, kubelet: KubeletResolvers | CannotRead) -> str:
    """The resolvers that the node has now, where the dead ones are of the file that CoreDNS got when it was made."""
    if isinstance(kubelet, CannotRead) or not upstreams.source.endswith(OWN_FILE) or kubelet.on_loopback:
        return ""
    has_changed = dead and not any(upstream.address in kubelet.nameservers for upstream in dead)
    return ", ".join(kubelet.nameservers) if has_changed else ""


def _of_another_day(newer: str) -> str:
    return f"; the node has {newer} now, and CoreDNS still has the list from when its pod was made" if newer else ""


def _dead(upstreams: Upstreams, answers: UpstreamAnswers) -> list[Upstream]:
    """The upstreams that were asked and did not answer. Raises CannotRead where none could be asked."""
    asked = {lookup.upstream for lookup in answers.lookups}
    if not asked:
        raise CannotRead("CoreDNS's upstreams", "on its own loopback, and CoreDNS is not on this node")
    silent = asked - answers.alive()
    return [upstream for upstream in upstreams.items if upstream in silent]


def _barred(upstreams: Upstreams, coredns: list[VantagePoint], dead: list[Upstream]) -> list[Upstream]:
    """The others that no CoreDNS on this node has an address to ask from."""
    if not coredns:
        return []
    others = [upstream for upstream in upstreams.items if upstream not in dead]
    return [upstream for upstream in others if not any(can_ask(point, upstream) for point in coredns)]


def _unanswered(dead: list[Upstream], answers: UpstreamAnswers) -> list[UpstreamLookup]:
    """The lookups that show an upstream dead: the host's, and CoreDNS's own where it is on its loopback."""
    of_dead = [lookup for lookup in answers.lookups if lookup.upstream in dead]
    return [lookup for lookup in of_dead if lookup.vantage == HOST or lookup.upstream.on_loopback]


def _live_upstream(dead: list[Upstream], answers: UpstreamAnswers) -> list[Evidence]:
    """One pod's question that another upstream answered, if there is one."""
    answered = [lookup for lookup in answers.from_pods() if lookup.upstream not in dead and lookup.reply.answered]
    return [_evidence(lookup) for lookup in answered[:1]]


def _evidence(lookup: UpstreamLookup) -> Evidence:
    return lookup.evidence("an answer")


def _own_address(coredns: VantagePoint) -> Evidence:
    data = Values(pod=pod_of(coredns.name), address=coredns.address)
    return Evidence(coredns.name, coredns.address, "an address of the upstream's family", data)


def _forward_line(upstreams: Upstreams) -> Evidence:
    targets = " ".join(str(upstream) for upstream in upstreams.items)
    return Evidence(upstreams.source, f"forward . {targets}", "resolvers that answer")


def _in_words(dead: list[Upstream], upstreams: Upstreams) -> str:
    count = len(upstreams.items)
    if count == 1:
        said = "CoreDNS's only upstream resolver does not answer"
    elif len(dead) == count:
        said = f"none of CoreDNS's {count} upstream resolvers answers"
    else:
        said = f"{len(dead)} of CoreDNS's {count} upstream resolvers {'does' if len(dead) == 1 else 'do'} not answer"
    return f"{said} ({_listed(dead)})"


def _clears_firewalld(firewalld: Firewalld | CannotRead, unanswered: list[UpstreamLookup]) -> str:
    """That a running firewalld is not the cause, where the host itself gets no answer; else ""."""
    if isinstance(firewalld, CannotRead) or not firewalld.running:
        return ""
    if not any(lookup.vantage == HOST for lookup in unanswered):
        return ""
    return "; firewalld is not the cause: queries from the host itself fail too"


def _listed(upstreams: Iterable[Upstream]) -> str:
    return ", ".join(str(upstream) for upstream in upstreams)
