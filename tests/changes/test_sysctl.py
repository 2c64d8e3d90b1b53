"""Kernel settings, in a network namespace of their own; and which file the next boot needs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from netdoctor.changes._at_boot import keep_at_boot
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import BadInput
from netdoctor.facts.sysctl import IP_FORWARD, SysctlFiles

ROUND_TRIP = """
import pathlib, subprocess, sys
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import Drifted
from netdoctor.host import Host
def snapshot():
    found = {}
    for path in pathlib.Path("/proc/sys/net/ipv4").rglob("*"):
        try:
            found[path] = path.read_text() if path.is_file() else ""
        except OSError:
            found[path] = "unreadable"
    return found
def put(path, value):
    pathlib.Path("/proc/sys/net/ipv4", path).write_text(value)
host, key = Host(), "net.ipv4.ip_forward"
put("ip_forward", "0"); put("conf/lo/forwarding", "1"); put("conf/default/forwarding", "1")
put("conf/all/accept_redirects", "0")
before = snapshot()
change = SetSysctl.planned(host, key, "1")
change.check(host); change.apply(host)
assert pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\\n"
change.undo(host); assert snapshot() == before, "undone"
change.undo(host); assert snapshot() == before, "undone twice"
put("ip_forward", "1"); put("ip_forward", "0")      # killed between the setting and what follows it
change.undo(host); assert snapshot() == before, "half undone"
ttl = SetSysctl.planned(host, "net.ipv4.ip_default_ttl", "70")
ttl.apply(host); put("ip_default_ttl", "71")
try:
    ttl.undo(host)
except Drifted as error:
    assert "somebody has changed it" in str(error)
else:
    sys.exit("drift was not seen")
print("fine")
"""


def test_every_setting_is_as_before_after_undo() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a network namespace")
    unshare = ["unshare", "--net", "--mount", "sh", "-c", 'mount -t sysfs sysfs /sys 2>/dev/null; exec "$@"', "sh"]
    done = subprocess.run([*unshare, sys.executable, "-c", ROUND_TRIP], check=False, capture_output=True, text=True)
    if "unshare" in done.stderr and done.returncode:
        pytest.skip(f"no network namespace: {done.stderr.strip()}")
    assert done.stdout == "fine\n", done.stderr


@pytest.mark.parametrize("key", ["kernel.core_pattern", "net/../kernel", "net.ipv4/../x", "net", "net.a\n"])
def test_only_network_settings(key: str) -> None:
    with pytest.raises(BadInput):
        SetSysctl(key, "1", "0")


@pytest.mark.parametrize(
    ("texts", "name", "note"),
    [
        ({}, "99-netdoctor-ip-forward.conf", ""),
        ({"/usr/lib/sysctl.d/10-x.conf": "net.ipv4.ip_forward=0"}, "99-netdoctor-ip-forward.conf", "10-x"),
        ({"/etc/sysctl.d/99-sysctl.conf": "net/ipv4/ip_forward=0"}, "zz-99-netdoctor-ip-forward.conf", "99-s"),
        ({"/etc/sysctl.conf": "net.ipv4.ip_forward=0"}, "99-netdoctor-ip-forward.conf", "sysctl --system"),
    ],
)  # fmt: skip
def test_the_file_sorts_after_what_says_otherwise(texts: dict[str, str], name: str, note: str) -> None:
    found = keep_at_boot(IP_FORWARD, "1", "ip-forward", SysctlFiles(texts))
    assert found
    assert found[0] == f"/etc/sysctl.d/{name}"
    assert note in found[2]


def test_no_file_where_the_next_boot_ends_well() -> None:
    assert keep_at_boot(IP_FORWARD, "1", "x", SysctlFiles({"/etc/sysctl.d/50-x.conf": f"{IP_FORWARD} = 1"})) is None
