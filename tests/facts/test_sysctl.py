"""What the files of sysctl settle."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdoctor.facts.node.sysctl import IP_FORWARD, SysctlFiles
from netdoctor.system.host import Host


class TestSysctlFiles:
    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            ({}, None),
            ({"/etc/sysctl.d/a.conf": "# net.ipv4.ip_forward = 1\n;net.ipv4.ip_forward=1\n"}, None),
            ({"/etc/sysctl.d/a.conf": "net/ipv4/ip_forward=0"}, ("/etc/sysctl.d/a.conf", "0")),
            ({"/etc/sysctl.d/a.conf": "-net.ipv4.ip_forward = 0"}, ("/etc/sysctl.d/a.conf", "0")),
            # the name decides, not the folder
            ({"/etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward=1", "/usr/lib/sysctl.d/50-b.conf":
              "net.ipv4.ip_forward=0"}, ("/usr/lib/sysctl.d/50-b.conf", "0")),
            # a name in an earlier folder hides the same name in a later one
            ({"/etc/sysctl.d/50-b.conf": "", "/usr/lib/sysctl.d/50-b.conf": "net.ipv4.ip_forward=0"}, None),
            # /etc/sysctl.conf comes last
            ({"/etc/sysctl.conf": "net.ipv4.ip_forward = 0", "/etc/sysctl.d/99-z.conf": "net.ipv4.ip_forward = 1"},
             ("/etc/sysctl.conf", "0")),
            # of two lines in one file the last one wins
            ({"/etc/sysctl.d/a.conf": "net.ipv4.ip_forward=0\nnet.ipv4.ip_forward=1"}, ("/etc/sysctl.d/a.conf", "1")),
        ],
    )  # fmt: skip
    def test_setting(self, texts: dict[str, str], expected: tuple[str, str] | None) -> None:
        assert SysctlFiles(texts).setting(IP_FORWARD) == expected

    @pytest.mark.parametrize(
        ("line", "key", "value"),
        [
            ("net.ipv4.conf.*.rp_filter = 1", "net.ipv4.conf.eth0.rp_filter", "1"),
            ("net.ipv4.conf.eth[0-3].rp_filter = 1", "net.ipv4.conf.eth0.rp_filter", "1"),
            ("net.*.rp_filter = 1", "net.ipv4.conf.eth0.rp_filter", None),
            ("net.ipv4.conf.eth0/7.rp_filter = 1", "net.ipv4.conf.eth0/7.rp_filter", "1"),
            ("net/ipv4/conf/eth0.7/rp_filter = 1", "net.ipv4.conf.eth0/7.rp_filter", "1"),
            ("net/ipv4/conf/eth0.7/rp_filter = 1", "net.ipv4.conf.eth0.7.rp_filter", None),
            ("/proc/sys/net/ipv4/ip_forward = 1", IP_FORWARD, "1"),
            ("net.ipv4.conf.all.forwarding = 1", IP_FORWARD, "1"),
            ("net.ipv4.ip_forward = 1\n-net.ipv4.ip_forward", IP_FORWARD, None),
        ],
    )
    def test_keys_as_systemd_takes_them(self, line: str, key: str, value: str | None) -> None:
        found = SysctlFiles({"/etc/sysctl.d/a.conf": line}).setting(key)
        assert (found and found[1]) == value

    def test_a_link_to_nothing_hides_a_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        early, late = tmp_path / "etc", tmp_path / "lib"
        early.mkdir()
        late.mkdir()
        (late / "50-b.conf").write_text("net.ipv4.ip_forward = 0\n")
        (late / ".40-hidden.conf").write_text("net.ipv4.ip_forward = 0\n")
        monkeypatch.setattr("netdoctor.facts.node.sysctl.FOLDERS", (str(early), str(late)))
        assert SysctlFiles.collect(Host()).setting(IP_FORWARD) == (str(late / "50-b.conf"), "0")
        (early / "50-b.conf").symlink_to("/dev/null")
        assert SysctlFiles.collect(Host()).setting(IP_FORWARD) is None
