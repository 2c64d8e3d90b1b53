"""Queries for IPv6 addresses (AAAA) fail, where those for IPv4 addresses (A) are answered.

## What it checks
The name of the Service `kubernetes`, and an outside name that no cache holds, asked of the cluster DNS for both kinds
of address by two pods: the test pod and an older one. What fails is asked twice, and has to fail for both pods.

## Why it matters
Programs ask for both kinds at once, also where nothing has an IPv6 address, and wait for both answers. Where one does
not come, each lookup takes five seconds and more, or fails. Where it is NXDOMAIN, the name does not exist at all for
programs built on musl (Alpine's) or behind systemd-resolved, whatever the other answer says. A rule `template` in the
Corefile that is to keep IPv6 away has to answer NOERROR without an address.

## When it is not a fault
An answer without an address (NOERROR) is what a cluster without IPv6 gives. Of outside names only silence counts: an
error may come from the name's own servers. Where an answer comes and is the wrong one, it is a warning: programs built
on glibc take the other one.

## By hand
`dig @CLUSTER_DNS NAME AAAA` from a pod, beside `dig @CLUSTER_DNS NAME A`; look for `template`, `acl` and `rewrite` in
the Corefile, and ask its upstreams the same.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.traffic.ipv6_names import BothLookups, Ipv6Names
from netdoctor.facts.traffic.names import OUTSIDE_NAME, SERVICE_NAME
from netdoctor.facts.traffic.vantage import pod_of
from netdoctor.model import Confidence
from netdoctor.shell import command

PLUGINS = ("template", "acl", "rewrite")  # of CoreDNS, by which one kind of query is answered in another way
WORDS = {SERVICE_NAME: "names of Services", OUTSIDE_NAME: "outside names"}


@probe(area=Area.DNS, healthy="queries for IPv6 addresses are answered as those for IPv4 are")
def ipv6_lookups_failing(names: Ipv6Names, corefile: Corefile | CannotRead, this: ThisNode) -> Iterator[Finding]:
    """One finding for each kind of name; where both fail the Service's tells enough."""
    if not names.lookups:
        raise NotApplicable("no pod could ask")
    for kind, words in WORDS.items():
        if failing := names.failing(kind):
            yield _finding(words, failing, corefile, this)
            return


def _finding(words: str, failing: tuple[BothLookups, ...], corefile: Corefile | CannotRead, this: ThisNode) -> Finding:
    first = failing[0]
    silent = first.is_silent
    end = "get no answer" if silent else f"end with {first.aaaa.answer}"
    text = "" if isinstance(corefile, CannotRead) else corefile.text
    plugins = [plugin for plugin in PLUGINS if plugin in text.split()]
    named = [Evidence("plugins in the Corefile", ", ".join(plugins), "none that answers AAAA")] if plugins else []
    return Finding(
        f"queries for IPv6 addresses (AAAA) of {words} {end}, and those for IPv4 addresses are answered: "
        + ("each lookup waits for both" if silent else "to some programs the names do not exist"),
        (*map(_evidence, failing[:2]), *named),
        Subject(node=this.name),
        Severity.ERROR if silent else Severity.WARNING,
        Confidence.CONFIRMED,
        by_hand=command("dig @{} {} AAAA", first.server, first.name),
    )


def _evidence(each: BothLookups) -> Evidence:
    pod, answer = pod_of(each.vantage), str(each.aaaa.answer)
    data = Values(pod=pod, address=each.server, port=53, protocol="udp", name=each.name, answer=answer)
    return Evidence(f"{each.vantage} -> {each.server}:53/udp {each.name} AAAA", str(each.aaaa), f"as A: {each.a}", data)
