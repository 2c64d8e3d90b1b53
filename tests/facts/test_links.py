"""The interfaces of a node."""

from __future__ import annotations

import json

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.node.links import Interface, Links, NextHop
from netdoctor.facts.traffic.next_hops import Gateways
from netdoctor.system.host import Host
from tests.builders import SILENT, upstream_answers
from tests.facts.texts import LINKS

ROUTES = """\
default proto static 
	nexthop via 192.0.2.1 dev eth0 weight 1 
	nexthop via 198.51.100.1 dev eth1 weight 1 
10.244.0.0/16 dev bridge proto kernel scope link src 10.244.0.1 
blackhole 198.18.0.0/15 
203.0.113.0/24 via inet6 fe80::1 dev eth2 
"""  # noqa: W291 - as ip prints it


class TestLinks:
    def test_good(self) -> None:
        links = Links(Links.parse(LINKS), ("default via 192.0.2.1 dev eth0", "10.244.0.0/16 dev bridge"))
        bridge = links.named("bridge")
        assert bridge is not None
        assert (bridge.kind, bridge.up, bridge.carrier) == ("bridge", True, False)
        assert links.named("veth1") == Links.parse(LINKS)[2]
        assert links.named("eth9") is None
        assert links.default_routes == ("default via 192.0.2.1 dev eth0",)

    def test_next_hops_stand_in_the_route_or_below_it(self) -> None:
        routes = Links.parse_routes(ROUTES)
        links = Links((), routes)
        assert routes[:2] == (
            "default proto static nexthop via 192.0.2.1 dev eth0 weight 1 nexthop via 198.51.100.1 dev eth1 weight 1",
            "10.244.0.0/16 dev bridge proto kernel scope link src 10.244.0.1",
        )
        assert links.default_devices == ("eth0", "eth1")
        assert [(hop.gateway, hop.device) for hop in links.next_hops("8.8.8.8")] == [
            ("192.0.2.1", "eth0"), ("198.51.100.1", "eth1"),
        ]  # fmt: skip
        assert links.next_hops("10.244.0.9") == (NextHop("", "bridge", routes[1]),)
        assert links.next_hops("203.0.113.9") == (NextHop("", "eth2", routes[3]),)
        assert links.next_hops("2001:db8::1") == ()

    def test_a_spare_default_route_is_not_the_first(self) -> None:
        links = Links((), Links.parse_routes("default via 192.0.2.1 dev eth0\ndefault via 1.2.3.4 dev b metric 200\n"))
        assert [hop.device for hop in links.next_hops("8.8.8.8")] == ["eth0"]
        assert links.default_devices == ("eth0", "b")

    def test_who_is_asked_for_by_arp(self) -> None:
        text = json.dumps([
            {"ifindex": 2, "ifname": "eth0", "flags": ["UP"], "mtu": 1500, "address": "02:00:00:00:00:01"},
            {"ifindex": 3, "ifname": "tun0", "flags": ["POINTOPOINT", "NOARP", "UP"], "mtu": 1500},
            {"ifindex": 4, "ifname": "ipip0", "flags": ["UP"], "mtu": 1480, "address": "192.0.2.10"},
            {"ifindex": 5, "ifname": "d0", "flags": ["NOARP", "UP"], "mtu": 1500, "address": "02:00:00:00:00:02"},
        ])  # fmt: skip
        assert {link.name: link.arp for link in Links.parse(text)} == {
            "eth0": True, "tun0": False, "ipip0": False, "d0": False,
        }  # fmt: skip

    def test_a_gateway_behind_a_link_without_arp_is_not_asked(self) -> None:
        tunnel = Interface("tun0", 7, "tun", True, True, "", 1500, ("10.8.0.2",), arp=False)
        links = Links((tunnel,), ("default via 10.8.0.1 dev tun0",))
        assert Gateways.collect(Host(), links, upstream_answers(host=SILENT)).items == ()

    @pytest.mark.parametrize("text", ["", "{}]", "[{}]", "[1]", '[{"ifname": "a", "ifindex": 1, "linkinfo": 3}]',
                                      "3", "null", "[" * 100_000])  # fmt: skip
    def test_bad(self, text: str) -> None:
        with pytest.raises(CannotRead, match="ip address: it did not answer in the expected form"):
            Links.parse(text)
