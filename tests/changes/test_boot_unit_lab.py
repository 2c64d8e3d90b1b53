"""Rules of netdoctor's own at boot: what systemd starts for multi-user.target makes them again, and undo ends that."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from tests.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]
FAULTS = Path(__file__).parents[1] / "faults"
# as a boot leaves them, before the unit has run
LOST = {
    "cni-without-ip-masq": ("netdoctor-masquerade", "nft delete table ip netdoctor_masquerade"),
    "forward-rejected": (
        "netdoctor-accept",
        "iptables-save -t filter | grep -v netdoctor-accept | iptables-restore -T filter",
    ),
}


@pytest.mark.parametrize("name", list(LOST))
def test_a_boot_makes_the_rules_again_until_they_are_undone(name: str, lab: Lab) -> None:
    unit, lose = LOST[name]
    lab.reset()
    for line in yaml.safe_load((FAULTS / f"{name}.yaml").read_text())["break"]:
        lab.must(line)
    fixed = lab.exec(["netdoctor", "fix", "--yes"])
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    lab.must(lose)
    assert lab.exec(["netdoctor", "check"]).returncode == 1
    lab.must(f"systemctl daemon-reload && systemd-analyze verify {unit}.service")
    lab.must("systemctl start multi-user.target")
    end = time.monotonic() + 20
    while lab.exec(f"systemctl is-active -q {unit}").returncode and time.monotonic() < end:
        time.sleep(0.5)
    checked = lab.exec(["netdoctor", "check"])
    assert checked.returncode == 0, checked.stdout
    lab.must(["netdoctor", "undo"])
    lab.must("systemctl daemon-reload")
    assert lab.exec(f"systemctl cat {unit}").returncode != 0
    assert "netdoctor" not in lab.must("systemctl show multi-user.target -p Wants")
    assert lab.exec(["netdoctor", "check"]).returncode == 1
