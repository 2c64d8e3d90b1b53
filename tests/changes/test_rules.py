"""iptables rules that are put back: the CNI's, and those of others that firewalld flushes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from netdoctor.changes import _foreign_rules
from netdoctor.changes._firewalld_files import contents
from netdoctor.changes._foreign_rules import missing
from netdoctor.changes.direct_rules import _only_accepts
from netdoctor.changes.file import FileState
from netdoctor.changes.masquerade import PodRules, RestoreMasquerade
from netdoctor.errors import CannotRead, Drifted
from netdoctor.facts.node.iptables import Ruleset
from netdoctor.system.host import Host

CONTAINER = "d2b014e04d6df6855fec08c33e9c0762ffcb4b1efdd825161da1dcd57db36319"
# as iptables-save printed them on a node where the plugin (1.9.1) had written them
WRITTEN = rf"""*nat
:POSTROUTING ACCEPT [0:0]
:CNI-f447a9ec3242f0727c1c5747 - [0:0]
-A POSTROUTING -s 10.244.0.6/32 -m comment --comment "name: \"bridge\" id: \"{CONTAINER}\"" -j CNI-f447a9ec3242f0727c1c5747
-A CNI-f447a9ec3242f0727c1c5747 -d 10.244.0.0/16 -m comment --comment "name: \"bridge\" id: \"{CONTAINER}\"" -j ACCEPT
-A CNI-f447a9ec3242f0727c1c5747 ! -d 224.0.0.0/4 -m comment --comment "name: \"bridge\" id: \"{CONTAINER}\"" -j MASQUERADE
COMMIT
"""  # noqa: E501
POD = ("default/client", "bridge", CONTAINER, "10.244.0.6", "10.244.0.0/16")


def test_the_rules_are_the_plugins_to_the_letter() -> None:
    rules = Ruleset.parse(WRITTEN)
    pod = PodRules(*POD, None, False)
    assert pod.now(rules) == (pod.rules, True)
    assert RestoreMasquerade.planned([POD], rules).pods == ()


def test_what_was_there_is_kept_in_mind() -> None:
    flushed = "*nat\n:POSTROUTING ACCEPT [0:0]\n:CNI-f447a9ec3242f0727c1c5747 - [0:0]\nCOMMIT\n"
    assert RestoreMasquerade.planned([POD], Ruleset.parse(flushed)).pods[0].chain_was == ()
    assert RestoreMasquerade.planned([POD], Ruleset.parse("*nat\nCOMMIT\n")).pods[0].chain_was is None


def test_rules_of_others_are_written_again_and_none_twice() -> None:
    before = Ruleset.parse(
        "*filter\n:OUTPUT ACCEPT [0:0]\n:KUBE - [0:0]\n-A OUTPUT -j KUBE\n-A OUTPUT -j LOG\n-A KUBE -j DROP\nCOMMIT\n"
        "*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
    )
    now = Ruleset.parse("*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -j ACCEPT\n-A OUTPUT -j LOG\nCOMMIT\n")
    assert missing(before, now) == "*filter\n:KUBE - [0:0]\n-A OUTPUT -j KUBE\n-A KUBE -j DROP\nCOMMIT\n"
    assert missing(before, before) == ""


def test_a_chain_that_its_owner_has_written_anew_is_left_to_him() -> None:
    chain = "*nat\n:KUBE-SVC-A - [0:0]\n-A KUBE-SVC-A -j KUBE-SEP-{}\nCOMMIT\n"
    assert missing(Ruleset.parse(chain.format("OLD")), Ruleset.parse(chain.format("NEW"))) == ""
    emptied = Ruleset.parse("*nat\n:KUBE-SVC-A - [0:0]\nCOMMIT\n")
    assert missing(Ruleset.parse(chain.format("OLD")), emptied) == chain.format("OLD")


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
def test_damage_to_what_was_kept_is_said(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_foreign_rules, "KEPT", str(tmp_path / "kept.json"))
    (tmp_path / "kept.json").write_text(text)
    with pytest.raises(CannotRead, match=r"kept\.json: damaged: iptables rules of others may be missing"):
        _foreign_rules.put_back(Host())
    assert (tmp_path / "kept.json").exists()


@pytest.mark.parametrize("encoding", ["shift_jis", "no-such-thing"])
def test_a_zone_file_in_another_encoding(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><zone/>'
    with pytest.raises(Drifted, match="not XML"):
        contents(FileState(text, 0o644, 0, 0))


def test_only_a_plain_accept_is_without_effect() -> None:
    assert _only_accepts(("ipv4", "filter", "OUTPUT", 0, ("-p", "udp", "--dport", "53", "-j", "ACCEPT")))
    assert not _only_accepts(("ipv4", "filter", "INPUT", 0, ("-s", "192.0.2.1", "-j", "DROP")))
    assert not _only_accepts(("ipv4", "nat", "OUTPUT", 0, ("-j", "ACCEPT")))
    assert not _only_accepts(("eb", "filter", "INPUT", 0, ("-j", "ACCEPT")))


@dataclass(frozen=True)
class Tables(Host):
    """iptables of one text, into which nothing is to be restored."""

    text: str = ""

    def run(self, argv: Sequence[str], timeout: float = 3.0, stdin: str | None = None) -> str:
        assert argv[0] == "iptables-nft-save", f"{argv}: {stdin}"
        return self.text


def test_rules_that_somebody_has_written_once_more_are_left() -> None:
    jump = next(line for line in WRITTEN.splitlines() if line.startswith("-A POSTROUTING"))
    change = RestoreMasquerade((PodRules(*POD, None, False),), False)
    with pytest.raises(Drifted, match="once more since"):
        change.undo(Tables(text=WRITTEN.replace(jump, f"{jump}\n{jump}")))
