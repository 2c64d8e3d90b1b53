"""Whether firewalld has read a zone's file, by its permanent settings as the bus tells them (getSettings2)."""

from __future__ import annotations

from typing import Any

import pytest

from netdoctor.changes._firewalld_files import is_read
from netdoctor.changes.file import FileState

ZONE = """<?xml version="1.0" encoding="utf-8"?>
<zone target="ACCEPT">
  <short>Trusted</short>
  <service name="ssh"/>
  <port port="8443" protocol="tcp"/>
  <source address="10.244.0.0/16"/>
  <masquerade/>
  <forward/>
  <rule family="ipv4"><source address="192.0.2.1"/><accept/></rule>
</zone>
"""
SETTINGS: dict[str, tuple[str, Any]] = {
    "target": ("s", "ACCEPT"), "short": ("s", "Trusted"), "services": ("as", ["ssh"]),
    "ports": ("a(ss)", [("8443", "tcp")]), "sources": ("as", ["10.244.0.0/16"]), "masquerade": ("b", True),
    "forward": ("b", True), "icmp_block_inversion": ("b", False),
    "rules_str": ("as", ['rule family="ipv4" source address="192.0.2.1" accept']),
}  # fmt: skip
EDITS = {
    "another service": ("ssh", "http"),
    "another port": ("8443", "8444"),
    "another source": ("10.244.0.0", "10.245.0.0"),
    "no masquerade": ("<masquerade/>", ""),
    "no forward": ("<forward/>", ""),
    "icmp-block-inversion": ("<forward/>", "<forward/><icmp-block-inversion/>"),
    "a protocol": ("<forward/>", '<forward/><protocol value="gre"/>'),
    "a forwarded port": ("<forward/>", '<forward/><forward-port port="80" protocol="tcp" to-port="8080"/>'),
    "another target": ('target="ACCEPT"', 'target="DROP"'),
    "no target": (' target="ACCEPT"', ""),
    "one rule more": ("</zone>", "<rule><accept/></rule></zone>"),
    "no XML": ("</zone>", ""),
}


def test_a_file_that_says_what_firewalld_says_is_read() -> None:
    assert is_read(FileState(ZONE, 0o644, 0, 0), SETTINGS)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_seen(edit: str) -> None:
    before, after = EDITS[edit]
    assert before in ZONE
    assert not is_read(FileState(ZONE.replace(before, after, 1), 0o644, 0, 0), SETTINGS)
