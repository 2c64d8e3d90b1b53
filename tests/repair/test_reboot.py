"""A repair outlives a boot: the node's own files would break it again, and do so where nothing was repaired."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.conftest import Lab
from tests.reports import causes
from tests.schemas import valid

# the lab masks systemd-sysctl, which would set values of the machine; those of the network are the node's own
UNIT = """[Unit]
DefaultDependencies=no
After=lab-early.service
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/usr/sbin/sysctl --system --pattern ^net[.]
[Install]
WantedBy=sysinit.target
"""
# what outlives a boot by itself: a file that the boot reads, firewalld's permanent configuration, an object of the API
BREAK = (
    f"printf '%s' '{UNIT}' > /etc/systemd/system/network-sysctl.service && systemctl -q enable network-sysctl",
    "echo 'net.bridge.bridge-nf-call-iptables = 0' > /etc/sysctl.d/99-zz-hardening.conf",
    "sysctl -q --system",
    "firewall-cmd -q --permanent --direct --add-rule ipv4 filter OUTPUT 0 -p udp --dport 53 -j ACCEPT",
    "kubectl -n kube-system scale deployment coredns --replicas=0",
)
RELOAD = "firewall-cmd -q --reload"  # forgets the pods' sources, and flushes iptables for the direct rule
REPAIRS = (
    "enable-bridge-netfilter", "remove-direct-rules", "restore-pod-masquerade", "scale-coredns", "trust-pod-network",
)  # fmt: skip
AT_BOOT = {"bridge-netfilter-disabled", "coredns-not-ready"}
STARTS = 120  # seconds for the pods of a node that has booted, also on a slow machine


def booted(lab: Lab, wanted: set[str]) -> None:
    """Boot the node again, and wait until `check` names these causes and no others."""
    lab.reboot()
    end = time.monotonic() + STARTS
    while True:
        report = look(lab)
        if {*causes(report)} == wanted and not (wanted == set() and report["exit_code"]):
            return
        assert time.monotonic() < end, report
        time.sleep(2)


def look(lab: Lab) -> dict[str, Any]:
    return valid("report", lab.exec(["netdoctor", "check", "--output", "json"]).stdout)


@pytest.mark.lab
@pytest.mark.timeout(1200)
def test_what_is_repaired_is_still_repaired_after_a_boot(lab: Lab) -> None:
    lab.reset("2.3")
    for line in BREAK:
        lab.must(line)
    booted(lab, AT_BOOT)
    lab.must(RELOAD)

    done = lab.exec(["netdoctor", "fix", "--yes"])
    assert done.returncode == 0, done.stdout + done.stderr
    for remedy in REPAIRS:
        assert remedy in done.stdout, done.stdout
    booted(lab, set())
    assert lab.must("firewall-cmd --permanent --direct --get-all-rules").strip() == ""

    undone = lab.exec(["netdoctor", "undo"])
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert set(causes(look(lab))) >= AT_BOOT
