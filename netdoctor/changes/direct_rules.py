"""firewalld's direct rules, which make it flush iptables: taken out of force and of the permanent configuration."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from netdoctor.changes import MOST_SHOWN, _foreign_rules
from netdoctor.changes._firewalld_files import EMPTY, Element, contents, is_by_firewalld, put_back
from netdoctor.changes.file import MODES, FileState
from netdoctor.errors import CannotRead, Drifted, NotRehearsable
from netdoctor.model import NotApplicable
from netdoctor.system.firewalld_bus import CONFIG, FirewalldBus, firewalld_bus
from netdoctor.system.host import Host

DIRECT_FILE = "/etc/firewalld/direct.xml"
Rule = tuple[str, str, str, int, tuple[str, ...]]  # ipv4 or ipv6, table, chain, priority, arguments
RULE_SIGNATURE, SETTINGS_SIGNATURE = "sssias", "(a(sss)a(sssias)a(sas))"


@dataclass(frozen=True, slots=True)
class RemoveDirectRules:
    """Remove all direct rules, now and at boot. Removing flushes nothing (measured with firewalld 1.3.3 and 2.3.1)."""

    kind: ClassVar[str] = "firewalld-direct"
    in_force: tuple[Rule, ...]
    at_boot: tuple[Rule, ...]
    file: FileState | None
    backup: FileState | None  # firewalld's own .old beside it

    @classmethod
    def planned(cls) -> RemoveDirectRules:
        """The change from what is there. Raises NotApplicable where a direct entry may matter, CannotRead."""
        with firewalld_bus() as bus:
            chains, passthroughs = bus.call("direct", "getAllChains"), bus.call("direct", "getAllPassthroughs")
            permanent = bus.call("config.direct", "getSettings", path=CONFIG)
            in_force, at_boot = _rules(bus.call("direct", "getAllRules")), _rules(permanent[1])
        if chains or passthroughs or permanent[0] or permanent[2]:
            raise NotApplicable("there are direct chains or passthroughs: only their owner can say whether they may go")
        for rule in (*in_force, *at_boot):
            if not _only_accepts(rule):
                raise NotApplicable(f"the direct rule `{words(rule)}` does more than accept: its owner must decide")
        file = FileState.read(DIRECT_FILE)
        if file and not _is_read(file, at_boot):
            raise NotApplicable(
                f"firewalld has not read {DIRECT_FILE} since somebody edited it, and would overwrite the edit: "
                "it reads the file within seconds, then run netdoctor again"
            )
        return cls(in_force, at_boot, file, FileState.read(DIRECT_FILE + ".old"))

    def describe(self) -> str:
        """One line: what will be different."""
        count = len({*self.in_force, *self.at_boot})
        where = " and ".join(w for w, rules in (("now", self.in_force), ("at boot", self.at_boot)) if rules)
        return f"firewalld: remove {count} direct rule{'s' if count > 1 else ''}, {where} (no reload)"

    def diff(self) -> str:
        """Each rule, as firewall-cmd names it."""
        lines = [f"-firewall-cmd --direct --add-rule {words(rule)}" for rule in self.in_force]
        lines += [f"-firewall-cmd --permanent --direct --add-rule {words(rule)}" for rule in self.at_boot]
        return "\n".join(lines)

    def in_short(self) -> list[str]:
        """Each rule once; of many rules the number in each chain."""
        rules = list(dict.fromkeys((*self.in_force, *self.at_boot)))
        lines = [f"- {words(rule)}" for rule in rules]
        if len(rules) > MOST_SHOWN:
            chains = Counter(" ".join(map(str, rule[:3])) for rule in rules)
            lines = [f"- {count} rules of {chain} (-v shows them)" for chain, count in chains.items()]
        return [f"~ {self.describe()}", *lines]

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The rules, and the file that keeps them."""
        rules = [("direct rule{s}", words(rule)) for rule in (*self.in_force, *self.at_boot)]
        return (*rules, *((("file{s} of firewalld", DIRECT_FILE),) if self.at_boot else ()))

    def check(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Raise Drifted unless the direct rules are still as planned. Raises CannotRead."""
        try:
            now = RemoveDirectRules.planned()
        except NotApplicable as why:
            raise Drifted(str(why)) from why
        if now != self:
            raise Drifted("firewalld's direct rules have changed since the repair was planned")

    def apply(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Remove them, at boot first: a reload in between loses nothing more. Raises CannotRead."""
        with firewalld_bus() as bus:
            self.apply_over(bus)

    def apply_over(self, bus: FirewalldBus) -> None:
        """Remove them from the firewalld on this bus, at boot first. Raises CannotRead."""
        if bus.call("config.direct", "getSettings", path=CONFIG)[1]:
            bus.call("config.direct", "update", SETTINGS_SIGNATURE, ([], [], []), path=CONFIG)
        there = _rules(bus.call("direct", "getAllRules"))
        for rule in self.in_force:
            if rule in there:
                bus.call("direct", "removeRule", RULE_SIGNATURE, *_plain(rule))

    def rehearse(self, host: Host) -> None:
        """Delete those in force from the copy's iptables, where firewalld with FirewallBackend=nftables has put them.

        Raises NotRehearsable for one that is not there: then it stands elsewhere, and what it does is not known.
        """
        for rule in self.in_force:
            delete(host, rule)

    def is_of_netdoctor(self) -> bool:
        """Whether each rule just accepts, as those do that netdoctor takes out, and the file holds no other."""
        states = [state for state in (self.file, self.backup) if state]
        if any(state.mode & ~MODES for state in states):
            return False
        try:
            in_file = _in_file(self.file) if self.file else frozenset()
        except (Drifted, KeyError, ValueError):
            return False
        return all(_only_accepts(rule) for rule in (*self.in_force, *self.at_boot, *in_file))

    def undo(self, host: Host) -> None:
        """Put them back, and the file; nobody else's rules are lost by it. Raises Drifted, CannotRead."""
        _foreign_rules.put_back(host)  # an undo that was killed
        running = False
        if Path("/run/dbus/system_bus_socket").exists():
            with firewalld_bus() as bus:
                running = bus.is_running()
                if running:
                    self._undo_permanent(bus)
                    self._undo_run_time(bus, host)
        if not running:
            self._undo_file()

    def _undo_file(self) -> None:
        """The file where no firewalld writes it. Raises Drifted, CannotRead."""
        if self.at_boot:
            if not self._is_ours(FileState.read(DIRECT_FILE)):
                raise Drifted(f"somebody has changed {DIRECT_FILE} since")
            self._restore_files()

    def _is_ours(self, now: FileState | None) -> bool:
        """Whether nothing is in a file that was not in it before the repair."""
        if now is None or (self.file and now.data == self.file.data):
            return True
        _, before = contents(self.file) if self.file else EMPTY
        return is_by_firewalld(now) and contents(now)[1] <= before

    def _undo_permanent(self, bus: FirewalldBus) -> None:
        if not self.at_boot:
            return
        chains, found, passthroughs = bus.call("config.direct", "getSettings", path=CONFIG)
        now = _rules(found)
        now_in_file = FileState.read(DIRECT_FILE)
        by_hand = (
            now_in_file is not None
            and now_in_file != self.file
            and not (is_by_firewalld(now_in_file) and _is_read(now_in_file, now))
        )
        if chains or passthroughs or by_hand or not {*now} <= {*self.at_boot}:
            raise Drifted("somebody has added direct rules to firewalld's permanent configuration since")
        if now != self.at_boot:
            wanted = [_plain(rule) for rule in self.at_boot]
            bus.call("config.direct", "update", SETTINGS_SIGNATURE, ([], wanted, []), path=CONFIG)
        self._restore_files()

    def _undo_run_time(self, bus: FirewalldBus, host: Host) -> None:
        there = _rules(bus.call("direct", "getAllRules"))
        lost = [rule for rule in self.in_force if rule not in there]
        if not lost:
            return
        any_in_force = there or bus.call("direct", "getAllChains") or bus.call("direct", "getAllPassthroughs")
        if any_in_force:
            _add(bus, lost)
            return
        with _foreign_rules.kept(host):  # firewalld 2 flushes iptables before its first direct rule
            _add(bus, lost)

    def _restore_files(self) -> None:
        put_back(DIRECT_FILE, FileState.read(DIRECT_FILE), self.file)
        backup = FileState.read(DIRECT_FILE + ".old")
        if self._is_ours(backup):  # firewalld's, of the file as it was or as we left it
            put_back(DIRECT_FILE + ".old", backup, self.backup)


def delete(host: Host, rule: Rule) -> None:
    """Delete a rule from the iptables of this thread's namespace. Raises NotRehearsable where its chain lacks it."""
    _, table, chain, _, arguments = rule
    try:
        host.run([program_of(rule), "-t", table, "-D", chain, *arguments])
    except CannotRead as error:
        raise NotRehearsable(f"the direct rule `{words(rule)}` is not in chain {chain}: {error.reason}") from error


def program_of(rule: Rule) -> str:
    """The program in whose tables a direct rule stands."""
    return "iptables-nft" if rule[0] == "ipv4" else "ip6tables-nft"


def by_hand(rule: Rule) -> str:
    """The commands that remove a direct rule, now and at boot."""
    removal = f"--direct --remove-rule {words(rule)}"
    return f"`firewall-cmd {removal}` and `firewall-cmd --permanent {removal}`"


def words(rule: Rule) -> str:
    """A rule as firewall-cmd takes it."""
    ipv, table, chain, priority, arguments = rule
    return f"{ipv} {table} {chain} {priority} {' '.join(arguments)}"


def _only_accepts(rule: Rule) -> bool:
    """Whether the rule accepts in table filter: firewalld's own tables still judge the packet."""
    ipv, table, _, _, arguments = rule
    target = [after for word, after in pairwise(arguments) if word in ("-j", "--jump")]
    return ipv in ("ipv4", "ipv6") and table == "filter" and target == ["ACCEPT"]


def _in_file(state: FileState) -> frozenset[Rule]:
    """The rules of a direct.xml. Raises Drifted, KeyError, ValueError where it has something else."""
    return frozenset(_rule(element) for element in contents(state)[1])


def _is_read(state: FileState, at_boot: Iterable[Rule]) -> bool:
    """Whether firewalld, which has these rules for the next boot and nothing else, has read its file."""
    try:
        return _in_file(state) == {*at_boot}
    except (Drifted, KeyError, ValueError):
        return False


def _rule(element: Element) -> Rule:
    """A rule as direct.xml holds it. Raises KeyError, ValueError for another element."""
    tag, attributes, text, inside = element
    named = dict(attributes)
    if tag != "rule" or inside:
        raise ValueError(tag)
    priority, arguments = int(named["priority"]), tuple(shlex.split(text))
    return named["ipv"], named["table"], named["chain"], priority, arguments


def _add(bus: FirewalldBus, rules: Iterable[Rule]) -> None:
    for rule in rules:
        bus.call("direct", "addRule", RULE_SIGNATURE, *_plain(rule))


def _rules(found: Iterable[Any]) -> tuple[Rule, ...]:
    return tuple((str(i), str(t), str(c), int(p), tuple(map(str, a))) for i, t, c, p, a in found)


def _plain(rule: Rule) -> tuple[str, str, str, int, list[str]]:
    return (*rule[:4], list(rule[4]))
