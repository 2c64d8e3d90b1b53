"""firewalld's own nftables table: the rule, with its handle, that ends a packet's way in a zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.system.host import Host

FORWARD, INPUT = "filter_FWD_", "filter_IN_"


@dataclass(frozen=True, slots=True)
class FirewalldRules:
    """rules of table inet firewalld"""

    chains: Mapping[str, tuple[str, ...]]  # chain -> rules as nft prints them, with `# handle N`

    @classmethod
    def collect(cls, host: Host, firewalld: Firewalld) -> FirewalldRules:
        """List the table; firewalld with the iptables backend has none. Raises CannotRead."""
        if not firewalld.running:
            return cls({})
        return cls.parse(host.run(["nft", "-a", "list", "table", "inet", "firewalld"]))

    @classmethod
    def parse(cls, text: str) -> FirewalldRules:
        """Read what `nft -a list table` prints."""
        chains: dict[str, list[str]] = {}
        chain = ""
        for line in map(str.strip, text.splitlines()):
            if match := re.match(r"chain (\S+) {", line):
                chain = match[1]
                chains[chain] = []
            elif chain and re.search(r"# handle \d+$", line):
                chains[chain].append(line)
        return cls({name: tuple(rules) for name, rules in chains.items()})

    def last_word(self, hook: str, zone: str) -> str:
        """The rule that rejects or drops what a zone's chain of this hook did not accept, or "" for none.

        `hook` is FORWARD or INPUT. firewalld ends the zone's chain with it, or leaves it to the base chain.
        """
        base = "filter_FORWARD" if hook == FORWARD else "filter_INPUT"
        for chain in (f"{hook}{zone}", base):
            for rule in reversed(self.chains.get(chain, ())):
                if rule.startswith(("reject", "drop")):
                    return f"inet firewalld {chain}: {rule}"
        return ""
