"""firewalld's files while it is stopped: netdoctor's own part goes, and whatever others wrote since stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netdoctor.changes import direct_rules, firewalld
from netdoctor.changes.direct_rules import RemoveDirectRules
from netdoctor.changes.file import FileState
from netdoctor.changes.firewalld import TrustSource
from netdoctor.errors import Drifted
from netdoctor.repair.records import rebuild
from netdoctor.system.host import Host

pytestmark = pytest.mark.skipif(Path("/run/dbus/system_bus_socket").exists(), reason="a firewalld might answer here")
POD_NETWORK, OTHER_NETWORK, USERS = "10.244.0.0/16", "fd00:10:244::/64", "192.0.2.0/24"
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
SHIPPED = f'{HEAD}<zone target="ACCEPT">\n  <short>Trusted</short>\n  <forward/>\n</zone>\n'
OURS = f'  <source address="{POD_NETWORK}"/>\n'
THEIRS = f'  <source address="{USERS}"/>\n'


def with_lines(text: str, *lines: str) -> str:
    return text.replace("</zone>", "".join(lines) + "</zone>")


@pytest.fixture
def zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, folder in (("ETC_ZONES", "etc"), ("USR_ZONES", "usr")):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(firewalld, name, str(tmp_path / folder))
    (tmp_path / "usr" / "trusted.xml").write_text(SHIPPED)
    return tmp_path / "etc" / "trusted.xml"


def planned(zones: Path) -> TrustSource:
    return TrustSource("trusted", POD_NETWORK, False, False, FileState.read(str(zones)), FileState.read(f"{zones}.old"))


class TestZone:
    def test_what_only_we_have_written_goes(self, zones: Path) -> None:
        change = planned(zones)
        zones.write_text(with_lines(SHIPPED, OURS))
        Path(f"{zones}.old").write_text(SHIPPED)
        assert change.undo(Host()) is None
        assert list(zones.parent.iterdir()) == []
        assert change.undo(Host()) is None

    def test_a_file_that_was_there_comes_back_to_the_byte(self, zones: Path) -> None:
        before = with_lines(SHIPPED, "<!-- by hand -->\n", "\t<source   address='192.0.2.0/24'/>\n")
        zones.write_text(before)
        zones.chmod(0o600)
        change = planned(zones)
        Path(f"{zones}.old").write_text(before)
        zones.write_text(with_lines(SHIPPED, THEIRS, OURS))
        assert change.undo(Host()) is None
        assert zones.read_text() == before
        assert zones.stat().st_mode & 0o777 == 0o600
        assert not Path(f"{zones}.old").exists()

    @pytest.mark.parametrize(
        "later",
        [
            with_lines(SHIPPED, OURS, THEIRS),
            with_lines(SHIPPED, THEIRS, OURS),
            with_lines(SHIPPED, OURS, '  <service name="ssh"/>\n'),
            with_lines(SHIPPED, OURS, "  <!-- do not touch -->\n"),
            with_lines(SHIPPED, f"  <!-- {OURS.strip()} -->\n", OURS),
            with_lines(SHIPPED, OURS).replace('target="ACCEPT"', 'target="DROP"'),
            with_lines(SHIPPED, OURS, f'  <rule><source address="{POD_NETWORK}"/><drop/></rule>\n'),
            with_lines(SHIPPED, OURS).replace("Trusted", "Tr\u00fcsted"),
            with_lines(SHIPPED.replace("\n", ""), OURS.strip(), THEIRS.strip()),
        ],
    )
    @pytest.mark.parametrize("was_there", [False, True])
    def test_others_work_stays_byte_for_byte(self, zones: Path, later: str, was_there: bool) -> None:
        if was_there:
            zones.write_text(SHIPPED)
        change = planned(zones)
        zones.write_bytes(later.encode())
        Path(f"{zones}.old").write_text("theirs")
        zones.chmod(0o604)
        said = change.undo(Host())
        assert said
        assert f"so only {POD_NETWORK} is taken out" in said
        kept = later.replace(OURS if OURS in later else OURS.strip(), "", 1)
        if later.count(OURS.strip()) > 1 and "<!-- <source" in later:
            kept = later.replace(f"-->\n{OURS}", "-->\n")
        assert zones.read_bytes() == kept.encode()
        assert zones.stat().st_mode & 0o777 == 0o604
        assert Path(f"{zones}.old").read_text() == "theirs"

    @pytest.mark.parametrize("later", [with_lines(SHIPPED, THEIRS), with_lines(SHIPPED, "<!-- mine -->")])
    def test_without_ours_nothing_is_touched(self, zones: Path, later: str) -> None:
        change = planned(zones)
        zones.write_text(later)
        said = change.undo(Host())
        assert said
        assert "is no longer in it" in said
        assert zones.read_text() == later

    def test_a_file_that_somebody_has_removed_stays_away(self, zones: Path) -> None:
        zones.write_text(with_lines(SHIPPED, THEIRS))
        change = planned(zones)
        zones.unlink()
        assert change.undo(Host())
        assert not zones.exists()

    @pytest.mark.parametrize(
        "later",
        [
            "no XML",
            with_lines(SHIPPED, f'<source address="{POD_NETWORK}"><!-- x --></source>', THEIRS),
            with_lines(SHIPPED, OURS, OURS, THEIRS).replace(OURS, f'<source address="{POD_NETWORK}">x</source>', 1),
        ],
    )
    def test_what_cannot_be_taken_out_alone_is_refused(self, zones: Path, later: str) -> None:
        change = planned(zones)
        zones.write_text(later)
        with pytest.raises(Drifted):
            change.undo(Host())
        assert zones.read_text() == later

    @pytest.mark.parametrize("was_there", [False, True])
    def test_several_networks_of_one_repair_go_one_by_one(self, zones: Path, was_there: bool) -> None:
        if was_there:
            zones.write_text(with_lines(SHIPPED, THEIRS))
        before = zones.read_text() if was_there else None
        first = planned(zones)
        second = replace(first, source=OTHER_NETWORK, earlier=(POD_NETWORK,))
        ours = [OURS, OURS.replace(POD_NETWORK, OTHER_NETWORK)]
        zones.write_text(with_lines(before or SHIPPED, *ours))
        for _ in range(2):
            assert second.undo(Host()) is None
            assert zones.read_text() == with_lines(before or SHIPPED, OURS)
        assert first.undo(Host()) is None
        assert (zones.read_text() if zones.exists() else None) == before

    def test_another_zones_source_at_boot_is_left(self, zones: Path) -> None:
        change = replace(planned(zones), at_boot=True)
        zones.write_text(with_lines(SHIPPED, OURS))
        change.undo(Host())
        assert zones.exists()


RULE = ("ipv4", "filter", "OUTPUT", 0, ("-p", "udp", "--dport", "53", "-j", "ACCEPT"))
LINE = '  <rule ipv="ipv4" table="filter" chain="OUTPUT" priority="0">{}</rule>\n'
MINE = LINE.format("-p udp --dport 53 -j ACCEPT")
DIRECT, NONE = f"{HEAD}<direct>\n{MINE}</direct>\n", f"{HEAD}<direct>\n</direct>\n"


@pytest.fixture
def direct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(direct_rules, "DIRECT_FILE", str(tmp_path / "direct.xml"))
    (tmp_path / "direct.xml").write_text(DIRECT)
    return tmp_path / "direct.xml"


def removed(direct: Path) -> RemoveDirectRules:
    change = RemoveDirectRules((RULE,), (RULE,), FileState.read(str(direct)), None)
    Path(f"{direct}.old").write_text(direct.read_text())  # as firewalld does
    direct.write_text(NONE)
    return change


class TestDirectRules:
    def test_what_we_took_out_comes_back_to_the_byte(self, direct: Path) -> None:
        change = removed(direct)
        change.undo(Host())
        assert direct.read_text() == DIRECT
        assert not Path(f"{direct}.old").exists()
        change.undo(Host())
        assert direct.read_text() == DIRECT

    @pytest.mark.parametrize(
        "later",
        [
            NONE.replace("</direct>", LINE.format("-s 192.0.2.7 -j DROP") + "</direct>"),
            NONE.replace("</direct>", '<passthrough ipv="ipv4">-A INPUT -j DROP</passthrough></direct>'),
            NONE.replace("</direct>", '<chain ipv="ipv4" table="filter" chain="mine"/></direct>'),
            NONE.replace("</direct>", "<!-- keep it empty -->\n</direct>"),
            "half of a fi",
        ],
    )
    def test_others_rules_stay(self, direct: Path, later: str) -> None:
        change = removed(direct)
        direct.write_text(later)
        Path(f"{direct}.old").write_text("theirs")
        with pytest.raises(Drifted):
            change.undo(Host())
        assert (direct.read_text(), Path(f"{direct}.old").read_text()) == (later, "theirs")

    def test_a_file_that_was_not_changed_is_not_touched(self, direct: Path) -> None:
        direct.write_text(NONE)
        change = RemoveDirectRules((RULE,), (), FileState.read(str(direct)), None)
        later = NONE.replace("</direct>", LINE.format("-s 192.0.2.7 -j DROP") + "</direct>")
        direct.write_text(later)
        change.undo(Host())
        assert direct.read_text() == later


FILE = {"data": SHIPPED, "mode": 0o644, "uid": 0, "gid": 0}
SOURCE = {
    "zone": "trusted",
    "source": POD_NETWORK,
    "at_run_time": False,
    "at_boot": False,
    "file": None,
    "backup": None,
}
DIRECT_RULES = {"in_force": [[*RULE[:4], [*RULE[4]]]], "at_boot": [], "file": None, "backup": None}
POD = {
    "pod": "a/b", "network": "bridge", "container_id": "c0ffee", "address": "10.244.0.6", "prefix": POD_NETWORK,
    "chain_was": None, "jump_was": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fields", "hostile"),
    [
        ("firewalld-source", SOURCE, {"zone": "../../cron.d/x"}),
        ("firewalld-source", SOURCE, {"zone": ""}),
        ("firewalld-source", SOURCE, {"source": "0.0.0.0/0\"/><x"}),
        ("firewalld-source", SOURCE, {"source": "fe80::1%eth0"}),
        ("firewalld-source", SOURCE, {"earlier": ["x"]}),
        ("firewalld-source", SOURCE, {"file": FILE | {"mode": 0o4755}}),
        ("firewalld-source", SOURCE, {"backup": FILE | {"mode": 0o2755}}),
        ("firewalld-direct", DIRECT_RULES, {"in_force": [["ipv4", "filter", "INPUT", 0, ["-j", "DROP"]]]}),
        ("firewalld-direct", DIRECT_RULES, {"at_boot": [["ipv4", "nat", "OUTPUT", 0, ["-j", "ACCEPT"]]]}),
        ("firewalld-direct", DIRECT_RULES,
         {"file": FILE | {"data": '<direct><passthrough ipv="ipv4">-F</passthrough></direct>'}}),
        ("firewalld-direct", DIRECT_RULES, {"file": FILE | {"data": DIRECT.replace("ACCEPT", "DROP")}}),
        ("firewalld-direct", DIRECT_RULES, {"file": FILE | {"data": "no XML"}}),
        ("module", {"name": "br_netfilter"}, {"name": "nf_tables"}),
        ("pod-masquerade", {"pods": [POD], "forgets": False}, {"pods": [POD | {"network": "x\n-F INPUT"}]}),
        ("pod-masquerade", {"pods": [POD], "forgets": False}, {"pods": [POD | {"address": "10.0.0.1/0 -j ACCEPT"}]}),
        ("pod-masquerade", {"pods": [POD], "forgets": False}, {"pods": [POD | {"chain_was": ["-F"]}]}),
        ("pod-masquerade", {"pods": [POD], "forgets": False}, {"pods": [POD | {"chain_was": ["-A INPUT -j DROP"]}]}),
    ],
)  # fmt: skip
def test_a_journal_that_no_repair_has_written(kind: str, fields: dict[str, object], hostile: dict[str, object]) -> None:
    assert rebuild(kind, fields).kind == kind
    with pytest.raises(ValueError, match=f"no remedy makes this change of kind {kind}"):
        rebuild(kind, fields | hostile)
