"""The sources that rules name, read off what nft, iptables-save and ipset save print."""

from __future__ import annotations

import pytest

from netdoctor.rehearsal.named_sources import in_rules

IN_NFT = """table inet v {
    set admins {
        type ipv4_addr . inet_service
        flags timeout
        elements = { 203.0.113.9 . 2222 timeout 1h expires 59m, 203.0.113.10 . 2223,
                     203.0.113.11 . 2224 }
    }
    chain in {
        ip saddr . tcp dport @admins accept
    }
}"""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("create a hash:net,port family inet\nadd a 203.0.113.0/24,tcp:2222\n", [("203.0.113.0/24", 2222)]),
        ("create a hash:ip,port,ip\nadd a 2001:db8::7,udp:53,2001:db8::1\n", [("2001:db8::7", 53)]),
        ("create a hash:net,iface\nadd a 203.0.113.0/24,eth0\n", [("203.0.113.0/24", None)]),
        (IN_NFT, [("203.0.113.9", 2222), ("203.0.113.11", 2224)]),
        ("ip saddr . tcp dport { 203.0.113.9 . 2222 } accept", [("203.0.113.9", 2222)]),
    ],
    ids=["an ipset", "an ipset of IPv6", "an ipset with interfaces", "a set of nft", "a set in a rule"],
)
def test_the_port_that_stands_beside_a_source(text: str, wanted: list[tuple[str, int | None]]) -> None:
    found = [(named.sources[0], next(iter(named.ports), None)) for named in in_rules(text)]
    assert found == wanted
