"""br_netfilter is loaded, and unloaded only where nothing has come to use it: the kernel's own count is always 0.

A module is the whole machine's: small programs stand for modprobe and rmmod, and files for what the kernel shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netdoctor.changes import _bridge_users
from netdoctor.changes import module as module_file
from netdoctor.changes.module import LoadModule
from netdoctor.errors import CannotRead, Drifted, NotRehearsable
from netdoctor.system.host import Host

MODULE = "br_netfilter"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of files with the module loaded and one bridge; what is unloaded is written to `unloaded`."""
    for name, attribute in (("module", "MODULES"), ("net", "LINKS"), ("settings", "SETTINGS")):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(_bridge_users, attribute, tmp_path / name)
    monkeypatch.setattr(module_file, "MODULES", tmp_path / "module")
    monkeypatch.setattr(_bridge_users, "FILES", (str(tmp_path / "etc"),))
    monkeypatch.setattr(_bridge_users, "_other_namespaces", lambda _: iter(()))
    write(tmp_path / f"module/{MODULE}/refcnt", "0")
    (tmp_path / f"module/{MODULE}/holders").mkdir()
    (tmp_path / "net/cni0/bridge").mkdir(parents=True)
    write(tmp_path / "net/cni0/brif/veth1", "")
    write(tmp_path / "net/cni0/bridge/nf_call_iptables", "0")
    for name, value in _bridge_users.FIRST_VALUES.items():
        write(tmp_path / "settings" / name, value)
    write(tmp_path / "etc/other.conf", "# nothing\n")
    write(tmp_path / "bin/rmmod", f'#!/bin/sh\nprintf %s "$*" >{tmp_path}/unloaded\n')
    write(
        tmp_path / "bin/modprobe", f'#!/bin/sh\nmkdir {tmp_path}/module/"$1" && echo 0 >{tmp_path}/module/"$1"/refcnt\n'
    )
    for name in ("rmmod", "modprobe"):
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_it_is_loaded_where_it_is_not(machine: Path) -> None:
    shutil.rmtree(machine / "module" / MODULE)
    before = sorted(machine.rglob("*"))
    change = LoadModule.planned(Host(), MODULE)
    assert change.describe() == f"load the kernel module {MODULE}, now"
    assert change.diff() == f"+modprobe {MODULE}"
    change.check(Host())
    with pytest.raises(NotRehearsable, match=f"{MODULE} is not loaded, and a copy cannot load it"):
        change.rehearse(Host())
    assert change.undo(Host(loads=True)) is None  # of an apply that was never begun
    assert sorted(machine.rglob("*")) == before
    change.apply(Host(loads=True))
    assert (machine / "module" / MODULE / "refcnt").exists()
    change.rehearse(Host())  # the copy has it: a module is the whole machine's
    with pytest.raises(Drifted, match=f"{MODULE} is loaded by now"):
        change.check(Host())
    assert change.undo(Host(loads=True)) is None
    assert (machine / "unloaded").read_text() == MODULE


def test_one_that_cannot_be_loaded_is_said(machine: Path) -> None:
    write(machine / "bin/modprobe", "#!/bin/sh\necho 'modprobe: FATAL: Module br_netfilter not found' >&2; exit 1\n")
    with pytest.raises(CannotRead, match=f"modprobe {MODULE}: modprobe: FATAL: Module {MODULE} not found"):
        LoadModule(MODULE).apply(Host(loads=True))


def test_it_goes_where_nothing_has_come(machine: Path) -> None:
    assert LoadModule.planned(Host(), MODULE).undo(Host(loads=True)) is None
    assert (machine / "unloaded").read_text() == MODULE


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("net/cni0/brif/veth2", "", "veth2 at bridge cni0"),
        ("net/docker0/brif/veth3", "", "veth3 at bridge docker0"),
        ("net/cni0/bridge/nf_call_iptables", "1", "nf_call_iptables of bridge cni0"),
        ("net/cni0/bridge/nf_call_arptables", "1", "nf_call_arptables of bridge cni0"),
        ("settings/bridge-nf-filter-vlan-tagged", "1", "net.bridge.bridge-nf-filter-vlan-tagged = 1"),
        ("settings/bridge-nf-call-ip6tables", "0", "net.bridge.bridge-nf-call-ip6tables = 0"),
        ("etc/k8s.conf", f"overlay\n{MODULE}\n", "k8s.conf"),
        ("etc/50-bridge.conf", "net.bridge.bridge-nf-call-iptables=1\n", "50-bridge.conf"),
        (f"module/{MODULE}/refcnt", "1", "counts as a user"),
        (f"module/{MODULE}/holders/xt_other", "", "module xt_other"),
        ("module/xt_physdev/refcnt", "1", "a rule that matches physdev"),
        ("module/xt_physdev/initstate", "live", "a rule that matches physdev"),  # built in: nobody counts
    ],
)
def test_it_stays_for_what_has_come_since(machine: Path, path: str, text: str, said: str) -> None:
    change = LoadModule.planned(Host(), MODULE)
    (machine / "net/docker0/bridge").mkdir(parents=True)
    write(machine / path, text)
    told = change.undo(Host(loads=True))
    assert told
    assert told.startswith(f"{MODULE} stays loaded: these may have come to use it: ")
    assert said in told
    assert not (machine / "unloaded").exists()
    # what was there before the repair is no reason
    assert LoadModule.planned(Host(), MODULE).undo(Host(loads=True)) is None
    assert (machine / "unloaded").exists()


def test_a_journal_of_an_older_version_knows_of_no_user(machine: Path) -> None:
    assert "veth1 at bridge cni0" in str(LoadModule(MODULE).undo(Host(loads=True)))
    assert not (machine / "unloaded").exists()


def test_in_doubt_it_stays(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change = LoadModule.planned(Host(), MODULE)

    def unseen(_: Host) -> object:
        raise CannotRead("/proc/7/ns/net", "permission denied")

    monkeypatch.setattr(_bridge_users, "_other_namespaces", unseen)
    assert "netdoctor cannot see what uses it: /proc/7/ns/net: permission denied" in str(change.undo(Host(loads=True)))
    assert not (machine / "unloaded").exists()


def test_one_that_cannot_be_unloaded_is_said(machine: Path) -> None:
    change = LoadModule.planned(Host(), MODULE)
    write(machine / "bin/rmmod", "#!/bin/sh\necho 'rmmod: ERROR: Module is in use' >&2; exit 1\n")
    assert "stays loaded: rmmod: ERROR: Module is in use" in str(change.undo(Host(loads=True)))


def test_a_built_in_one_is_left(machine: Path) -> None:
    (machine / f"module/{MODULE}/refcnt").unlink()
    assert LoadModule(MODULE).undo(Host(loads=True)) is None
    assert not (machine / "unloaded").exists()


NAMESPACES = """
import subprocess, sys, time
from netdoctor.changes import _bridge_users
from netdoctor.system.host import Host
before = list(_bridge_users._other_namespaces(Host()))
with subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link add br7 type bridge; echo; read line"],
                      stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
    other.stdout.readline()
    with_it = list(_bridge_users._other_namespaces(Host()))
    other.stdin.close()
added = set(with_it) - set(before)
assert len(added) == 1 and "a bridge in network namespace" in added.pop(), (before, with_it)
print("fine")
"""


def test_a_bridge_of_another_network_namespace_counts() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a network namespace")
    unshare = ["unshare", "--net", "--pid", "--fork", "--mount-proc"]
    done = subprocess.run([*unshare, sys.executable, "-c", NAMESPACES], check=False, capture_output=True, text=True)
    assert done.stdout == "fine\n", done.stderr
