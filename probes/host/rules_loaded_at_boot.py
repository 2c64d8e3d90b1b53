"""The next boot loads packet filter rules that lose pod traffic.

## What it checks
The files that enabled units load at boot: `/etc/iptables/rules.v4` (netfilter-persistent), `/etc/sysconfig/iptables`
(iptables) and `nftables.conf` (nftables). Whether such a file holds rules of kube-proxy or the CNI, and whether a
forward chain in nftables.conf drops everything, names neither the pods' bridge nor their network, and is not loaded
yet.

## Why it matters
Somebody saved the rules of a running node. At boot they come back as they were that day: Services and hostPorts lead
to addresses of pods that are gone, and what the CNI wrote for those is never removed. A forward chain of a table
of its own drops pod traffic whatever other tables accept.

## When it is not a fault
It is a warning only: today's traffic is not affected. Rules of others that are saved, an open forward chain, and units
that are not enabled are nobody's business.

## By hand
`grep -c -E 'KUBE-|CNI-' /etc/iptables/rules.v4`; delete these lines of the file, and do not save the rules again while
the cluster runs. For nftables, accept the pods' bridge in the chain: `iifname "BRIDGE" accept` and `oifname "BRIDGE"`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.boot_rules import BootRules, SavedRules
from netdoctor.facts.node.cni import CniConfig
from netdoctor.model import Confidence
from netdoctor.shell import command

EDIT = {  # by the file: a recording names no other one
    "/etc/iptables/rules.v4": "sudo sed -i.bak -E '/KUBE-|CNI-/d' /etc/iptables/rules.v4",
    "/etc/sysconfig/iptables": "sudo sed -i.bak -E '/KUBE-|CNI-/d' /etc/sysconfig/iptables",
    "/etc/nftables.conf": "sudoedit /etc/nftables.conf  # accept iifname and oifname",
    "/etc/sysconfig/nftables.conf": "sudoedit /etc/sysconfig/nftables.conf  # accept iifname and oifname",
}


@probe(area=Area.NODE, healthy="the next boot loads no rules that lose pod traffic")
def rules_loaded_at_boot(rules: BootRules, cni: CniConfig, this: ThisNode) -> Iterator[Finding]:
    """Files with rules of the cluster, and those that drop pod traffic."""
    for saved in rules.saved:
        if saved.of_cluster and saved.path in EDIT:
            yield _comes_back(saved, this.name)
    for saved in rules.drops_later():
        if cni.bridge and saved.path in EDIT:
            yield _drops(saved, cni.bridge, this.name)


def _comes_back(saved: SavedRules, node: str) -> Finding:
    data = Values(file=saved.path, count=saved.of_cluster)
    return Finding(
        f"{saved.path}, which {saved.unit} loads at the next boot, holds {saved.of_cluster} rules of kube-proxy and "
        "the CNI as they were when it was saved: they lead Services and hostPorts to pods that are gone",
        (Evidence(saved.path, f"{saved.of_cluster} rules of kube-proxy and the CNI", "none of them", data),),
        Subject(node=node),
        severity=Severity.WARNING,
        confidence=Confidence.CONFIRMED,
        by_hand=command(EDIT[saved.path]),
    )


def _drops(saved: SavedRules, bridge: str, node: str) -> Finding:
    family, _, table = saved.drops_in.partition(" ")
    data = Values(file=saved.path, family=family, table=table, interface=bridge)
    return Finding(
        f"{saved.path}, which {saved.unit} loads at the next boot, drops forwarded packets in table {saved.drops_in} "
        f"and accepts none of bridge {bridge}: pods reach nothing beyond it then",
        (Evidence(f"forward chain of {saved.path}", "policy drop", f"rules that accept {bridge}", data),),
        Subject(node=node),
        severity=Severity.WARNING,
        confidence=Confidence.LIKELY,
        by_hand=command(f"{EDIT[saved.path]} {{}}", bridge),
    )
