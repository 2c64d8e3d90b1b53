"""Rules that accept packets of pods, in the chain that drops them and before what drops them there.

They stand at the end of a chain whose policy drops, or before the rule that refuses what was not accepted: whatever
somebody wrote into the chain before that still holds.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.changes._accepted import LABEL, Accepted
from netdoctor.changes._iptables import restore, saved
from netdoctor.errors import CannotRead, Drifted, NotRehearsable
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import chain_rules
from netdoctor.twin.build import LEGACY_LOCK

NFT, IPTABLES, LEGACY = "nft", "iptables-nft", "iptables-legacy"
DOCKER_USER = "DOCKER-USER"  # docker makes it for rules of others, and keeps it when it starts again
NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}", re.ASCII)
MODULES = {NFT: ("nf_tables", "nft_ct"), IPTABLES: ("xt_conntrack", "xt_tcpudp"), LEGACY: ("xt_conntrack", "xt_tcpudp")}
COMMENT = "xt_comment"
SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class AcceptRules:
    """Accept packets from and to pods in one chain."""

    until_boot: ClassVar[bool] = True
    kind: ClassVar[str] = "accept-rules"
    program: str  # whose chain it is: NFT, IPTABLES or LEGACY
    family: str
    table: str
    chain: str
    before: str  # the rule before which they stand, as the program prints it; "": at the end
    rules: tuple[Accepted, ...]
    at_boot: bool = False  # whether files of the same repair make them again at each boot

    @property
    def place(self) -> str:
        """The chain, in words."""
        return self.chain if self.program == IPTABLES else f"{self.chain} of {self._owner}"

    @property
    def _owner(self) -> str:
        return self.program if self.program == LEGACY else f"{self.family} {self.table}"

    def describe(self) -> str:
        """One line: what will be different."""
        how_long = "" if self.at_boot else " until the next boot"
        where = f"before `{self.before}`" if self.before else "at the end"
        return f"accept packets of pods in {self.place}, {where}{how_long}; nothing restarts"

    def texts(self, label: str = LABEL) -> list[str]:
        """The rules, as the program prints them."""
        if self.program == NFT:
            return [rule.as_nft(label) for rule in self.rules]
        return [f"-A {self.chain} {rule.as_iptables(label)}" for rule in self.rules]

    def diff(self) -> str:
        """The rules, and what they stand before."""
        lines = [f"+{text}" for text in self.texts()]
        if self.before:
            lines.append(f" {self.before}")
        if not self.at_boot:
            lines.append(" the next boot is without them: no file makes them again")
        return "\n".join(lines)

    def touched(self) -> tuple[tuple[str, str], ...]:
        """Each rule."""
        return tuple((f"rule{{s}} in {self.place}", text) for text in self.texts())

    def is_of_netdoctor(self) -> bool:
        """Whether the words in it are plain: the programs read scripts."""
        names = all(NAME.fullmatch(name) for name in (self.table, self.chain))
        known = self.program in MODULES and self.family in ("ip", "inet")
        return names and known and self.before.isprintable() and all(rule.is_plain for rule in self.rules)

    def check(self, host: Host) -> None:
        """Raise Drifted unless the chain is as planned. Raises CannotRead."""
        there = self._now(host)
        if self.before and self.before not in there and self.chain != DOCKER_USER:
            raise Drifted(f"the rule `{self.before}` is no longer in {self.place}")
        if any(text in there for text in self.texts()):
            raise Drifted(f"{self.place} has some of these rules by now")

    def apply(self, host: Host) -> None:
        """Write them in one step. Raises CannotRead."""
        self._write(host, LABEL, ())

    def rehearse(self, host: Host) -> None:
        """Write them in the copy, and load no module for it. Raises CannotRead, NotRehearsable."""
        if not self.is_of_netdoctor():
            raise NotRehearsable(f"{self.family} {self.table} {self.chain}: not rules that netdoctor writes")
        for module in MODULES[self.program]:
            kernel_modules.require(module, self.program)
        label = LABEL if self.program == NFT or kernel_modules.present(COMMENT) else ""
        lock = ("env", f"XTABLES_LOCKFILE={LEGACY_LOCK}") if self.program == LEGACY else ()
        self._write(host, label, lock)

    def undo(self, host: Host) -> None:
        """Delete them. Raises Drifted where one of them is there more than once, CannotRead."""
        there = self._now(host)
        if self.program == NFT:
            self._delete_by_handle(host)
            return
        ours = [text for text in self.texts() if text in there]
        if any(there.count(text) > 1 for text in ours):
            raise Drifted(f"somebody has written the same rules into {self.place} since")
        if ours:
            restore(host, self.table, [f"-D{text.removeprefix('-A')}" for text in ours], self.program)

    def _delete_by_handle(self, host: Host) -> None:
        place = (self.family, self.table, self.chain)
        ours = [handle for handle, text in chain_rules(host, *place).items() if text.endswith(f'comment "{LABEL}"')]
        if ours:
            lines = [f"delete rule {' '.join(place)} handle {handle}" for handle in ours]
            host.run(["nft", "-f", "-"], timeout=SECONDS, stdin="\n".join(lines) + "\n")

    def _write(self, host: Host, label: str, lock: Sequence[str]) -> None:
        if self.program == NFT:
            host.run(["nft", "-f", "-"], timeout=SECONDS, stdin="\n".join(self._nft_lines(host, label)) + "\n")
            return
        there = self._now(host, lock)
        if self.before in there:
            first = there.index(self.before) + 1
            begins = [f"-I {self.chain} {first + offset}" for offset in range(len(self.rules))]
        else:
            begins = [f"-A {self.chain}"] * len(self.rules)
        rules = [rule.as_iptables(label) for rule in self.rules]
        lines = [f"{begin} {rule}" for begin, rule in zip(begins, rules, strict=True)]
        restore(host, self.table, lines, self.program, lock)

    def _nft_lines(self, host: Host, label: str) -> list[str]:
        place = f"{self.family} {self.table} {self.chain}"
        listed = chain_rules(host, self.family, self.table, self.chain)
        handle = next((handle for handle, text in listed.items() if text == self.before), 0)
        begin = f"insert rule {place} position {handle}" if handle else f"add rule {place}"
        return [f"{begin} {rule.as_nft(label)}" for rule in self.rules]

    def _now(self, host: Host, lock: Sequence[str] = ()) -> list[str]:
        """The rules of the chain, as the program prints them. Raises CannotRead where there is no such chain."""
        if self.program == NFT:
            host.run(["nft", "list", "chain", self.family, self.table, self.chain], timeout=SECONDS)
            return list(chain_rules(host, self.family, self.table, self.chain).values())
        there = saved(host, self.table, self.program, lock)
        if not there.has_chain(self.table, self.chain):
            raise CannotRead(self.program, f"there is no chain {self.chain}")
        return list(there.rules(self.table, self.chain))

    def boot_lines(self) -> list[str]:
        """Lines of the script that makes them at boot, by the functions in `_accept_script`."""
        if self.program == NFT:
            place = (self.family, self.table, self.chain)
            made = [shlex.join(["accept_nft", *place, self.before, rule.as_nft(LABEL)]) for rule in self.rules]
            return [shlex.join(["forget_nft", *place]), *made]
        texts = [shlex.split(rule.as_iptables(LABEL)) for rule in self.rules]
        return [shlex.join(["accept", self.program, self.chain, self.before, *words]) for words in texts]
