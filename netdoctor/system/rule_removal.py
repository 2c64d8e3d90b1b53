"""The commands that take a rule of a packet filter away, or have a chain accept, and that find who writes it.

nft reads its arguments as one text: a name that is not a plain one could say something else there, and gets no command.
"""

from __future__ import annotations

import re
import shlex

from netdoctor.shell import command

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
FAMILIES = ("ip", "ip6", "inet", "bridge", "netdev", "arp")
KEPT_UP = ("firewalld", "kube-proxy")  # tables whose owner writes again what is taken away
LEGACY_POLICY = re.compile(r"policy DROP of (\S+)")
PLAIN = re.compile(r"\w[\w.-]*", re.ASCII)  # the name of a table or chain
MATCHES = re.compile(r"-[sdiopmjgf]|--[a-z][a-z0-9-]*")  # the options by which a rule matches and ends
LOADS_PROGRAMS = "--mod"  # --modprobe, however it is cut short
# what somebody who writes such a rule into a file has to write: a port or an address, as nft and iptables print it
IN_FILES = re.compile(r"\b(?:dport|sport|daddr|saddr) ([0-9]+(?:\.[0-9]+){3}|[0-9]+)\b|(?:^| )-[ds] ([0-9.]+)")
NFT_FILES = "/etc/nftables* /etc/sysconfig/nftables*"
IPTABLES_FILES = "/etc/iptables* /etc/sysconfig/iptables*"


def without_rule(family: str, table: str, chain: str, handle: int) -> tuple[str, ...]:
    """Delete the rule with this handle, or have the chain accept by its policy for handle 0; () where it cannot be."""
    plain = family in FAMILIES and NAME.fullmatch(table) and NAME.fullmatch(chain)
    if not plain or table in KEPT_UP or chain.startswith("KUBE-"):
        return ()
    if handle:
        return command("sudo nft delete rule {} {} {} handle {}", family, table, chain, handle)
    return command("sudo nft chain {} {} {} '{{ policy accept ; }}'", family, table, chain)


def without_legacy_rule(legacy: str) -> tuple[str, ...]:
    """The same for a rule of legacy iptables: its table, and the rule or `policy DROP of CHAIN`."""
    arguments = legacy_arguments(legacy)
    return command("sudo iptables-legacy {:options}", arguments) if arguments else ()


def legacy_arguments(legacy: str) -> tuple[str, ...]:
    """What iptables-legacy is given for it; () for a rule that is not of that form."""
    table, _, rule = legacy.partition(" ")
    if not PLAIN.fullmatch(table):
        return ()
    if policy := LEGACY_POLICY.fullmatch(rule):
        return ("-t", table, "-P", policy[1], "ACCEPT") if PLAIN.fullmatch(policy[1]) else ()
    try:
        words = shlex.split(rule)
    except ValueError:  # a quotation mark without another
        return ()
    is_rule = words[:1] == ["-A"] and len(words) > 1 and PLAIN.fullmatch(words[1])
    return ("-t", table, "-D", *words[1:]) if is_rule and all(map(_is_of_a_rule, words[2:])) else ()


def _is_of_a_rule(word: str) -> bool:
    """Whether iptables takes the word for a part of a rule: another command, or a program to load, is none."""
    return not word.startswith("-") or (MATCHES.fullmatch(word) is not None and not word.startswith(LOADS_PROGRAMS))


def who_writes(rule: str) -> tuple[str, ...]:
    """Look in the files of packet filters for a port or an address that the rule has; () where it has neither."""
    found = IN_FILES.search(rule)
    by_iptables = " -j " in rule
    files = IPTABLES_FILES if by_iptables else NFT_FILES
    return command(f"sudo grep -rsn {{}} {files}", found[1] or found[2]) if found else ()
