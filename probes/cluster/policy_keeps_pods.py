"""A NetworkPolicy keeps pods from the cluster DNS or from Postgres.

## What it checks
Where queries or connections of tested pods get no answer: whether the NetworkPolicies that select these pods, or the
pods behind the Service, allow them. A policy sees a pod's address and port: those of a Service are translated before.

## Why it matters
A policy that denies all egress also denies the DNS. Programs then report that a database cannot be found, in one
namespace, while the others work; CoreDNS and the network are right.

## When it is not a fault
Where the connections work: nothing is said about policies that forbid nothing that was seen to fail, or that nobody
enforces. Where a pod that the policies allow fails too, they are not the cause. A policy that keeps pods of other
namespaces from Postgres is there for that, and so is one that lets some pods of a namespace in and others not. What
else policies forbid (the outside, other pods, the node) is not a fault either.

## By hand
`kubectl -n NAMESPACE get networkpolicies -o yaml`; a rule for DNS names port 53 for UDP and TCP, and selects CoreDNS's
pods: the Service's address in an `ipBlock` does not match.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.kept_pods import KeptPod, KeptPods
from netdoctor.facts.traffic.vantage import pod_of
from netdoctor.model import Confidence, NotApplicable
from netdoctor.shell import all_of, command
from netdoctor.symptoms import POD_TRAFFIC

OF_ITS_ENGINE = ("packets-dropped-by-rule", "found-by-experiment", "packets-taken-by-program")


@probe(area=Area.PODS, healthy="NetworkPolicies let pods ask", explains=(*OF_ITS_ENGINE, *POD_TRAFFIC))
def policy_keeps_pods(kept: KeptPods | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """Failed connections to a Service, all of which policies forbid."""
    if isinstance(kept, CannotRead):
        if kept.why in (Why.NOT_RECORDED, Why.NO_MODULES):  # older recordings
            raise NotApplicable("the NetworkPolicies were not recorded")
        raise kept
    by_service: dict[str, list[KeptPod]] = {}
    for each in kept.items:
        by_service.setdefault(each.service, []).append(each)
    by_policies: dict[tuple[str, ...], list[KeptPod]] = {}
    for failed in by_service.values():
        if all(each.policies for each in failed):
            policies = tuple(dict.fromkeys(name for each in failed for name in each.policies))
            by_policies.setdefault(policies, []).extend(failed)
    for policies, failed in by_policies.items():
        yield _finding(policies, failed, this.name)


def _finding(policies: tuple[str, ...], failed: list[KeptPod], node: str) -> Finding:
    """One for all pods, and for all Services, from which the same policies keep them."""
    pods = ", ".join(list(dict.fromkeys(each.vantage for each in failed))[:3])
    services = list(dict.fromkeys(each.service for each in failed))
    plural, keeps = ("NetworkPolicies", "keep") if len(policies) > 1 else ("NetworkPolicy", "keeps")
    return Finding(
        f"{plural} {', '.join(policies[:4])} {keeps} {pods} from Service{'s' if len(services) > 1 else ''} "
        f"{', '.join(services)}",
        tuple(_evidence(each) for each in failed[:3]),
        Subject(node=node),
        confidence=Confidence.LIKELY,
        by_hand=all_of(_by_hand(policy) for policy in policies[:4]),
    )


def _evidence(each: KeptPod) -> Evidence:
    protocol = each.protocol.lower()
    return Evidence(
        f"{each.vantage} -> Service {each.service}, {each.port}/{protocol}",
        f"{each.reply}; no rule of {', '.join(each.policies)} allows it",
        "an answer",
        Values(pod=pod_of(each.vantage), service=each.service, port=each.port, protocol=protocol),
    )


def _by_hand(policy: str) -> tuple[str, ...]:
    namespace, _, name = policy.partition("/")
    return command("kubectl -n {} edit networkpolicy/{}", namespace, name)
