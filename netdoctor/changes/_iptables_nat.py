"""Translations as rules of iptables, for a copy of a node whose kernel has not loaded nftables' own statements.

kube-proxy and the CNI write rules of iptables, so xt_nat and xt_MASQUERADE are loaded where nft_nat and nft_masq may
not be, and looking loads no module.
"""

from __future__ import annotations

from collections.abc import Iterable

from netdoctor.system import kernel_modules
from netdoctor.system.host import Host

NFTABLES = ("nft_chain_nat", "nft_nat", "nft_masq")
TARGETS = ("xt_nat", "xt_MASQUERADE")
CHAIN = "NETDOCTOR-OUT"


def needed() -> bool:
    """Whether rules of nftables' own would have a module loaded. Raises CannotRead where that cannot be told."""
    return not all(kernel_modules.present(name) for name in NFTABLES)


def translate(host: Host, family: str, ends: Iterable[tuple[str, str, int, str]], endpoints: Iterable[str]) -> None:
    """Before any other rule: each (address, protocol, port) leads to its end. Raises CannotRead.

    An endpoint that asks itself is masqueraded.
    """
    lines = [
        f"-I {chain} -d {address} -p {protocol} --dport {port} -j DNAT --to-destination {end}"
        for address, protocol, port, end in ends
        for chain in ("PREROUTING", "OUTPUT")
    ]
    lines += [f"-I POSTROUTING -s {address} -d {address} -j MASQUERADE" for address in endpoints]
    _restore(host, family, lines)


def masquerade(host: Host, family: str, networks: Iterable[str], kept: Iterable[str] = (), mark: int = 0) -> None:
    """Before any other rule: traffic from these networks to others gets the node's address. Raises CannotRead.

    `kept`: further networks to which it goes as it is. `mark`: packets that get it wherever they go.
    """
    inside = list(networks)
    lines = [f":{CHAIN} - [0:0]"]
    lines += [f"-A {CHAIN} -m mark --mark {mark:#x}/{mark:#x} -j MASQUERADE"] if mark else []
    lines += [f"-A {CHAIN} -d {network} -j RETURN" for network in dict.fromkeys((*inside, *kept))]
    lines += [f"-A {CHAIN} -j MASQUERADE"]
    lines += [f"-I POSTROUTING -s {network} -j {CHAIN}" for network in inside]
    _restore(host, family, lines, *(("xt_mark",) if mark else ()))


def _restore(host: Host, family: str, lines: list[str], *matches: str) -> None:
    program = "ip6tables-nft-restore" if family == "ip6" else "iptables-nft-restore"
    for name in (*TARGETS, *matches):
        kernel_modules.require(name, program)
    host.run([program, "--noflush", "--wait", "5"], timeout=5, stdin="\n".join(["*nat", *lines, "COMMIT"]) + "\n")
