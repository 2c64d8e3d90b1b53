"""The masquerade of pods that were made before their rules were flushed: the rules that the CNI's plugin wrote."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.changes import _conntrack
from netdoctor.changes._iptables import restore, saved
from netdoctor.errors import Drifted, NotRehearsable
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.node.iptables import Ruleset
from netdoctor.system.host import Host
from netdoctor.twin.wire.conntrack import Ends

PLAIN = re.compile(r"[\w.-]+")
MULTICAST = "224.0.0.0/4"


@dataclass(frozen=True, slots=True)
class PodRules:
    """One pod's masquerade: a chain of its own in nat, and the jump to it (CNI plugins, pkg/ip/ipmasq)."""

    pod: str  # namespace/name
    network: str
    container_id: str
    address: str
    prefix: str  # the network that is reached without masquerade
    chain_was: tuple[str, ...] | None  # None: there was no such chain
    jump_was: bool

    @property
    def chain(self) -> str:
        """The chain's name, as the plugin makes it (pkg/utils, FormatChainName)."""
        return "CNI-" + hashlib.sha512((self.network + self.container_id).encode()).hexdigest()[:24]

    @property
    def _comment(self) -> str:
        return rf'-m comment --comment "name: \"{self.network}\" id: \"{self.container_id}\""'

    @property
    def jump(self) -> str:
        """The rule in POSTROUTING, as iptables-save prints it."""
        return f"-A POSTROUTING -s {self.address}/32 {self._comment} -j {self.chain}"

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules of the chain, as iptables-save prints them."""
        start = f"-A {self.chain}"
        return (
            f"{start} -d {self.prefix} {self._comment} -j ACCEPT",
            f"{start} ! -d {MULTICAST} {self._comment} -j MASQUERADE",
        )

    @property
    def is_plain(self) -> bool:
        """Whether names are names, addresses addresses, and the rules that were there those of this chain."""
        try:
            ends = [ipaddress.ip_address(self.address), ipaddress.ip_network(self.prefix)]
        except ValueError:
            return False
        names = all(PLAIN.fullmatch(word) for word in (self.network, self.container_id))
        lines = self.chain_was or ()
        own = all(line.startswith(f"-A {self.chain} ") and line.isprintable() for line in lines)
        return names and own and "%" not in f"{ends}"

    def now(self, rules: Ruleset) -> tuple[tuple[str, ...] | None, bool]:
        """The chain and whether the jump is there, in this ruleset."""
        chain = rules.rules("nat", self.chain) if rules.has_chain("nat", self.chain) else None
        return chain, self.jump in rules.rules("nat", "POSTROUTING")


@dataclass(frozen=True, slots=True)
class RestoreMasquerade:
    """Write the masquerade rules of pods again, as the CNI's bridge plugin did when it made them."""

    until_boot: ClassVar[bool] = True
    needs_the_node: ClassVar[bool] = True
    kind: ClassVar[str] = "pod-masquerade"
    pods: tuple[PodRules, ...]
    forgets: bool  # whether connections without masquerade can be forgotten: the kernel says which it tracks

    @classmethod
    def planned(cls, pods: Iterable[tuple[str, str, str, str, str]], rules: Ruleset) -> RestoreMasquerade:
        """The change for pods (namespace/name, network, container id, address, prefix) whose rules are not whole."""
        found = []
        for pod in pods:
            blank = PodRules(*pod, None, False)
            chain, jump = blank.now(rules)
            if chain != blank.rules or not jump:
                found.append(PodRules(*pod, chain, jump))
        return cls(tuple(found), _conntrack.available())

    def describe(self) -> str:
        """One line: what will be different."""
        names = ", ".join(pod.pod for pod in self.pods[:4]) + (" ..." if len(self.pods) > 4 else "")
        return f"masquerade {len(self.pods)} pods again, as the CNI did: {names}; nothing restarts"

    def diff(self) -> str:
        """Each rule, as iptables-save prints it."""
        lines = [f"+{rule}" for pod in self.pods for rule in (*pod.rules, *(() if pod.jump_was else (pod.jump,)))]
        if self.forgets:
            lines.append("+conntrack -D   for these pods' connections to the outside that were not masqueraded")
        else:
            lines.append(" connections without masquerade go on until they time out: the kernel does not list them")
        return "\n".join(lines)

    def in_short(self) -> list[str]:
        """The pods, and how many rules go to which chains."""
        names = ", ".join(pod.pod for pod in self.pods[:4])
        more = f" and {len(self.pods) - 4} more" if len(self.pods) > 4 else ""
        one = len(self.pods) == 1
        chains = f"{len(self.pods)} chain{'' if one else 's'} of the CNI"
        jumps = "" if all(pod.jump_was for pod in self.pods) else "POSTROUTING and "
        lines = [
            f"~ {len(self.pods)} pod{'' if one else 's'}, nothing restarts: {names}{more}",
            f"+ {len(self.touched())} rules in table nat, in {jumps}{chains} (-v shows them)",
        ]
        return [*lines, "- their connections without masquerade are forgotten (conntrack)"] if self.forgets else lines

    def touched(self) -> tuple[tuple[str, str], ...]:
        """Each rule."""
        return tuple(("rule{s} in table nat", line[1:]) for line in self.diff().splitlines() if line.startswith("+-A"))

    def is_of_netdoctor(self) -> bool:
        """Whether the words in it are plain: iptables-restore reads a script."""
        return all(pod.is_plain for pod in self.pods)

    def check(self, host: Host) -> None:
        """Raise Drifted unless the pods are still there and their rules as planned. Raises CannotRead."""
        there = {a.container_id for a in Attachments.collect(host).pods}
        rules = saved(host, "nat")
        for pod in self.pods:
            if pod.container_id not in there:
                raise Drifted(f"pod {pod.pod} is gone since the repair was planned")
            if pod.now(rules) != (pod.chain_was, pod.jump_was):
                raise Drifted(f"the masquerade rules of pod {pod.pod} have changed since the repair was planned")

    def apply(self, host: Host) -> None:
        """Write all rules in one step. Raises CannotRead."""
        now = saved(host, "nat")
        lines = []
        for pod in self.pods:
            lines += [f":{pod.chain} - [0:0]", *pod.rules]  # naming a chain empties it
            if not pod.now(now)[1]:
                lines.append(pod.jump)
        restore(host, "nat", lines)
        prefixes = {pod.address: ipaddress.ip_network(pod.prefix) for pod in self.pods}
        _conntrack.forget(host, lambda connection: _leaves_unmasqueraded(connection, prefixes))

    def rehearse(self, host: Host) -> None:
        """Write them into the copy's rules. Raises CannotRead, NotRehearsable for names that no CNI gives."""
        for pod in self.pods:
            ipaddress.ip_address(pod.address), ipaddress.ip_network(pod.prefix)
            if not all(PLAIN.fullmatch(word) for word in (pod.network, pod.container_id)):
                raise NotRehearsable(f"{pod.network} {pod.container_id} is not a network and a container")
        self.apply(host)

    def undo(self, host: Host) -> None:
        """Remove these rules again, and no others. Raises Drifted when somebody else changed them, CannotRead."""
        now = saved(host, "nat")
        lines = []
        for pod in self.pods:
            chain, jump = pod.now(now)
            if (chain, jump) == (pod.chain_was, pod.jump_was) or (chain is None and not jump):
                continue  # not made, undone already, or the pod has gone and the CNI took its rules along
            if chain not in (pod.rules, pod.chain_was):
                raise Drifted(f"somebody has changed the masquerade rules of pod {pod.pod} since")
            if now.rules("nat", "POSTROUTING").count(pod.jump) > 1:
                raise Drifted(f"somebody has written the masquerade rules of pod {pod.pod} once more since")
            if jump and not pod.jump_was:
                lines.append("-D" + pod.jump.removeprefix("-A"))
            lines.append(f":{pod.chain} - [0:0]")
            lines += [f"-X {pod.chain}"] if pod.chain_was is None else pod.chain_was
        if lines:
            restore(host, "nat", sorted(lines, key=lambda line: line[0] != ":"))


def _leaves_unmasqueraded(connection: Ends, prefixes: dict[str, ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    prefix = prefixes.get(connection.source)
    return (
        prefix is not None
        and connection.reply_destination == connection.source
        and ipaddress.ip_address(connection.reply_source) not in prefix
    )
