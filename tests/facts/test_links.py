"""The interfaces of a node."""

from __future__ import annotations

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.links import Links
from tests.facts.texts import LINKS


class TestLinks:
    def test_good(self) -> None:
        links = Links(Links.parse(LINKS), ("default via 192.0.2.1 dev eth0", "10.244.0.0/16 dev bridge"))
        bridge = links.named("bridge")
        assert bridge is not None
        assert (bridge.kind, bridge.up, bridge.carrier) == ("bridge", True, False)
        assert links.named("veth1") == Links.parse(LINKS)[2]
        assert links.named("eth9") is None
        assert links.default_routes == ("default via 192.0.2.1 dev eth0",)

    @pytest.mark.parametrize("text", ["", "{}]", "[{}]", "[1]", '[{"ifname": "a", "ifindex": 1, "linkinfo": 3}]',
                                      "3", "null", "[" * 100_000])  # fmt: skip
    def test_bad(self, text: str) -> None:
        with pytest.raises(CannotRead, match="ip address: it did not answer in the expected form"):
            Links.parse(text)
