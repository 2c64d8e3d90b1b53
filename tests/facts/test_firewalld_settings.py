"""What firewalld.conf says."""

from __future__ import annotations

import pytest

from netdoctor.facts.node.firewalld_settings import FirewalldSettings


@pytest.mark.parametrize(
    ("text", "strict"),
    [
        ("StrictForwardPorts=yes\n", True),
        ("DefaultZone=public\nStrictForwardPorts = True\n", True),
        ("# StrictForwardPorts=yes\nStrictForwardPorts=no\n", False),
        ("StrictForwardPorts=yesterday\n", False),
        ("", False),
    ],
)
def test_strict_forward_ports(text: str, strict: bool) -> None:
    assert FirewalldSettings.parse(text).strict_forward_ports is strict
