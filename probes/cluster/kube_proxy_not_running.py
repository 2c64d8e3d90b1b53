"""kube-proxy does not run.

## What it checks
The cluster has kube-proxy's ConfigMap, its rules are on this node, no process has that name, and no process answers at
its metrics and healthz ports, as k3s and MicroK8s do. When its rules cannot be read (mode ipvs): its DaemonSet has a
pod on this node, and there is no process. A process that keeps ending counts as none.

## Why it matters
The rules that it left behind keep working, so nothing looks broken at first. But they are no longer updated: a replaced
pod keeps its old address there, and a new Service or NodePort gets no rule at all.

## When it is not a fault
Another program may have taken kube-proxy's place (Cilium, kube-router). Then delete kube-proxy's ConfigMap and rules.

## By hand
`kubectl -n kube-system get pods -o wide`, then read the log of the pod on this node that DaemonSet kube-proxy controls.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.last_ends import KUBE_PROXY, LastEnd, LastEnds
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.cluster.workloads import OFTEN, Pods
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import CLUSTER_IPS


@probe(area=Area.SERVICES, healthy="kube-proxy runs", explains=("kube-proxy-rules-missing", *CLUSTER_IPS))
def kube_proxy_not_running(
    kube_proxy: KubeProxy,
    translated: Translated,
    pods: Pods | CannotRead,
    ends: LastEnds | CannotRead,
    this: ThisNode,
) -> Iterator[Finding]:
    """Rules that are no longer kept up to date."""
    unread = f"kube-proxy's mode is {kube_proxy.mode or 'unknown'}: its rules are not read"
    if not translated.known and not kube_proxy.pod:
        raise NotApplicable(unread)
    if translated.known and not translated.ports:
        return  # without any rule it may be another program's cluster; kube-proxy-rules-missing tells
    ended = () if isinstance(ends, CannotRead) else ends.of(KUBE_PROXY)
    if _stays_up(kube_proxy, pods, ended):
        return
    gone = () if kube_proxy.running else (Evidence("/proc", "no process kube-proxy", "one"),)
    yield Finding(
        f"kube-proxy does not run on this node ({_trouble(kube_proxy, ended)}): new Services and pods are not reached",
        (*gone, *(end.evidence() for end in ended), _left_behind(kube_proxy, translated, unread)),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
        by_hand=_by_hand(kube_proxy.pod),
    )


def _stays_up(kube_proxy: KubeProxy, pods: Pods | CannotRead, ended: tuple[LastEnd, ...]) -> bool:
    """Whether it runs, also where its process is hidden from us, and not only for a moment between two ends."""
    if any(end.restarts >= OFTEN for end in ended):
        return False
    return kube_proxy.running or _pod_is_ready(kube_proxy, pods)


def _trouble(kube_proxy: KubeProxy, ended: tuple[LastEnd, ...]) -> str:
    """Why it does not run, as far as something says so."""
    if ended:
        return f"pod {kube_proxy.pod}, whose container {ended[0].in_words}"
    return kube_proxy.trouble or (f"pod {kube_proxy.pod}" if kube_proxy.pod else "it has no pod on this node")


def _left_behind(kube_proxy: KubeProxy, translated: Translated, unread: str) -> Evidence:
    """The rules that nobody keeps up to date; `unread` says why they are not known."""
    if not translated.known:
        data = Values(pod=kube_proxy.pod)
        return Evidence(f"pod {kube_proxy.pod}", unread, "a process that keeps them up to date", data)
    count = len(translated.ports)
    return Evidence(translated.source, f"{count} rules, left behind", "kept up to date", Values(count=count))


def _by_hand(pod: str) -> tuple[str, ...]:
    """Look at its pod, or at what should have made one."""
    if not pod:
        return command("kubectl -n kube-system describe daemonset/kube-proxy")
    namespace, _, name = pod.partition("/")
    return (
        *command("kubectl -n {} describe pod/{}", namespace, name),
        *command("kubectl -n {} logs pod/{} --tail=50", namespace, name),
    )


def _pod_is_ready(kube_proxy: KubeProxy, pods: Pods | CannotRead) -> bool:
    known = () if isinstance(pods, CannotRead) else pods.items
    return any(pod.ready and f"{pod.namespace}/{pod.name}" == kube_proxy.pod for pod in known)
