"""The rules of iptables-save: tables, chains, policies, and whom they masquerade."""

from __future__ import annotations

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import services_in_rules
from netdoctor.facts.node.iptables import Ruleset, masquerade_sources
from netdoctor.facts.node.masquerade import covered
from tests.facts.texts import IPTABLES


class TestIptables:
    def test_tables_chains_rules_and_policies(self) -> None:
        rules = Ruleset.parse(IPTABLES)
        assert rules.policies == {"filter": {"INPUT": "ACCEPT", "FORWARD": "DROP", "OUTPUT": "ACCEPT"},
                                  "nat": {"PREROUTING": "ACCEPT", "POSTROUTING": "ACCEPT"}}  # fmt: skip
        assert len(rules.rules("nat", "KUBE-SERVICES")) == 5
        assert rules.rules("nat", "FLANNEL") == ("-A FLANNEL -d 10.98.0.0/16 -j RETURN",)
        assert rules.has_chain("nat", "KUBE-SERVICES")
        assert not rules.has_chain("mangle", "KUBE-SERVICES")
        assert rules.rules("raw", "PREROUTING") == ()
        assert sum(len(chain) for chain in rules.chains["nat"].values()) == 13

    def test_the_warning_about_legacy_tables_is_no_rule(self) -> None:
        text = "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them\n*filter\n"
        assert Ruleset.parse(text).chains == {"filter": {}}

    def test_nothing(self) -> None:
        assert Ruleset.parse("") == Ruleset({}, {})

    @pytest.mark.parametrize("text", ["-A INPUT -j DROP", ":INPUT ACCEPT [0:0]", "*nat\n:INPUT", "*nat\n:"])
    def test_bad_text(self, text: str) -> None:
        with pytest.raises(CannotRead, match="iptables-save: "):
            Ruleset.parse(text)

    def test_masquerade_by_a_jump_or_at_once_but_not_for_everybody_else(self) -> None:
        assert masquerade_sources(Ruleset.parse(IPTABLES)) == {"10.244.0.5", "172.17.0.0/16"}

    def test_a_prefix_covers_its_addresses(self) -> None:
        assert covered("10.244.0.9", {"10.244.0.0/16"})
        assert covered("10.244.0.9", {"10.244.0.9"})
        assert not covered("10.245.0.9", {"10.244.0.0/16", "10.245.0.8"})

    def test_services_of_the_comments(self) -> None:
        found = {str(s): s for s in services_in_rules(Ruleset.parse(IPTABLES).rules("nat", "KUBE-SERVICES"))}
        assert sorted(found) == ["default/kubernetes", "default/postgres", "kube-system/kube-dns"]
        assert found["default/postgres"].cluster_ip == "10.96.0.50"
        ports = [(p.name, p.protocol, p.port) for p in found["kube-system/kube-dns"].ports]
        assert ports == [("dns", "UDP", 53), ("dns-tcp", "TCP", 53)]

    def test_services_without_endpoints_have_comments_too(self) -> None:
        found = services_in_rules(Ruleset.parse(IPTABLES).rules("filter", "KUBE-SERVICES"))
        assert [(str(s), s.cluster_ip, s.ports[0].port) for s in found] == [("default/gone", "10.96.0.77", 80)]
