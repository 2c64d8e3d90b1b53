"""What runs on the node, in versions and modes: of this machine, or of the one that a recording was made on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Nodes
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.recorded import Recorded
from netdoctor.values import Versions


def node_versions(known: Mapping[type, object], machine: Recorded | None) -> Versions:
    """All that these facts know, and what `machine` says of the system; None where nobody has written that down."""
    cni, proxy, firewalld = known.get(CniConfig), known.get(KubeProxy), known.get(Firewalld)
    kubernetes = _kubelet(known) or (machine.kubernetes if machine else "")
    return Versions(
        os=machine.os if machine else "",
        kernel=machine.kernel if machine else "",
        kubernetes=kubernetes.removeprefix("v"),
        cni=str(cni.plugins[0].get("type", "unknown")) if isinstance(cni, CniConfig) and cni.plugins else "",
        kube_proxy=proxy.mode if isinstance(proxy, KubeProxy) else "",
        firewalld=firewalld.version if isinstance(firewalld, Firewalld) and firewalld.running else "",
        nft=machine.nft if machine else "",
        iptables=_iptables(known.get(Iptables)),
    )


def in_words(versions: Versions) -> Iterator[str]:
    """Those that matter most to a person."""
    for title, version in (
        ("Kubernetes", versions.kubernetes),
        ("CNI", versions.cni),
        ("kube-proxy", versions.kube_proxy),
        ("firewalld", versions.firewalld),
    ):
        if version:
            yield f"{title} {version}"


def _kubelet(known: Mapping[type, object]) -> str:
    """The version of this node's kubelet, "" where it is not known."""
    this, nodes = known.get(ThisNode), known.get(Nodes)
    if not (isinstance(this, ThisNode) and isinstance(nodes, Nodes)):
        return ""
    return next((node.kubelet for node in nodes.items if node.name == this.name), "")


def _iptables(rules: object) -> str:
    """Whose rules of iptables there are: nf_tables, legacy, or both; "" where there are none."""
    if not isinstance(rules, Iptables):
        return ""
    there = {"nf_tables": rules.nft.chains, "legacy": rules.legacy.chains}
    return " and ".join(kind for kind, chains in there.items() if chains)
