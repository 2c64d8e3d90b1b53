"""What nft prints of a chain, rule by rule; also of rules of which it can print next to nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from netdoctor.system.host import Host
from netdoctor.system.nft_trace import chain_rules
from tests.twin.network import real, small_node

# nft 1.0.6 without iptables' extensions: `nft -a -s list chain ip nat PREROUTING`
WITHOUT_EXTENSIONS = """table ip nat {
\tchain PREROUTING { # handle 1
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tip daddr 10.96.0.10 xt match "comment" counter packets 0 bytes 0 xt target "DNAT" # handle 3
\t\tmeta l4proto tcp  # handle 4
\t\t # handle 5
\t\tip saddr { 10.0.0.1, 10.0.0.2,
\t\t\t   10.0.0.3 } drop # handle 6
\t\tjump KUBE-SERVICES # handle 9
\t}
}
"""


class Printed(Host):
    """A host on which nft prints this."""

    def run(self, argv: Sequence[str], timeout: float = 3.0, stdin: str | None = None) -> str:
        return WITHOUT_EXTENSIONS


def test_every_rule_is_there_whatever_its_text_ends_with() -> None:
    rules = chain_rules(Printed(), "inet", "t", "PREROUTING")
    assert list(rules) == [3, 4, 5, 6, 9]
    assert rules[4] == "meta l4proto tcp"
    assert rules[5] == ""
    assert rules[6] == "ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.3 } drop"
    assert rules[9] == "jump KUBE-SERVICES"


@real
def test_a_real_chain_with_a_long_set() -> None:
    addresses = ", ".join(f"192.0.2.{last}" for last in range(1, 40, 2))
    with small_node() as node:
        node.sh(
            "nft add table inet t",
            "nft 'add chain inet t c { type filter hook forward priority 0; }'",
            f"nft 'add rule inet t c ip saddr {{ {addresses} }} drop'",
            "nft 'add rule inet t c accept comment \"a { # handle 1\"'",
        )
        rules = node.namespaces["node"].run(lambda: chain_rules(Host(), "inet", "t", "c"))
    first, second = rules.values()
    assert first.startswith("ip saddr { 192.0.2.1, ")
    assert first.endswith("192.0.2.39 } drop")
    assert second == 'accept comment "a { # handle 1"'


@pytest.mark.parametrize("name", ["a;b", "x y", "$(id)", ""])
def test_a_name_that_is_no_plain_one_is_not_given_to_nft(name: str) -> None:
    assert chain_rules(Printed(), "inet", "t", name) == {}
