"""A NetworkPolicy keeps the modules from what they need.

## What it checks
The NetworkPolicies of the cluster, with those in the modules' manifests in place of the ones of the same name:
whether pods with the modules' labels may ask the cluster DNS, reach Postgres and call their providers. It is read
from the objects; no packet proves it, because it is not known whether this cluster's CNI enforces policies (bridge and
older versions of kindnet do not).

## Why it matters
Without DNS a module finds neither Postgres nor its provider, and the time-outs look like a broken network.

## When it is not a fault
If only DNS over TCP is blocked, it is a warning: DNS over TCP is rarely needed.

## By hand
`kubectl -n litellm get networkpolicies -o yaml`; a rule for DNS names port 53 for UDP and TCP.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.gateways import Modules, needed
from netdoctor.facts.traffic.policy_answers import DNS, PolicyAnswer, PolicyAnswers
from netdoctor.model import Confidence
from netdoctor.shell import all_of, command

EXPLAINS = ("postgres-name-unresolved", "postgres-unreachable", "provider-name-unresolved", "provider-unreachable")


@probe(area=Area.GATEWAYS, healthy="NetworkPolicies let the gateways out", explains=EXPLAINS)
def policy_isolates_modules(modules: Modules | CannotRead, answers: PolicyAnswers | CannotRead) -> Iterator[Finding]:
    """Connections that the policies do not allow, together for the same policies."""
    known = needed(modules)
    if isinstance(answers, CannotRead):
        raise answers
    closed: dict[tuple[str, ...], list[PolicyAnswer]] = {}
    for answer in answers.items:
        if not answer.allowed:
            closed.setdefault(answer.policies, []).append(answer)
    for policies, kept in closed.items():
        names = ", ".join(dict.fromkeys(a.module for a in kept))
        targets = _targets(kept)
        plural = "NetworkPolicies" if len(policies) > 1 else "NetworkPolicy"
        harmless = all(a.target == DNS and a.protocol == "TCP" for a in kept)
        yield Finding(
            f"{plural} {', '.join(policies)} keeps {names} from {targets} (read from the objects; whether this cluster "
            "enforces policies is not known)",
            tuple(map(_evidence, kept[:5])),
            Subject(namespace=known.namespace),
            Severity.WARNING if harmless else Severity.ERROR,
            Confidence.LIKELY,
            by_hand=all_of(_by_hand(policy) for policy in policies),
        )


def _evidence(answer: PolicyAnswer) -> Evidence:
    asked = f"{answer.module} -> {answer.target}, {answer.protocol} {answer.port}"
    data = Values(port=answer.port, protocol=answer.protocol.lower())
    return Evidence(asked, f"no rule of {', '.join(answer.policies)}", "a rule that allows it", data)


def _targets(answers: list[PolicyAnswer]) -> str:
    return ", ".join(dict.fromkeys(f"{each.target} ({each.protocol} {each.port})" for each in answers))


def _by_hand(policy: str) -> tuple[str, ...]:
    namespace, _, name = policy.partition("/")
    return command("kubectl -n {} edit networkpolicy/{}", namespace, name)
