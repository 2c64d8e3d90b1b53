"""What filters packets after the next boot: saved rule sets that a unit loads, and whether firewalld starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

from netdoctor.facts.node.cni import CniConfig
from netdoctor.system.foreign_text import to_network
from netdoctor.system.host import Host

UNITS = Path("/etc/systemd/system")  # where `systemctl enable` makes its links
SAVED = {  # by the unit that loads them; the first that exists counts
    "netfilter-persistent.service": ("/etc/iptables/rules.v4",),
    "iptables.service": ("/etc/sysconfig/iptables",),
    "nftables.service": ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf"),
}
TRUSTED = "/etc/firewalld/zones/trusted.xml"
OF_CLUSTER = re.compile(r"^(?:-A (?:KUBE|CNI)-|-A .*-j (?:KUBE|CNI)-)", re.MULTILINE)  # rules of kube-proxy and the CNI
CHAIN = re.compile(r"hook\s+forward\b[^{}]*?policy\s+drop")
TABLE = re.compile(r"^\s*table\s+(?:(ip|ip6|inet)\s+)?([\w-]{1,64})\s*\{", re.MULTILINE)
COMMENT = re.compile(r"#.*")
INTERFACES = re.compile(r"[io]if(?:name)?\s+(?:\{([^}]*)\}|\"?([\w.*-]+)\"?)")
NETWORK = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}/\d{1,2}\b")


@dataclass(frozen=True, slots=True)
class SavedRules:
    """A file of rules that a unit loads at boot."""

    unit: str
    path: str
    of_cluster: int  # its rules of kube-proxy and the CNI
    drops_in: str = ""  # its table whose forward chain drops what nothing in the file accepts, "" where there is none


@dataclass(frozen=True, slots=True)
class BootRules:
    """rules that the next boot loads"""

    saved: tuple[SavedRules, ...]
    tables: tuple[str, ...]  # of nftables that are there now, asked for only where a file drops
    starts_firewalld: bool
    trusts_pods: bool  # whether firewalld's permanent zone trusted names the pod network or its bridge

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, host: Host, cni: CniConfig) -> BootRules:
        """The files of the units that are enabled. Raises CannotRead."""
        found = []
        for unit, paths in SAVED.items():
            texts = ((path, host.read_or_none(path)) for path in paths) if is_enabled(unit) else ()
            path, text = next(((path, text) for path, text in texts if text is not None), ("", ""))
            if path:
                found.append(parse(unit, path, text, cni))
        drops = any(saved.drops_in for saved in found)
        tables = host.run(["nft", "list", "tables"]) if drops else ""
        trusted = host.read_or_none(TRUSTED) or ""
        return cls(
            saved=tuple(found),
            tables=tuple(line.removeprefix("table ") for line in tables.splitlines()),
            starts_firewalld=is_enabled("firewalld.service"),
            trusts_pods=names_pods(trusted, cni),
        )

    def drops_later(self) -> Iterator[SavedRules]:
        """The files that drop pod traffic, and whose tables are not there yet."""
        yield from (each for each in self.saved if each.drops_in and each.drops_in not in self.tables)


def is_enabled(unit: str) -> bool:
    """Whether a target starts a unit at boot."""
    return any((target / unit).exists() for target in UNITS.glob("*.wants"))


def parse(unit: str, path: str, text: str, cni: CniConfig) -> SavedRules:
    """What is judged of a file of rules, of iptables or nftables."""
    if unit != "nftables.service":
        return SavedRules(unit, path, len(OF_CLUSTER.findall(text)))
    plain = COMMENT.sub("", text)
    return SavedRules(unit, path, 0, "" if _accepts_pods(plain, cni) else _drops_in(plain))


def _drops_in(text: str) -> str:
    """Family and name of the table that has a forward chain with policy drop."""
    chain = CHAIN.search(text)
    before = [match for match in TABLE.finditer(text) if chain and match.start() < chain.start()]
    return f"{before[-1][1] or 'ip'} {before[-1][2]}" if before else ""


def _accepts_pods(text: str, cni: CniConfig) -> bool:
    """Whether a rule names the pods' bridge, or a network that they are in."""
    named = [name for several, one in INTERFACES.findall(text) for name in re.findall(r"[\w.*-]+", several or one)]
    return any(fnmatchcase(cni.bridge, name) for name in named) or _covers(NETWORK.findall(text), cni)


def _covers(networks: Iterable[str], cni: CniConfig) -> bool:
    """Whether one of these networks holds one that pods get their addresses from."""
    for network in networks:
        for pods in cni.pod_networks:
            try:
                wide, narrow = to_network(network), to_network(pods)
            except ValueError:
                continue
            if wide.version == narrow.version and narrow.network_address in wide and wide.prefixlen <= narrow.prefixlen:
                return True
    return False


def names_pods(zone: str, cni: CniConfig) -> bool:
    """Whether the file of a zone of firewalld names the pods' bridge, or a network that they are in."""
    interfaces = re.findall(r"<interface\s+name=\"([^\"]+)\"", zone)
    return cni.bridge in interfaces or _covers(re.findall(r"<source\s+address=\"([^\"]+)\"", zone), cni)
