"""Which program a copy of a node's network would need and this machine lacks."""

from __future__ import annotations

import shutil

from netdoctor.system.packages import not_installed
from netdoctor.twin.state import State

IPTABLES = {"ip": "iptables-nft", "ip6": "ip6tables-nft"}
TABLES = ("filter", "nat", "mangle", "raw", "security")


def missing_in_words(state: State) -> str:
    """What is told less well, or not tried, because iptables is not there; "" where nothing is."""
    for family, program in IPTABLES.items():
        if any(state.node.has_table(family, table) for table in TABLES) and shutil.which(program) is None:
            told = "rules of iptables are shown as nft prints them, and their repair is not tried"
            return f"{told}: {not_installed(program)}"
    return ""
