"""Which pods have lost the masquerade that the CNI's bridge plugin wrote for them."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import partial

from netdoctor.errors import CannotRead
from netdoctor.facts.node.cni import Attachment, Attachments, CniConfig
from netdoctor.facts.node.iptables import Iptables, masquerade_sources
from netdoctor.system.foreign_text import to_address, to_network
from netdoctor.system.traffic import in_namespace


@dataclass(frozen=True, slots=True)
class Unmasqueraded:
    """A pod whose address no rule masquerades."""

    namespace: str
    pod: str
    address: str


@dataclass(frozen=True, slots=True)
class Masquerade:
    """masquerade of pods"""

    wanted: bool  # whether the CNI writes a masquerade rule for each pod at all
    missing: tuple[Unmasqueraded, ...]

    @classmethod
    def collect(cls, cni: CniConfig, attachments: Attachments, iptables: Iptables | CannotRead) -> Masquerade:
        """Compare the connected pods with the rules; a rule for a whole prefix counts for every pod in it.

        A pod that is leaving has lost nothing: the bridge plugin removes the interface, then the rule, and libcni
        forgets the pod last (containernetworking/plugins, plugins/main/bridge, cmdDel).
        """
        if not cni.masquerades:
            return cls(False, ())
        if isinstance(iptables, CannotRead):
            raise iptables
        sources = masquerade_sources(iptables.nft) | masquerade_sources(iptables.legacy)
        missing = tuple(
            Unmasqueraded(a.namespace, a.pod, a.addresses[0])
            for a in attachments.pods
            if a.network == cni.name and not covered(a.addresses[0], sources) and still_connected(a)
        )
        if missing:
            iptables.insist()
        return cls(True, missing)


def covered(address: str, sources: set[str]) -> bool:
    """Whether one of these sources (addresses or prefixes) holds the address."""
    if address in sources:
        return True
    prefixes = [s for s in sources if "/" in s]
    return any(to_address(address) in to_network(p) for p in prefixes)


def still_connected(pod: Attachment) -> bool:
    """Whether its interface is there now; also where its namespace may not be entered, because then it is not known."""
    try:
        in_namespace(pod.netns, partial(socket.if_nametoindex, pod.interface)).result()
    except (OSError, CannotRead) as error:
        return isinstance(error, CannotRead) and os.path.exists(pod.netns)  # noqa: PTH110 - a bare path of the runtime's
    return True
