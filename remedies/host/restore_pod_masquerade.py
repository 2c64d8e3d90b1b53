"""Restore the CNI's masquerade rules of running pods.

## What it does
For each pod that has lost them, writes the rules that the CNI's bridge plugin wrote when it connected the pod: a chain
`CNI-...` in table nat and the jump to it from POSTROUTING. They are identical, so the plugin removes them with the
pod. Then it deletes these pods' tracked connections to the outside that are not masqueraded: they would stay
unmasqueraded, because CoreDNS keeps its sockets open.

## What it costs
Nothing restarts. Tracked connections to the outside that could no longer work are deleted.

## By hand
Recreate the pods, in this order: wait until kube-proxy's rules are there (`iptables-save -t nat`, KUBE-SERVICES), then
CoreDNS, then every other pod that is not on the host's network. A CoreDNS created before the rules are there hangs on
an untranslated connection to the API server for 30 s and more.

## Undo
Deletes these rules and chains, and no others; a chain that existed and was empty is left empty.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes.masquerade import RestoreMasquerade
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.node.masquerade import Masquerade
from netdoctor.model import Access
from netdoctor.system.foreign_text import to_address, to_network


@remedy(fixes="pod-masquerade-missing", opens=(Access.POD_TO_OUTSIDE,))
def restore_pod_masquerade(
    findings: tuple[Finding, ...],  # noqa: ARG001 - every pod that has lost it
    cni: CniConfig,
    attachments: Attachments,
    masquerade: Masquerade,
    iptables: Iptables,
) -> Iterator[Change]:
    """One change for all pods."""
    bridge = cni.plugin("bridge") or {}
    if bridge.get("ipMasqBackend", "iptables") != "iptables":
        raise NotApplicable(f"{cni.path} masquerades with {bridge['ipMasqBackend']}: recreate the pods")
    if not cni.pod_network:
        raise NotApplicable(f"{cni.path} does not say which network its pods are in: recreate them")
    network = to_network(cni.pod_network)
    lost = {pod.address for pod in masquerade.missing}
    pods = [
        (f"{a.namespace}/{a.pod}", a.network, a.container_id, a.addresses[0], str(network))
        for a in attachments.pods
        if a.addresses[0] in lost and network.version == 4 and to_address(a.addresses[0]) in network
    ]
    change = RestoreMasquerade.planned(pods, iptables.nft)
    if change.pods:
        yield change
