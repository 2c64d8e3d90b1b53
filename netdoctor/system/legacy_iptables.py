"""Legacy iptables, which no trace of nftables shows: the rule whose counter moves while a packet is sent."""

from __future__ import annotations

import re

from netdoctor.system.host import Host

RULE = re.compile(r"\[([0-9]{1,20}):[0-9]+\] (.*)")
POLICY = re.compile(r":(\S+) DROP \[([0-9]{1,20}):[0-9]+\]")


def legacy_counters(host: Host) -> dict[str, int]:
    """Rules of legacy iptables with their packet counters; nothing is asked where the kernel has no such table."""
    if not (host.read_or_none("/proc/thread-self/net/ip_tables_names") or "").split():
        return {}
    return counters_in(host.run(["iptables-legacy-save", "-c"]))


def counters_in(text: str) -> dict[str, int]:
    """Rules with their packet counters in what `iptables-legacy-save -c` prints; what is not of that form is not."""
    counters = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif rule := RULE.fullmatch(line):
            counters[f"{table} {rule[2]}"] = int(rule[1])
        elif policy := POLICY.fullmatch(line):
            counters[f"{table} policy DROP of {policy[1]}"] = int(policy[2])
    return counters


def grown(before: dict[str, int], after: dict[str, int]) -> str:
    """The dropping rule whose counter has grown."""
    drops = (" -j DROP", " -j REJECT", " policy DROP")
    moved = (rule for rule, count in after.items() if count > before.get(rule, count))
    return next((rule for rule in moved if any(word in rule for word in drops)), "")
