"""Commands that a person is told to type: each value stays one inert word, or there is no command."""

from __future__ import annotations

import shlex

import pytest

from netdoctor.redact import one_line
from netdoctor.shell import MOST, all_of, command
from netdoctor.system.rule_removal import who_writes, without_legacy_rule, without_rule

HOSTILE = [
    "; rm -rf /",
    "$(x)",
    "`x`",
    "a b",
    "x' ; y '",
    'x" ; y "',
    "&& y",
    "| y",
    "> /etc/passwd",
    "*",
    "~",
    "#",
    "\\",
]
UNPRINTABLE = ["x\ny", "x\ry", "x\ty", "x\x1b[2Jy", "x\0y", "x\u202ey", "x\u200by", "x\ud800y", "\u2028"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_is_one_word_of_the_shell(value: str) -> None:
    (line,) = command("sudo ip link set dev {} up", value)
    assert shlex.split(line) == ["sudo", "ip", "link", "set", "dev", value, "up"]
    (line,) = command("sudo iptables-legacy {:options}", ("-D", value))
    assert shlex.split(line) == ["sudo", "iptables-legacy", "-D", value]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_inside_a_word_or_behind_a_comment_is_inert(value: str) -> None:
    (line,) = command("kubectl edit service/{}  # nodePort: {}", value, value)
    assert shlex.split(line, comments=True) == ["kubectl", "edit", f"service/{value}"]


@pytest.mark.parametrize("value", [*UNPRINTABLE, "", " ", "-rf", "--all"])
def test_what_cannot_stand_in_a_line_as_it_is_makes_no_command(value: str) -> None:
    assert command("sudo ip link set dev {} up", value) == ()


@pytest.mark.parametrize("value", UNPRINTABLE)
def test_words_that_do_not_print_make_no_command(value: str) -> None:
    assert command("sudo iptables-legacy {:options}", ("-D", value)) == ()
    assert command("sudo iptables-legacy {:options}", ()) == ()


def test_a_secret_makes_no_command() -> None:
    value = "postgresql://app:s3cr3t-Passw0rd@db/app"
    assert one_line(value) != value
    assert command("grep {} x", value) == ()


def test_all_lines_or_none() -> None:
    assert all_of([("a", "b"), ("c",), ("a",)]) == ("a", "b", "c")
    assert all_of([("a",), ()]) == ()
    assert all_of((str(number),) for number in range(MOST + 1)) == ()
    assert all_of([]) == ()


def test_a_rule_is_deleted_by_its_handle_and_a_policy_accepts() -> None:
    assert without_rule("inet", "corp", "guard", 2) == ("sudo nft delete rule inet corp guard handle 2",)
    assert without_rule("ip", "filter", "FORWARD", 0) == ("sudo nft chain ip filter FORWARD '{ policy accept ; }'",)


@pytest.mark.parametrize(
    ("family", "table", "chain"),
    [
        ("inet", "x; flush ruleset", "y"),  # one word of the shell, and two commands of nft
        ("inet", "x", "y\nflush ruleset"),
        ("inet", "x", "y handle 1; flush ruleset; #"),
        ("inet; flush ruleset", "x", "y"),
        ("?", "x", "y"),
        ("inet", "firewalld", "filter_FORWARD"),  # the next reload writes it again
        ("ip", "kube-proxy", "services"),
        ("ip", "nat", "KUBE-SERVICES"),
    ],
)
def test_a_name_that_nft_would_read_otherwise_or_that_is_kept_up_makes_no_command(
    family: str, table: str, chain: str
) -> None:
    assert without_rule(family, table, chain, 2) == ()
    assert without_rule(family, table, chain, 0) == ()


def test_a_rule_of_legacy_iptables_is_deleted_by_its_own_words() -> None:
    rule = 'filter -A FORWARD -p tcp -m comment --comment "no $(x); \\"db\\"" -m tcp --dport 5432 -j DROP'
    (line,) = without_legacy_rule(rule)
    assert shlex.split(line) == [
        "sudo", "iptables-legacy", "-t", "filter", "-D", "FORWARD", "-p", "tcp", "-m", "comment", "--comment",
        'no $(x); "db"', "-m", "tcp", "--dport", "5432", "-j", "DROP",
    ]  # fmt: skip
    assert without_legacy_rule("filter policy DROP of FORWARD") == ("sudo iptables-legacy -t filter -P FORWARD ACCEPT",)


@pytest.mark.parametrize("rule", ["", "filter", 'filter -A FORWARD --comment "x', "filter -F", "-A FORWARD -j DROP"])
def test_what_is_no_rule_of_legacy_iptables_makes_no_command(rule: str) -> None:
    assert without_legacy_rule(rule) == ()


@pytest.mark.parametrize(
    ("rule", "pattern", "files"),
    [
        ("tcp dport 5432 counter drop", "5432", "nftables"),
        ("ip saddr 10.244.0.0/16 drop", "10.244.0.0", "nftables"),
        ("-A FORWARD -p tcp -m tcp --dport 5432 -j DROP", "5432", "iptables"),
        ("-A FORWARD -s 10.244.0.3/32 -j DROP", "10.244.0.3", "iptables"),
    ],
)
def test_who_writes_it_is_looked_for_by_a_value_of_the_rule(rule: str, pattern: str, files: str) -> None:
    assert who_writes(rule) == (f"sudo grep -rsn {pattern} /etc/{files}* /etc/sysconfig/{files}*",)


@pytest.mark.parametrize("rule", ["counter drop", "policy drop", "tcp dport @ports drop", 'comment "; reboot" drop'])
def test_a_rule_without_a_value_is_not_looked_for(rule: str) -> None:
    assert who_writes(rule) == ()
