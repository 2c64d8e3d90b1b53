"""firewalld's direct rules make each reload wipe the rules of kube-proxy and the CNI.

## What it checks
Whether firewalld has direct rules, chains or passthroughs while kube-proxy's or the CNI's iptables rules are missing.

## Why it matters
Direct rules live in iptables' own tables. To put them in place firewalld flushes these tables, at the first direct rule
and at every reload. kube-proxy's rules are back after half a minute; the masquerade rule that the CNI wrote once for
each pod never comes back. Common advice (`--direct --add-rule ipv4 filter OUTPUT 0 -p udp --dport 53 -j ACCEPT`) does
not help pods at all, because their packets are forwarded and never pass OUTPUT.

## When it is not a fault
When all of kube-proxy's and the CNI's rules are in place despite the direct rules.

## By hand
`firewall-cmd --permanent --direct --get-all-rules`, then the same with `--remove-rule ...`. No `--reload`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.node.masquerade import Masquerade
from netdoctor.model import Confidence


@probe(
    area=Area.NODE,
    healthy="firewalld has no direct rules",
    explains=("kube-proxy-rules-missing", "pod-masquerade-missing"),
)
def direct_rules_flush_iptables(
    firewalld: Firewalld,
    iptables: Iptables,
    kube_proxy: KubeProxy | CannotRead,
    cni: CniConfig,
    attachments: Attachments,
    masquerade: Masquerade,
    this: ThisNode,
) -> Iterator[Finding]:
    """Direct rules exist, and rules that do not survive them are gone."""
    if not firewalld.running:
        raise NotApplicable("firewalld does not run")
    direct = tuple(dict.fromkeys((*firewalld.permanent_direct, *firewalld.direct)))
    if not direct:
        return
    gone = _chain_gone(kube_proxy, iptables) + _masquerade_gone(masquerade, attachments, cni)
    if not gone:
        return
    where = "/etc/firewalld/direct.xml" if firewalld.permanent_direct else "firewalld, at run time"
    told = "; ".join(direct[:4]) + (" ..." if len(direct) > 4 else "")
    file = where if firewalld.permanent_direct else ""
    listed = Evidence(where, told, "no direct rule", Values(file=file, count=len(direct)))
    rules = "direct rule makes" if len(direct) == 1 else f"{len(direct)} direct rules make"
    yield Finding(
        f"firewalld's {rules} each reload flush iptables, and the rules of kube-proxy and the CNI with it",
        (listed, *gone),
        Subject(node=this.name),
        since=firewalld.direct_since if firewalld.permanent_direct else "",
        confidence=Confidence.CONFIRMED,
    )


def _chain_gone(kube_proxy: KubeProxy | CannotRead, iptables: Iptables) -> list[Evidence]:
    """That kube-proxy's chain is not there, where its mode wants one."""
    if isinstance(kube_proxy, CannotRead) or kube_proxy.mode != "iptables":
        return []
    if any(rules.has_chain("nat", "KUBE-SERVICES") for rules in (iptables.nft, iptables.legacy)):
        return []
    data = Values(table="nat", chain="KUBE-SERVICES")
    return [Evidence("iptables nat", "no chain KUBE-SERVICES", "kube-proxy's chain", data)]


def _masquerade_gone(masquerade: Masquerade, attachments: Attachments, cni: CniConfig) -> list[Evidence]:
    """That pods have no masquerade, where the CNI has written one for each."""
    if not masquerade.missing:
        return []
    first, lost, pods = masquerade.missing[0], len(masquerade.missing), len(attachments.pods)
    return [
        Evidence(
            "iptables nat POSTROUTING",
            f"no rule for {lost} of {pods} pods, such as {first.address}",
            f"a masquerade for each pod ({cni.path}: ipMasq)",
            Values(table="nat", chain="POSTROUTING", count=lost, of=pods),
        )
    ]
