"""Legacy iptables, which no trace of nftables shows: the rule whose counter moves while a packet is sent."""

from __future__ import annotations

from netdoctor.host import Host


def legacy_counters(host: Host) -> dict[str, int]:
    """Rules of legacy iptables with their packet counters; nothing is asked where the kernel has no such table."""
    if not (host.read_or_none("/proc/thread-self/net/ip_tables_names") or "").split():
        return {}
    counters = {}
    table = ""
    for line in host.run(["iptables-legacy-save", "-c"]).splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("["):
            count, _, rule = line.partition("] ")
            counters[f"{table} {rule}"] = int(count[1:].partition(":")[0])
        elif line.startswith(":") and " DROP " in line:
            chain, policy, count = line[1:].split(" ")
            counters[f"{table} policy {policy} of {chain}"] = int(count[1:].partition(":")[0])
    return counters


def grown(before: dict[str, int], after: dict[str, int]) -> str:
    """The dropping rule whose counter has grown."""
    drops = (" -j DROP", " -j REJECT", " policy DROP")
    moved = (rule for rule, count in after.items() if count > before.get(rule, count))
    return next((rule for rule in moved if any(word in rule for word in drops)), "")
