"""Which packets of pods the rules of iptables leave unmasqueraded, as somebody has written them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from netdoctor.facts.node.iptables import Ruleset
from netdoctor.system.foreign_text import to_network

Network = str
# kube-proxy's chains and those of the CNI's plugins: what they leave out stays within the cluster
OF_THE_CLUSTER = ("KUBE-", "CNI-")
LETS_PASS, TRANSLATES = ("RETURN", "ACCEPT"), ("MASQUERADE", "SNAT")
MULTICAST = "224.0.0.0/4"
KUBE_POSTROUTING = "KUBE-POSTROUTING"
MARK = re.compile(r"! --mark (0x[0-9a-f]{1,8})/")  # what has it not goes on
VALUES = {"-s": "source", "-d": "destination", "-o": "out"}


@dataclass(frozen=True, slots=True)
class MasqueradeExceptions:
    """What rules of table nat leave unmasqueraded of the packets of pods."""

    ranges: tuple[tuple[Network, str], ...]  # destinations, each with the rule
    of_all: tuple[str, ...]  # rules that let every packet of these pods pass
    mark: int  # by which kube-proxy wants packets masqueraded, where one of these rules comes before that; 0: none
    unclear: tuple[str, ...]  # rules that let some pass, by a mark, a set or what else netdoctor does not judge

    @classmethod
    def of(cls, rules: Ruleset, pods: Sequence[Network], uplink: str) -> MasqueradeExceptions:
        """Those of the chains that packets from the networks `pods` meet on their way out by `uplink`."""
        ranges: list[tuple[Network, str]] = []
        of_all, unclear = [], []
        for rule, text in _met(rules):
            if not rule.concerns(pods, uplink):
                continue
            if rule.is_unclear:
                unclear.append(text)
            elif rule.lets_all_pass:
                # a RETURN in another chain goes on where it came from
                of_all += [text] if rule.target == "ACCEPT" or text.startswith("-A POSTROUTING ") else []
            elif rule.leaves_a_range_out:
                ranges.append((rule.destination, text))
        kept = tuple(each for each in ranges if each[0] != MULTICAST)
        return cls(kept, tuple(of_all), _mark_passed(rules, of_all), tuple(unclear))


def _mark_passed(rules: Ruleset, of_all: list[str]) -> int:
    """The mark of kube-proxy's masquerade, where one of the rules `of_all` takes packets past it; else 0."""
    chain = rules.rules("nat", "POSTROUTING")
    jump = next((place for place, text in enumerate(chain) if text.endswith(f"-j {KUBE_POSTROUTING}")), 0)
    found = MARK.search(" ".join(rules.rules("nat", KUBE_POSTROUTING)))
    return int(found[1], 16) if found and any(text in chain[:jump] for text in of_all) else 0


@dataclass
class _Rule:
    """A rule as iptables-save prints it, as far as it is judged."""

    source: str = ""
    destination: str = ""
    out: str = ""
    target: str = ""
    inverted: set[str] = field(default_factory=set)
    others: bool = False  # whether it matches by anything else

    @classmethod
    def parse(cls, text: str) -> _Rule:
        found = cls()
        words = iter(_words(text))
        inverted = False
        for word in words:
            if word == "!":
                inverted = True
                continue
            if word in VALUES:
                setattr(found, VALUES[word], next(words, ""))
                if inverted:
                    found.inverted.add(VALUES[word])
            elif word in ("-j", "-g"):
                found.target = next(words, "")
                break  # what follows belongs to the target
            elif word == "--comment":
                next(words, "")
            elif word == "-m":
                found.others |= next(words, "") != "comment"
            else:
                found.others = True
            inverted = False
        return found

    @property
    def is_unclear(self) -> bool:
        """Whether it lets some packets pass, and which is not judged here."""
        return self.target in LETS_PASS and (self.others or self.inverted == {"destination"})

    @property
    def lets_all_pass(self) -> bool:
        """Whether it lets packets pass, wherever they go."""
        return self.target in LETS_PASS and not self.destination

    @property
    def leaves_a_range_out(self) -> bool:
        """Whether what goes to its destination passes as it is."""
        return self.target in LETS_PASS or (self.target in TRANSLATES and "destination" in self.inverted)

    def concerns(self, pods: Sequence[Network], uplink: str) -> bool:
        """Whether it may match a packet from these networks that leaves by this interface."""
        leaves = self.out == uplink or (self.out.endswith("+") and uplink.startswith(self.out[:-1]))
        if self.out and leaves == ("out" in self.inverted):
            return False
        if not self.source:
            return True
        covers = any(to_network(self.source).overlaps(to_network(pod)) for pod in pods)
        return covers != ("source" in self.inverted)


def _words(text: str) -> list[str]:
    """The words behind the chain's name; of a rule whose quotation marks do not fit one that matches by more."""
    try:
        return shlex.split(text)[2:]
    except ValueError:
        return ["--", "-j", "RETURN"]


def _met(rules: Ruleset) -> Iterator[tuple[_Rule, str]]:
    """The rules of POSTROUTING and of every chain that it leads to, without the cluster's own."""
    seen, ahead = {""}, ["POSTROUTING"]
    while ahead:
        chain = ahead.pop()
        if chain in seen or chain.startswith(OF_THE_CLUSTER):
            continue
        seen.add(chain)
        for text in rules.rules("nat", chain):
            rule = _Rule.parse(text)
            yield rule, text
            ahead.append(rule.target)
