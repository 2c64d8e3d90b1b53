"""Which tables of nftables have a chain at which hook of the IP layer."""

from __future__ import annotations

from netdoctor.twin.state import NetworkState
from netdoctor.twin.wire.netlink import by_kind
from netdoctor.twin.wire.nftables import CHAIN, NUMBERS
from netdoctor.twin.wire.uapi.nf_tables import NF_INET, NFTA_CHAIN, NFTA_HOOK

HOOKS = {
    NF_INET.PRE_ROUTING: "prerouting",
    NF_INET.LOCAL_IN: "input",
    NF_INET.FORWARD: "forward",
    NF_INET.LOCAL_OUT: "output",
    NF_INET.POST_ROUTING: "postrouting",
}
OF_IP = {NUMBERS[family] for family in ("ip", "ip6", "inet")}


def tables_at_hooks(node: NetworkState) -> dict[str, tuple[str, ...]]:
    """The tables with a base chain at each hook, as `ip nat`, in the order in which the node lists them."""
    found: dict[str, dict[str, None]] = {name: {} for name in HOOKS.values()}
    for each in node.nftables:
        if each.kind != CHAIN or each.family not in OF_IP:
            continue
        hook = each.attributes.get(NFTA_CHAIN.HOOK, b"")
        number = by_kind(hook).get(NFTA_HOOK.HOOKNUM) if hook else None
        name = HOOKS.get(NF_INET(int.from_bytes(number, "big"))) if number and _is_hook(number) else None
        if name:
            family, table, _ = each.place
            found[name][f"{family} {table}"] = None
    return {name: tuple(tables) for name, tables in found.items()}


def _is_hook(number: bytes) -> bool:
    """Whether it is one of the IP layer's hooks; `inet` has one more, ingress."""
    return int.from_bytes(number, "big") in set(NF_INET)
