"""The iptables rules of the kernel's nft backend, and those of the legacy one where it is in use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead
from netdoctor.host import Host


@dataclass(frozen=True, slots=True)
class Ruleset:
    """One backend's tables: table -> chain -> rules as `iptables -S` prints them; policies of built-in chains."""

    chains: Mapping[str, Mapping[str, tuple[str, ...]]]
    policies: Mapping[str, Mapping[str, str]]

    @classmethod
    def parse(cls, text: str) -> Ruleset:
        """Read what iptables-save prints. Raises CannotRead."""
        chains: dict[str, dict[str, list[str]]] = {}
        policies: dict[str, dict[str, str]] = {}
        table = ""
        for line in text.splitlines():
            if line.startswith((":", "-A ")) and not table:
                raise CannotRead("iptables-save", f"a rule or chain outside any table: {line[:80]}")
            if line.startswith("-A "):
                chain = line[3:].split(" ", 1)[0]
                chains[table].setdefault(chain, []).append(line)
            elif line.startswith(":"):
                chain, _, rest = line[1:].partition(" ")
                chains[table].setdefault(chain, [])
                policy = rest.partition(" ")[0]
                if not policy:
                    raise CannotRead("iptables-save", f"a chain without a policy: {line[:80]}")
                if policy != "-":
                    policies[table][chain] = policy
            elif line.startswith("*"):
                table = line[1:].strip()
                chains.setdefault(table, {})
                policies.setdefault(table, {})
        return cls({t: {c: tuple(r) for c, r in cs.items()} for t, cs in chains.items()}, policies)

    def rules(self, table: str, chain: str) -> tuple[str, ...]:
        """The rules of a chain, none where there is no such chain."""
        return self.chains.get(table, {}).get(chain, ())

    def has_chain(self, table: str, chain: str) -> bool:
        """Whether the chain exists."""
        return chain in self.chains.get(table, {})


EMPTY = Ruleset({}, {})


@dataclass(frozen=True, slots=True)
class Iptables:
    """iptables rules"""

    nft: Ruleset
    legacy: Ruleset
    unread: str = ""  # why the legacy tables, which the kernel has, could not be read

    @classmethod
    def collect(cls, host: Host) -> Iptables:
        """Read both backends, but only where the kernel has tables already: looking must load no module."""
        legacy, unread = EMPTY, ""
        # the file's size is always 0; its text names the legacy tables that exist
        if (host.read_or_none("/proc/net/ip_tables_names") or "").split():
            try:
                legacy = Ruleset.parse(host.run(["iptables-legacy-save"], timeout=5))
            except CannotRead as error:
                unread = str(error)
        if not Path("/proc/net/netfilter").exists() and not Path("/sys/module/nf_tables").exists():
            return cls(EMPTY, legacy, unread)
        try:
            text = host.run(["iptables-nft-save"], timeout=5)
        except CannotRead as error:
            if "No such file" not in error.reason:
                raise
            text = host.run(["iptables-save"], timeout=5)
        return cls(Ruleset.parse(text), legacy, unread)

    def insist(self) -> None:
        """Raise CannotRead where what is missing here may stand in legacy tables that could not be read."""
        if self.unread:
            raise CannotRead("iptables, legacy tables", self.unread)


def masquerade_sources(rules: Ruleset) -> set[str]:
    """The sources (address or prefix) for which a rule of nat POSTROUTING leads to MASQUERADE or SNAT in one jump."""
    found = set()
    for rule in rules.rules("nat", "POSTROUTING"):
        source = re.search(r"(?<! !) -s (\S+)", rule)  # `! -s` is everybody else
        target = re.search(r" -j (\S+)", rule)
        if not source or not target:
            continue
        targets = {target[1]} | {
            jump[1] for inner in rules.rules("nat", target[1]) if (jump := re.search(r" -j (\S+)", inner))
        }
        if targets & {"MASQUERADE", "SNAT"}:
            found.add(source[1].removesuffix("/32"))
    return found
