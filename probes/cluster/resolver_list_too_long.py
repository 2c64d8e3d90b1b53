"""A list of resolvers or search domains is longer than programs read.

## What it checks
The number of resolvers in the resolv.conf that the kubelet copies (`resolvConf` of its configuration; a file at an
unusual place is not opened), and the number of search domains that pods have.

## Why it matters
The kubelet and the C library take three resolvers: the fourth is never asked, also where it alone knows a zone. The
kubelet passes on 32 search domains; older C libraries (glibc before 2.26) read six, of which the cluster has three, and
never say so. Each domain more is a further question for every short name.

## When it is not a fault
It is a warning only: where the first three resolvers know every name, nothing fails.

## By hand
`grep resolvConf /var/lib/kubelet/config.yaml`; shorten that file, or give the kubelet another one, restart it and
recreate pods. A local resolver (dnsmasq, systemd-resolved) can ask more than three.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.kubelet_resolv_conf import KubeletResolvConf
from netdoctor.facts.traffic.vantage import VantagePoint, VantagePoints, pod_of
from netdoctor.model import Confidence
from netdoctor.shell import command

RESOLVERS = 3  # MAXNS of resolv.h, and the kubelet's own limit
DOMAINS = 6  # MAXDNSRCH of older C libraries
LOOK = "sudo grep resolvConf /var/lib/kubelet/config.yaml"


@probe(area=Area.DNS, healthy="lists of resolvers and search domains are short enough")
def resolver_list_too_long(file: KubeletResolvConf, points: VantagePoints, this: ThisNode) -> Iterator[Finding]:
    """What is beyond the limits."""
    if file.resolvers > RESOLVERS:
        yield _too_many_resolvers(file, this.name)
    longest = max(points.pods, key=lambda point: len(point.search), default=None)
    if longest and len(longest.search) > DOMAINS:
        yield _too_many_domains(longest, this.name)


def _too_many_resolvers(file: KubeletResolvConf, node: str) -> Finding:
    data = Values(file=file.path, count=file.resolvers, of=RESOLVERS)
    return Finding(
        f"{file.path}, which the kubelet copies into pods, names {file.resolvers} resolvers: those after the third are "
        "never asked",
        (Evidence(f"nameserver lines of {file.path}", str(file.resolvers), f"{RESOLVERS} at most", data),),
        Subject(node=node),
        severity=Severity.WARNING,
        confidence=Confidence.CONFIRMED,
        by_hand=command(LOOK),
    )


def _too_many_domains(point: VantagePoint, node: str) -> Finding:
    count = len(point.search)
    data = Values(pod=pod_of(point.name), count=count, of=DOMAINS)
    return Finding(
        f"pods search {count} domains: images with an old C library read the first {DOMAINS}, and every short name "
        f"costs up to {count} questions",
        (Evidence(f"search list of {point.name}", f"{count} domains", f"{DOMAINS} at most", data),),
        Subject(node=node),
        severity=Severity.WARNING,
        confidence=Confidence.LIKELY,
        by_hand=command(LOOK),
    )
