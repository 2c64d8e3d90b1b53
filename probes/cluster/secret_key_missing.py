"""A value that the modules take from a Secret is missing.

## What it checks
Every required Secret key that a workload of the modules names exists and is not empty. Only that is checked; no value
is kept or shown.

## Why it matters
A pod whose key is missing stays in CreateContainerConfigError. With an empty master key LiteLLM refuses to start;
with an empty provider key every call ends in an error.

## By hand
`kubectl -n litellm get secret NAME -o jsonpath='{.data}' | tr ',' '\\n' | cut -d: -f1`; the values come from
k8s/.env.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.gateways import Modules, SecretKey, needed
from netdoctor.model import Confidence
from netdoctor.shell import command


@probe(
    area=Area.GATEWAYS,
    healthy="the required keys of Secrets exist",
)
def secret_key_missing(modules: Modules | CannotRead) -> Iterator[Finding]:
    """Keys that are missing or empty."""
    known = needed(modules)
    keys = [s for s in known.secrets if not s.optional]
    lost = [s for s in keys if s.state in ("missing", "empty")]
    unread = [s for s in keys if s.state not in ("there", "missing", "empty")]
    if unread and not lost:
        raise CannotRead(str(unread[0]), unread[0].state)
    if lost:
        more = f", and {len(lost) - 1} more keys that the modules need are missing" if len(lost) > 1 else ""
        yield Finding(
            f"{lost[0]} is {lost[0].state}{more}",
            tuple(Evidence(str(s), s.state, "a value") for s in lost[:8]),
            Subject(namespace=known.namespace),
            confidence=Confidence.CONFIRMED,
            by_hand=_by_hand(lost[:3]),
        )


def _by_hand(keys: list[SecretKey]) -> tuple[str, ...]:
    """Add them where their Secrets are; the file that the values come from is not on every node."""
    edit = "kubectl -n {} edit secret/{}  # data: {}"
    return tuple(line for key in keys for line in command(edit, key.namespace, key.secret, key.key))
