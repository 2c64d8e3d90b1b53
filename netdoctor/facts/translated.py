"""Which ClusterIPs kube-proxy's rules translate, in whichever way it writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netdoctor.errors import CannotRead
from netdoctor.facts.iptables import Iptables
from netdoctor.facts.kube_proxy import KubeProxy
from netdoctor.host import Host

ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+\b")


@dataclass(frozen=True, slots=True)
class Translated:
    """ClusterIPs that kube-proxy translates"""

    known: bool  # whether this kube-proxy's rules can be read here
    addresses: tuple[str, ...]
    entered: bool  # whether packets are led into these rules
    source: str  # where the rules stand

    @classmethod
    def collect(cls, host: Host, kube_proxy: KubeProxy, iptables: Iptables) -> Translated:
        """In mode iptables from KUBE-SERVICES, in mode nftables from table `ip kube-proxy`."""
        if kube_proxy.mode == "iptables":
            return cls(True, *_of_iptables(iptables), "iptables nat KUBE-SERVICES")
        if kube_proxy.mode == "nftables":
            source = "nft table ip kube-proxy, map service-ips"
            try:
                text = host.run(["nft", "list", "map", "ip", "kube-proxy", "service-ips"], timeout=5)
            except CannotRead as error:
                if "No such file" not in error.reason:
                    raise
                return cls(True, (), False, source)
            return cls(True, tuple(dict.fromkeys(ADDRESS.findall(text))), True, source)
        return cls(False, (), False, "")


def _of_iptables(iptables: Iptables) -> tuple[tuple[str, ...], bool]:
    backends = (iptables.nft, iptables.legacy)
    rules = [rule for backend in backends for rule in backend.rules("nat", "KUBE-SERVICES")]
    addresses = (word.removesuffix("/32") for rule in rules for word in rule.split() if word[0].isdigit())
    entries = [
        hook for backend in backends for hook in ("PREROUTING", "OUTPUT")
        if any(rule.endswith("-j KUBE-SERVICES") for rule in backend.rules("nat", hook))
    ]  # fmt: skip
    return tuple(dict.fromkeys(addresses)), {"PREROUTING", "OUTPUT"} <= set(entries)
