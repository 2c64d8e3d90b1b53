"""The node does not forward IPv4 packets.

## What it checks
`net.ipv4.ip_forward` is 1, read before any test pod exists: the CNI sets it to 1 with each pod that it adds.

## Why it matters
A node routes between its pods' bridge and its own interfaces. With forwarding off the kernel drops those packets
without a log line or an ICMP error: pods see time-outs to the outside and to every ClusterIP.

## When it is not a fault
When pods reach the outside anyway (each interface can forward on its own: `net.ipv4.conf.*.forwarding`).

## By hand
`sysctl -w net.ipv4.ip_forward=1`; to keep it, a file in /etc/sysctl.d that sorts last.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.sysctl import IP_FORWARD, SysctlFiles, Sysctls
from netdoctor.facts.traffic.names import UpstreamAnswers
from netdoctor.model import Confidence
from netdoctor.symptoms import CLUSTER_IPS, OUTSIDE


@probe(area=Area.NODE, healthy="IPv4 forwarding is on", explains=("packets-refused-by-routing", *OUTSIDE, *CLUSTER_IPS))
def ip_forward_disabled(
    sysctls: Sysctls, files: SysctlFiles, answers: UpstreamAnswers | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Forwarding is off, and no packet of a pod gets out."""
    if sysctls[IP_FORWARD] == "1":
        return
    lookups = () if isinstance(answers, CannotRead) else answers.from_pods()
    if any(lookup.reply.answered for lookup in lookups):
        return
    evidence = [sysctls.evidence(IP_FORWARD, expected="1")]
    if setting := files.setting(IP_FORWARD):
        evidence.append(_at_boot(*setting))
    evidence += [lookup.evidence("an answer") for lookup in lookups[:1]]
    yield Finding(
        f"{IP_FORWARD} is {sysctls[IP_FORWARD]}: the node drops all pod traffic that leaves the pods' own bridge",
        tuple(evidence),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED if lookups else Confidence.LIKELY,
    )


def _at_boot(file: str, value: str) -> Evidence:
    data = Values(file=file, setting=IP_FORWARD, value=value, expected="1")
    return Evidence(file, f"{IP_FORWARD} = {value}", f"{IP_FORWARD} = 1", data)
