"""A gateway ends again and again.

## What it checks
Whether a container of a gateway was restarted more than once and does not stay up, with which exit status it ended, and
what its log says last: a key, a config, a database URL that it refuses, too little memory, a migration that waits.

## Why it matters
The network may be fine, and repairing it does not help. Its clients get connection refused, or the answer of another
replica.

## When it is not a fault
A gateway that waits for Postgres, or whose login Postgres refuses, is named by the checks of Postgres. An end with a
message that netdoctor does not know is a warning.

## By hand
`kubectl -n NAMESPACE logs POD --previous`, with the pod's namespace and name.
"""

from collections.abc import Iterator

from netdoctor import Area, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.last_ends import LastEnd
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.gateway_ends import GatewayEnds
from netdoctor.facts.gateways.gateways import Modules, needed
from netdoctor.model import Confidence, Severity
from netdoctor.shell import command

NAME = "gateway-keeps-ending"
OUT_OF_MEMORY = "OOMKilled"


@probe(area=Area.GATEWAYS, healthy="the gateways stay up")
def gateway_keeps_ending(
    modules: Modules | CannotRead, ends: GatewayEnds | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Gateways that end because of themselves."""
    needed(modules)
    if isinstance(ends, CannotRead):
        raise ends
    seen = set()
    for end in ends.items:
        of_another = end.cause not in ("", NAME)
        if of_another or (end.program, end.means or end.said) in seen:
            continue
        seen.add((end.program, end.means or end.said))
        certain = end.kind == OUT_OF_MEMORY
        yield Finding(
            f"gateway {end.program} ends again and again: {_why(end)}",
            (end.evidence(),),
            Subject(this.name, end.namespace, end.pod),
            severity=Severity.ERROR if certain or end.cause else Severity.WARNING,
            confidence=Confidence.CONFIRMED if certain else Confidence.LIKELY,
            by_hand=command(
                "kubectl -n {} logs pod/{} --container={} --previous", end.namespace, end.pod, end.container
            ),
        )


def _why(end: LastEnd) -> str:
    if end.kind == OUT_OF_MEMORY:
        return f"its container {end.container} was killed because it needs more memory than its limit"
    return end.means or f"its container {end.container} {end.in_words}"
