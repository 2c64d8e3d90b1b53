"""The iptables rules of the kernel's nft backend, and those of the legacy one where it is in use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from netdoctor.errors import CannotRead, NotInstalled
from netdoctor.redact import excerpt
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host


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
                raise CannotRead("iptables-save", f"a rule or chain outside any table: {excerpt(line, 80)}")
            if line.startswith("-A "):
                chain = line[3:].split(" ", 1)[0]
                chains[table].setdefault(chain, []).append(line)
            elif line.startswith(":"):
                chain, _, rest = line[1:].partition(" ")
                chains[table].setdefault(chain, [])
                policy = rest.partition(" ")[0]
                if not policy:
                    raise CannotRead("iptables-save", f"a chain without a policy: {excerpt(line, 80)}")
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
        """Read both backends where the kernel has them already: looking loads no module. Raises CannotRead."""
        legacy, unread = EMPTY, ""
        # the file's size is always 0; its text names the legacy tables that exist
        if (host.read_or_none("/proc/net/ip_tables_names") or "").split():
            try:
                legacy = Ruleset.parse(_saved(host, "iptables-legacy-save"))
            except CannotRead as error:
                unread = str(error)
        if not all(kernel_modules.present(name) for name in kernel_modules.IPTABLES_NFT):
            return cls(EMPTY, legacy, unread)
        return cls(Ruleset.parse(_saved(host, "iptables-nft-save")), legacy, unread)

    def insist(self) -> None:
        """Raise CannotRead where what is missing here may stand in legacy tables that could not be read."""
        if self.unread:
            raise CannotRead("iptables, legacy tables", self.unread)


def _saved(host: Host, program: str) -> str:
    """What this backend's program prints, or iptables-save where it is this backend's and has no name of its own."""
    try:
        return host.run([program], timeout=5)
    except NotInstalled:
        if kernel_modules.backend(kernel_modules.EITHER) != program:
            raise
        return host.run([kernel_modules.EITHER], timeout=5)


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
