"""firewalld's configuration and the rules that it makes of it."""

from __future__ import annotations

import pytest

from netdoctor.facts.node.firewalld import Firewalld, Zone, direct_words, zone_of
from netdoctor.facts.node.firewalld_rules import FORWARD, INPUT, FirewalldRules
from tests.builders import firewalld, zone
from tests.facts.texts import NFT


class TestFirewalld:
    def test_the_last_word_of_a_zone(self) -> None:
        rules = FirewalldRules.parse(NFT)
        own = "inet firewalld filter_FWD_public: reject with icmpx admin-prohibited # handle 390"
        base = "inet firewalld filter_FORWARD: reject with icmpx admin-prohibited # handle 232"
        assert rules.last_word(FORWARD, "public") == own
        assert rules.last_word(FORWARD, "trusted") == base
        assert rules.last_word(INPUT, "public") == ""
        assert FirewalldRules.parse("").chains == {}

    @pytest.mark.parametrize(
        ("address", "interface", "expected"),
        [
            ("10.244.0.5", "bridge", ("narrow", "source 10.244.0.0/24")),  # the longer prefix
            ("10.244.9.5", "bridge", ("wide", "source 10.244.0.0/16")),  # a source before an interface
            ("10.9.0.5", "bridge", ("by-interface", "interface bridge")),
            ("10.9.0.5", "eth7", ("public", "the default zone")),
            ("10.244.0.77", "", ("single", "source 10.244.0.77")),
        ],
    )
    def test_precedence(self, address: str, interface: str, expected: tuple[str, str]) -> None:
        zones = {
            z.name: z
            for z in (
                zone("public"), zone("by-interface", interfaces=("bridge",)),
                zone("wide", sources=("10.244.0.0/16", "00:11:22:33:44:55", "ipset:pods")),
                zone("narrow", sources=("10.244.0.0/24", "fd00::/64")), zone("single", sources=("10.244.0.77",)),
            )
        }  # fmt: skip
        state = Firewalld(True, "2.3", "public", zones, {}, (), (), (), "", "")
        found, by = state.zone_of_address(address, interface)
        assert (found.name, by) == expected

    def test_where_it_does_not_run(self) -> None:
        with pytest.raises(KeyError):
            Firewalld.absent().zone_of_address("10.244.0.5", "bridge")
        assert firewalld("10.244.0.0/16").zone_of_address("10.244.0.5", "")[0].name == "trusted"

    def test_settings_as_d_bus_gives_them(self) -> None:
        settings = {"target": ("s", "{chain}_{zone}"), "interfaces": ("as", ["eth0"]), "forward": ("b", True)}
        assert zone_of("public", settings) == Zone("public", "default", ("eth0",), (), True, False)
        assert zone_of("empty", {}).target == "default"

    def test_direct_words(self) -> None:
        assert direct_words(
            [("ipv4", "filter", "mine")], [("ipv4", "filter", "OUTPUT", 0, ["-j", "ACCEPT"])], [("ipv4", ["-F"])]
        ) == (
            "--add-chain ipv4 filter mine", "--add-rule ipv4 filter OUTPUT 0 -j ACCEPT", "--passthrough ipv4 -F",
        )  # fmt: skip
