"""Rules of a packet filter that refuse whatever was not accepted before: nobody wrote them against one sender.

A rule that names an address, a port, a set, a mark or an interface of pods is another matter: it is somebody's wish.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator

STATES = frozenset(("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "DNAT", "SNAT"))
STATE_OPTIONS = ("--ctstate", "--state")
MATCHES = ("conntrack", "state", "comment")
TARGETS = ("DROP", "REJECT")
# what says nothing about a packet, and what tells an interface, as nft lists it
SAYS_NOTHING = re.compile(
    r'counter( packets \d+ bytes \d+)?|log( (prefix|level|group|flags) ("[^"]*"|[\w,]+))*|comment "[^"]*"'
)
INTERFACE = re.compile(r'[io]if(?:name)? (?:!= )?"?([\w.@-]+)"?')
CT_STATE = re.compile(r"ct state (\{ [a-z, ]+ \}|[a-z]+(?:,[a-z]+)*)")
ENDS = re.compile(r"(drop|reject( with (icmpx?|icmpv6|tcp)( type)? [\w-]+)?)$")


def refuses_the_rest(rule: str, of_pods: Collection[str]) -> bool:
    """Whether a rule, as iptables or nft prints it, is such a one; `of_pods`: interfaces that pods are behind."""
    return _of_iptables(rule, of_pods) if rule.startswith("-A ") else _of_nft(rule, of_pods)


def _of_iptables(rule: str, of_pods: Collection[str]) -> bool:
    try:
        words = iter(shlex.split(rule)[2:])
    except ValueError:  # a quotation mark without another
        return False
    inverted = False
    for word in words:
        if word == "!":
            inverted = True
            continue
        if word == "-j":
            return next(words, "") in TARGETS and _is_refusal(words)
        value = next(words, "")
        if not _says_little(word, value, inverted, of_pods):
            return False
        inverted = False
    return False


def _says_little(option: str, value: str, inverted: bool, of_pods: Collection[str]) -> bool:
    """Whether an option of a rule leaves it one that refuses the rest."""
    if option in ("-i", "-o"):
        return inverted or not _is_of_pods(value, of_pods)
    if option in STATE_OPTIONS:
        named = {*value.split(",")}
        return "NEW" in (STATES - named if inverted else named)
    return option == "--comment" or (option == "-m" and value in MATCHES)


def _is_refusal(rest: Iterator[str]) -> bool:
    """Whether behind the target nothing stands but how it refuses."""
    words = list(rest)
    return not words or (len(words) == 2 and words[0] == "--reject-with")


def _is_of_pods(interface: str, of_pods: Collection[str]) -> bool:
    """Whether it is one that pods are behind, or `veth+`, which stands for several of them."""
    return any(name == interface or name.startswith(interface.rstrip("+") or name) for name in of_pods)


def _of_nft(rule: str, of_pods: Collection[str]) -> bool:
    said = SAYS_NOTHING.sub("", rule).strip()
    ends = ENDS.search(said)
    if not ends:
        return False
    rest = said[: ends.start()]
    for found in CT_STATE.finditer(rest):
        if "new" not in re.findall(r"[a-z]+", found[1]):
            return False
    for found in INTERFACE.finditer(rest):
        if "!=" not in found[0] and found[1] in of_pods:
            return False
    return not INTERFACE.sub("", CT_STATE.sub("", rest)).strip()
