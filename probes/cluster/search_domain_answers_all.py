"""A search domain has an address for every name.

## What it checks
The domains that pods search beside the cluster's, which the kubelet takes from the node's resolv.conf: whether a name
that nobody has, with such a domain behind it, has an address.

## Why it matters
Pods have `ndots:5`: a name with fewer dots is first looked up in each search domain. Where one of them has a wildcard
record, every outside name ends there: programs connect to the company's web server instead, and report a certificate of
another host. On the node, which looks the name itself up first, all is well.

## When it is not a fault
Where a domain does not answer, or says that the name does not exist. Pods with `ndots:1` of their own are not affected.

## By hand
`dig anything.example.com.DOMAIN`; remove the domain from the file that the kubelet copies (`resolvConf`), restart it
and recreate pods, or have CoreDNS say NXDOMAIN for it: `template IN ANY DOMAIN { rcode NXDOMAIN }`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.searched_names import SearchedName, SearchedNames
from netdoctor.facts.traffic.vantage import pod_of
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.symptoms import PROVIDERS


@probe(area=Area.DNS, healthy="search domains do not answer for every name", explains=PROVIDERS)
def search_domain_answers_all(names: SearchedNames, this: ThisNode) -> Iterator[Finding]:
    """Domains in which a name exists that nobody has made."""
    found = [each for each in names.items if each.exists]
    if not found:
        return
    domains = ", ".join(each.domain for each in found)
    yield Finding(
        f"pods look outside names up in {domains} first, which has an address for every name: example.com becomes "
        f"{found[0].reply.detail}",
        tuple(map(_evidence, found)),
        Subject(node=this.name),
        confidence=Confidence.CONFIRMED,
        by_hand=command("dig @{} {}", found[0].server, found[0].name),
    )


def _evidence(each: SearchedName) -> Evidence:
    data = Values(pod=pod_of(each.vantage), address=each.server, port=53, protocol="udp", name=each.name,
                  answer=str(each.reply.answer))  # fmt: skip
    return Evidence(f"{each.vantage} -> {each.server}:53/udp {each.name}", each.reply.detail, "NXDOMAIN", data)
