"""Which pods have lost the masquerade that the CNI's bridge plugin wrote for them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.cni import Attachments, CniConfig
from netdoctor.facts.iptables import Iptables, masquerade_sources


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
        """Compare the connected pods with the rules; a rule for a whole prefix counts for every pod in it."""
        if not cni.masquerades:
            return cls(False, ())
        if isinstance(iptables, CannotRead):
            raise iptables
        sources = masquerade_sources(iptables.nft) | masquerade_sources(iptables.legacy)
        missing = tuple(
            Unmasqueraded(a.namespace, a.pod, a.addresses[0])
            for a in attachments.pods
            if a.network == cni.name and not covered(a.addresses[0], sources)
        )
        return cls(True, missing)


def covered(address: str, sources: set[str]) -> bool:
    """Whether one of these sources (addresses or prefixes) holds the address."""
    if address in sources:
        return True
    prefixes = [s for s in sources if "/" in s]
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(p, strict=False) for p in prefixes)
