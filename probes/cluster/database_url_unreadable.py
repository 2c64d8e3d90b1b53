"""The URL of a database cannot be taken apart.

## What it checks
`DATABASE_URL` of the modules and of this node's pods: whether it can be read as a URL, with a host and a port. What
stands in it is neither shown nor kept.

## Why it matters
In a URL the characters `#`, `/`, `?`, `[`, `]` and `@` end a part of it. A password that holds one of them, as it
stands, moves the rest: clients report an invalid port or host (Prisma: P1013), and never connect.

## When it is not a fault
A password in which they are percent-encoded: `%23` is `#`, `%2F` is `/`, `%40` is `@`.

## By hand
Encode the password where the URL is written: `python3 -c 'import urllib.parse as u; print(u.quote(input(), ""))'`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.gateways.gateways import Gateway, Modules, needed
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments, where_to_edit
from netdoctor.facts.gateways.scope import Scope
from netdoctor.model import Confidence
from netdoctor.shell import command

VARIABLE = "DATABASE_URL"


@probe(area=Area.POSTGRES, healthy="the URLs of databases can be read")
def database_url_unreadable(
    environments: PodEnvironments | CannotRead, modules: Modules | CannotRead, scope: Scope
) -> Iterator[Finding]:
    """URLs of databases that are none: of modules, and of pods that are not theirs."""
    if scope.modules_only:
        needed(modules)
    gateways = () if isinstance(modules, CannotRead) else modules.gateways
    if isinstance(environments, CannotRead) and not gateways:
        raise environments
    broken = [gateway for gateway in gateways if gateway.database_problem]
    yield from map(_of_gateway, broken)
    told = tuple(f"{gateway.workload.partition('/')[2]}-" for gateway in broken)
    others = () if isinstance(environments, CannotRead) or scope.modules_only else environments.items
    for environment in others:
        if not environment.pod.startswith(told):
            yield from _of_pod(environment)


def _of_gateway(gateway: Gateway) -> Finding:
    edit = command("kubectl -n {} edit {}  # or the Secret that it names", gateway.namespace, gateway.workload)
    whose = f"{gateway.workload} in namespace {gateway.namespace}"
    return _finding(whose, gateway.database_problem, Subject(namespace=gateway.namespace), edit)


def _of_pod(environment: PodEnvironment) -> Iterator[Finding]:
    subject = Subject(namespace=environment.namespace, pod=environment.pod)
    for named in environment.hosts:
        if named.problem:
            yield _finding(f"pod {environment}", named.problem, subject, where_to_edit(environment))


def _finding(whose: str, problem: str, subject: Subject, by_hand: tuple[str, ...]) -> Finding:
    shown = Evidence(f"{VARIABLE} of {whose}", problem, "a URL with a host", Values(pod=subject.pod))
    return Finding(
        f"{VARIABLE} of {whose} cannot be read as a URL: {problem}",
        (shown,),
        subject,
        confidence=Confidence.CONFIRMED,
        by_hand=by_hand,
    )
