"""Kernel settings, in a network namespace of their own; and which file the next boot needs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from netdoctor.changes._at_boot import keep_at_boot
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import BadInput, Drifted
from netdoctor.facts.node.sysctl import IP_FORWARD, SysctlFiles, path_of
from netdoctor.system.host import Host

ROUND_TRIP = """
import pathlib, subprocess, sys
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import Drifted
from netdoctor.system.host import Host
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
subprocess.run(["ip", "link", "add", "veth7", "type", "veth", "peer", "name", "peer7"], check=True)
put("conf/veth7/rp_filter", "0")
loose = SetSysctl.planned(host, "net.ipv4.conf.veth7.rp_filter", "2")
loose.apply(host); put("conf/veth7/rp_filter", "1")
try:
    loose.undo(host)
except Drifted as error:
    assert "somebody has changed it, or interface veth7 was recreated, since netdoctor set it to 2" in str(error), error
else:
    sys.exit("drift was not seen")
subprocess.run(["ip", "link", "delete", "veth7"], check=True)
loose.undo(host)
try:
    loose.check(host)
except Drifted as error:
    assert str(error).startswith("interface veth7 is gone: net.ipv4.conf.veth7.rp_filter no longer exists"), error
else:
    sys.exit("it was not missed")
print("fine")
"""
FOLLOWERS = """
import pathlib, subprocess
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import Drifted
from netdoctor.system.host import Host
def put(path, value):
    pathlib.Path("/proc/sys/net", path).write_text(value)
def get(path):
    return pathlib.Path("/proc/sys/net", path).read_text().strip()
for name in ("veth7", "veth8", "veth9"):
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
host = Host()
v4, veth = "ipv4/conf/{}/forwarding", "net.ipv4.conf.{}.forwarding"
put("ipv4/ip_forward", "0"); put(v4.format("veth7"), "1"); put(v4.format("veth8"), "1")
change = SetSysctl.planned(host, "net.ipv4.ip_forward", "1")
change.check(host); change.apply(host)
assert change.undo(host) is None, "nobody has set anything"
change.apply(host)
put(v4.format("veth7"), "0")                  # somebody turns one off that was on before
put("ipv4/conf/all/accept_redirects", "1")
subprocess.run(["ip", "link", "add", "new0", "type", "bridge"], check=True)   # and one that came since
put(v4.format("new0"), "0")
said = change.undo(host)
assert get("ipv4/ip_forward") == "0"
assert get(v4.format("veth7")) == "0", "somebody's"
assert get(v4.format("veth8")) == "1", "as before"
assert get(v4.format("veth9")) == "0", "as before"
assert get("ipv4/conf/all/accept_redirects") == "1"
assert "/proc/sys/net/ipv4/conf/veth7/forwarding = 0" in said and "somebody has set" in said, said
assert "veth8" not in said and "veth9" not in said, said
said = change.undo(host)
assert get(v4.format("veth8")) == "1"
six = SetSysctl.planned(host, "net.ipv6.conf.all.forwarding", "1")
six.apply(host)
put("ipv6/conf/veth9/forwarding", "2")        # a value of its own
said = six.undo(host)
assert get("ipv6/conf/veth9/forwarding") == "2" and "veth9" in said, said
assert get("ipv6/conf/veth8/forwarding") == "0"
again = SetSysctl.planned(host, "net.ipv4.ip_forward", "1")
put(v4.format("veth9"), "1")
try:
    again.check(host)
except Drifted as error:
    assert "veth9/forwarding is 1, and it was 0 when the repair was planned" in str(error)
else:
    raise SystemExit("a follower that has changed since the plan was not seen")
print("fine")
"""

ADOPTED = """
import pathlib, subprocess
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.system.host import Host
for folder in ("/etc/sysctl.d", "/run"):
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
host, forward, files = Host(), pathlib.Path("/proc/sys/net/ipv4/ip_forward"), pathlib.Path("/etc/sysctl.d")
def planned():
    forward.write_text("0")
    change = SetSysctl.planned(host, "net.ipv4.ip_forward", "1")
    change.apply(host)
    return change
def now():
    return forward.read_text().strip()
