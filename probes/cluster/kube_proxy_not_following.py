"""kube-proxy runs, and does not follow the cluster's changes.

## What it checks
The health check of a kube-proxy that runs (port 10256): whether it answers, and whether it says that changes have
waited for a minute. Where it is behind: which program holds `/run/xtables.lock`, for which kube-proxy waits where it
uses legacy iptables.

## Why it matters
The process is there and its rules stand, so everything that existed before works. A new Service gets no rule, a
replaced pod keeps its old address, and clients with an old UDP connection are never sent elsewhere.

## When it mends itself
When the program that holds the lock ends. A hanging process does not come back.

## When it is not a fault
When no health check listens, or the node is about to be deleted, which kube-proxy says with the same status.

## By hand
`curl -i http://127.0.0.1:10256/healthz`; its log (`Sync failed`, `xtables lock`); `fuser -v /run/xtables.lock`; then
delete its pod.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.kube_proxy_health import Health, KubeProxyHealth
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_IPS

EXPLAINED = ("connection-to-gone-endpoint", "kube-proxy-rules-missing", "kube-proxy-rules-stale", *CLUSTER_IPS)


@probe(area=Area.SERVICES, healthy="kube-proxy follows the cluster's changes", explains=EXPLAINED)
def kube_proxy_not_following(health: KubeProxyHealth, kube_proxy: KubeProxy, this: ThisNode) -> Iterator[Finding]:
    """It is silent, or says that it is behind."""
    if health.health is Health.UNKNOWN:
        raise NotApplicable("no health check of kube-proxy listens here")
    if health.health is Health.FOLLOWS:
        return
    said = "does not answer its health check"
    if health.health is Health.BEHIND:
        said = f"says that changes since {health.since} wait"
    waits = f", and {health.holder} holds the lock of iptables" if health.holder else ""
    lock = (Evidence("/run/xtables.lock", f"held by {health.holder}", "free"),) if health.holder else ()
    yield Finding(
        f"kube-proxy runs and {said}{waits}: new Services and pods are not reached",
        (
            Evidence("http://127.0.0.1:10256/healthz", str(health.health), "changes are followed",
                     Values(pod=kube_proxy.pod, address="127.0.0.1", port=10256, answer=str(health.health))),
            *lock,
        ),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
        by_hand=_by_hand(health.holder, kube_proxy.pod),
    )  # fmt: skip


def _by_hand(holder: str, pod: str) -> tuple[str, ...]:
    """Who holds the lock, or a new process."""
    if holder:
        return command("sudo fuser -v /run/xtables.lock")
    namespace, _, name = pod.partition("/")
    return command("kubectl -n {} delete {}", namespace, f"pod/{name}") if name else ()
