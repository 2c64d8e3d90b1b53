"""The masquerade of a whole pod network where nobody else writes one: a table of netdoctor's own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.changes import _conntrack, _iptables_nat
from netdoctor.errors import Drifted, NotRehearsable
from netdoctor.facts.node.cni import NAME
from netdoctor.model import Access
from netdoctor.system.host import Host, ProgramFailed
from netdoctor.twin.wire.conntrack import Ends

FAMILY, TABLE = "ip", "netdoctor_masquerade"
SOURCE_NAT = 100  # the priority that nft calls srcnat: older versions know the number alone
MULTICAST = "224.0.0.0/4"
NO_SUCH = "No such file or directory"
RULE = re.compile(r"^\s*(?!table |chain |type |})\S.*$", re.MULTILINE)
NETWORK = re.compile(r"\d+\.\d+\.\d+\.\d+(?:/\d+)?")
SECONDS = 5.0
Network = ipaddress.IPv4Network


@dataclass(frozen=True, slots=True)
class MasqueradeNetwork:
    """Give packets from pods that leave the node its own address."""

    until_boot: ClassVar[bool] = True
    needs_the_node: ClassVar[bool] = True
    kind: ClassVar[str] = "masquerade-network"
    networks: tuple[str, ...]  # of pods
    kept: tuple[str, ...]  # destinations that pods reach with their own addresses
    bridge: str  # of the pods: what leaves by it stays on the node
    forgets: bool  # whether connections without masquerade can be forgotten: the kernel says which it tracks
    at_boot: bool  # whether files of the same repair make it again at each boot
    mark: int = 0  # by which kube-proxy wants packets masqueraded, where a rule sends pods past that as well

    @classmethod
    def planned(
        cls, networks: Iterable[str], kept: Iterable[str], bridge: str, *, at_boot: bool, mark: int = 0
    ) -> MasqueradeNetwork:
        """The change for these networks; multicast and `kept` are left as they are. Raises ValueError for others."""
        pods = _joined(networks)
        whole = _joined([*pods, *kept, MULTICAST])
        return cls(pods, whole, bridge, _conntrack.available(), at_boot, mark)

    @property
    def table(self) -> str:
        """The table, as `nft -f` reads it."""
        pods = f"ip saddr {{ {', '.join(self.networks)} }}"
        chain = f"\ttype nat hook postrouting priority {SOURCE_NAT}; policy accept;\n"
        if self.mark:
            chain += f"\t{pods} meta mark & {self.mark:#x} == {self.mark:#x} masquerade\n"
        chain += f'\toifname != "{self.bridge}" {pods} ip daddr != {{ {", ".join(self.kept)} }} masquerade\n'
        return f"table {FAMILY} {TABLE} {{\n chain postrouting {{\n{chain} }}\n}}\n"

    @property
    def table_anew(self) -> str:
        """The same in place of what is there: what is loaded at boot."""
        return f"table {FAMILY} {TABLE}\ndelete table {FAMILY} {TABLE}\n{self.table}"

    def describe(self) -> str:
        """One line: what will be different."""
        how_long = "" if self.at_boot else " until the next boot"
        pods = ", ".join(self.networks)
        return f"masquerade what leaves the node from {pods}, in table {TABLE}{how_long}; nothing restarts"

    def diff(self) -> str:
        """The table."""
        lines = [f"+{line}" for line in self.table.splitlines()]
        if self.forgets:
            lines.append("+conntrack -D   for pods' connections to the outside that were not masqueraded")
        else:
            lines.append(" connections without masquerade go on until they time out: the kernel does not list them")
        if not self.at_boot:
            lines.append(" the next boot is without it: there is no systemd that could make it again")
        return "\n".join(lines)

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The table."""
        return (("nftables table{s}", TABLE),)

    def opens(self) -> tuple[Access, ...]:
        """A pod that a Service leads back to itself passes where kube-proxy's mark counts again."""
        return (Access.POD_TO_SERVICE,) if self.mark else ()

    def is_of_netdoctor(self) -> bool:
        """Whether the words in it are plain: nft reads a script."""
        try:
            own = self.networks == _joined(self.networks) and self.kept == _joined(self.kept)
        except ValueError:
            return False
        named = bool(self.networks and self.kept) and NAME.fullmatch(self.bridge) is not None
        return own and named and 0 <= self.mark < 1 << 32

    def check(self, host: Host) -> None:
        """Raise Drifted where there is such a table already. Raises CannotRead."""
        if _listed(host) is not None:
            raise Drifted(f"there is a table {FAMILY} {TABLE} now, which was not there when the repair was planned")

    def apply(self, host: Host) -> None:
        """Load the table in one step, and forget connections that go out without it. Raises CannotRead."""
        host.run(["nft", "-f", "-"], timeout=SECONDS, stdin=self.table_anew)
        pods = [ipaddress.IPv4Network(each) for each in self.networks]
        kept = [ipaddress.IPv4Network(each) for each in self.kept]
        _conntrack.forget(host, lambda connection: _leaves_unmasqueraded(connection, pods, kept))

    def rehearse(self, host: Host) -> None:
        """Load it in the copy; rules of iptables stand for it where nftables' own would have a module loaded.

        Raises CannotRead, NotRehearsable.
        """
        if not self.is_of_netdoctor():
            raise NotRehearsable(f"{self.bridge} {', '.join((*self.networks, *self.kept))} are not networks")
        if _iptables_nat.needed():
            _iptables_nat.masquerade(host, FAMILY, self.networks, self.kept, self.mark)
        else:
            self.apply(host)

    def undo(self, host: Host) -> None:
        """Delete the table. Raises Drifted when somebody has changed it, CannotRead."""
        listed = _listed(host)
        if listed is None:
            return
        if not self._is_ours(listed):
            raise Drifted(f"somebody has changed table {FAMILY} {TABLE} since")
        host.run(["nft", "delete", "table", FAMILY, TABLE], timeout=SECONDS)

    def _is_ours(self, listed: str) -> bool:
        """Whether nft lists the rules of this table and no others: versions differ in the rest of their words."""
        whole = re.sub(r",\s+", ", ", listed)  # a long set goes on in the next line
        rules = RULE.findall(whole)
        found = {str(ipaddress.ip_network(each)) for each in NETWORK.findall(whole)}
        all_masquerade = len(rules) == 1 + bool(self.mark) and all(rule.endswith(" masquerade") for rule in rules)
        return all_masquerade and f'"{self.bridge}"' in rules[-1] and found == {*self.networks, *self.kept}


def _joined(networks: Iterable[str]) -> tuple[str, ...]:
    """These networks in order, none of them within another: nft takes no overlaps. Raises ValueError."""
    return tuple(map(str, ipaddress.collapse_addresses(ipaddress.IPv4Network(each, strict=False) for each in networks)))


def _listed(host: Host) -> str | None:
    """The table as nft lists it, None where there is none. Raises CannotRead."""
    try:
        return host.run(["nft", "list", "table", FAMILY, TABLE], timeout=SECONDS)
    except ProgramFailed as error:
        if NO_SUCH in error.said:
            return None
        raise


def _leaves_unmasqueraded(connection: Ends, pods: list[Network], kept: list[Network]) -> bool:
    source, answers = ipaddress.ip_address(connection.source), ipaddress.ip_address(connection.reply_source)
    return (
        any(source in pod for pod in pods)
        and connection.reply_destination == connection.source
        and not any(answers in each for each in kept)
    )