change = planned()
(files / "99-netdoctor-ip-forward.conf").write_text("net.ipv4.ip_forward = 1\\n")
assert change.undo(host) is None and now() == "0", "a file of our own is nobody's wish"
change = planned()
(files / "50-router.conf").write_text("net.ipv4.ip_forward = 1\\n")
said = change.undo(host)
assert now() == "1" and "/etc/sysctl.d/50-router.conf has set it since" in said, said
assert planned().undo(host) is None and now() == "0", "it said so before the repair, too"
(files / "50-router.conf").unlink()
change = planned()
(files / "50-router.conf").write_text("net.ipv4.conf.all.forwarding = 0\\n")
assert change.undo(host) is None and now() == "0", "somebody wants what undo makes"
print("fine")
"""


STORIES = {"as before": ROUND_TRIP, "others have set followers": FOLLOWERS, "a file has set it since": ADOPTED}


@pytest.mark.parametrize("story", STORIES.values(), ids=list(STORIES))
def test_every_setting_is_as_before_after_undo(story: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a network namespace")
    unshare = ["unshare", "--net", "--mount", "sh", "-c", 'mount -t sysfs sysfs /sys 2>/dev/null; exec "$@"', "sh"]
    done = subprocess.run([*unshare, sys.executable, "-c", story], check=False, capture_output=True, text=True)
    if "unshare" in done.stderr and done.returncode:
        pytest.skip(f"no network namespace: {done.stderr.strip()}")
    assert done.stdout == "fine\n", done.stderr


@pytest.mark.parametrize(
    "key",
    ["kernel.core_pattern", "net/../kernel", "net.ipv4/../x", "net", "net.a\n", "net.//.x", "net./.x", "net.a/"],
)
def test_only_network_settings(key: str) -> None:
    with pytest.raises(BadInput):
        SetSysctl(key, "1", "0")


def test_the_dot_of_an_interface_is_a_slash_in_a_key() -> None:
    assert path_of("net.ipv4.conf.eth0/10.rp_filter") == "/proc/sys/net/ipv4/conf/eth0.10/rp_filter"
    files = SysctlFiles({"/etc/sysctl.d/1.conf": "net/ipv4/conf/eth0.10/rp_filter = 2"})
    assert files.setting("net.ipv4.conf.eth0/10.rp_filter") == ("/etc/sysctl.d/1.conf", "2")
    with pytest.raises(Drifted, match=r"interface nil0\.10 is gone"):
        SetSysctl("net.ipv4.conf.nil0/10.rp_filter", "2", "1").check(Host())


@pytest.mark.parametrize(
    ("texts", "name", "note"),
    [
        ({}, "99-netdoctor-ip-forward.conf", ""),
        ({"/usr/lib/sysctl.d/10-x.conf": "net.ipv4.ip_forward=0"}, "99-netdoctor-ip-forward.conf", "10-x"),
        ({"/etc/sysctl.d/99-sysctl.conf": "net/ipv4/ip_forward=0"}, "zz-99-netdoctor-ip-forward.conf", "99-s"),
        ({"/etc/sysctl.d/zz-x.conf": "net.ipv4.ip_forward=0"}, "zzz-99-netdoctor-ip-forward.conf", "because /etc"),
        ({"/run/sysctl.d/zzz-local.conf": "net/ipv4/ip_forward=0"}, "zzzz-99-netdoctor-ip-forward.conf", "zzz-local"),
        ({"/usr/lib/sysctl.d/zzz.conf": "-net.ipv4.ip_forward", "/etc/sysctl.d/zzzz.conf": f"{IP_FORWARD}=0"},
         "zzzzz-99-netdoctor-ip-forward.conf", "zzzz.conf"),
        ({"/etc/sysctl.d/zzz.conf": "net.ipv4.conf.all.forwarding = 0"}, "zzzz-99-netdoctor-ip-forward.conf", "zzz."),
        # a name that nothing in z sorts after
        ({"/etc/sysctl.d/~last.conf": "net.ipv4.ip_forward=0"}, "zz-99-netdoctor-ip-forward.conf",
         "no effect at boot: /etc/sysctl.d/~last.conf sorts after it and sets 0"),
        ({"/etc/sysctl.d/~last.conf": "-net.ipv4.ip_forward"}, "zz-99-netdoctor-ip-forward.conf",
         "~last.conf sorts after it and excludes net.ipv4.ip_forward"),
        ({f"/etc/sysctl.d/{'z' * 240}.conf": "net.ipv4.ip_forward=0"}, "99-netdoctor-ip-forward.conf", "no effect"),
        # systemd does not read the last one
        ({"/etc/sysctl.d/50.conf": "net.ipv4.ip_forward=0", "/etc/sysctl.conf": "net.ipv4.ip_forward=1"},
         "99-netdoctor-ip-forward.conf", "because /etc/sysctl.d/50.conf sets 0"),
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


RP_FILTER = "net.ipv4.conf.eth0.rp_filter"


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        # a pattern never overrules the key itself, wherever it stands
        ({"/etc/sysctl.d/zzz.conf": "net.ipv4.conf.*.rp_filter = 1"}, "99-netdoctor-x.conf"),
        ({"/etc/sysctl.d/zzz.conf": "net/ipv4/conf/eth0/rp_filter = 1"}, "zzzz-99-netdoctor-x.conf"),
        ({"/etc/sysctl.d/50.conf": "net.ipv4.conf.*.rp_filter = 2"}, None),
        (
            {"/etc/sysctl.d/50.conf": "net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.eth0.rp_filter"},
            "99-netdoctor-x.conf",
        ),
    ],
)
def test_a_pattern_beside_the_key(texts: dict[str, str], name: str | None) -> None:
    found = keep_at_boot(RP_FILTER, "2", "x", SysctlFiles(texts))
    assert (found and found[0]) == (name and f"/etc/sysctl.d/{name}")
    if found:
        assert SysctlFiles({**texts, found[0]: found[1]}).setting(RP_FILTER) == (found[0], "2")
