"""Which file keeps a setting at boot, and where none can."""

from __future__ import annotations

import pytest

from netdoctor.changes.file import WriteFile
from netdoctor.facts.node.sysctl import OTHERS_LAST, SysctlFiles
from netdoctor.remedies.host.keep_settings_at_boot import keep_settings_at_boot
from netdoctor.system.host import Host
from tests.worlds import judge

OFF = "net.ipv4.ip_forward = 0\n"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/etc/sysctl.d/99-x.conf", ["/etc/sysctl.d/zz-99-netdoctor-ip-forward.conf"]),
        ("/etc/sysctl.d/50-x.conf", ["/etc/sysctl.d/99-netdoctor-ip-forward.conf"]),
        (OTHERS_LAST, []),  # nothing comes after it
    ],
)
def test_the_file_that_comes_last(path: str, written: list[str]) -> None:
    files = SysctlFiles({path: OFF})
    findings = judge("settings-undone-at-boot", files).findings
    changes = list(keep_settings_at_boot(findings, files, Host(live=False)))
    assert [change.path for change in changes if isinstance(change, WriteFile)] == written
