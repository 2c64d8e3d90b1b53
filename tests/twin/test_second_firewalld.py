"""A second firewalld: shut in, gone with netdoctor, and when its rules are those of the first one.

The real one is in tests/twin/test_rehearsal_lab.py; here small programs stand for it, beside a real dbus-daemon.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netdoctor.errors import CannotRead
from netdoctor.rehearsal import firewalld_rehearsal, second_firewalld
from netdoctor.system.firewalld_bus import firewalld_bus
from netdoctor.system.host import Host
from netdoctor.twin.namespace import Namespace
from tests.twin.network import real

pytestmark = [pytest.mark.thorough, real]
needs_a_bus = pytest.mark.skipif(not shutil.which("dbus-daemon"), reason="dbus-daemon is not installed")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a socket's must not exceed 107 characters."""
    with tempfile.TemporaryDirectory(prefix="nd-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have a Python program for firewalld, and a folder for all that is written."""
    (folder / "configuration").mkdir()
    (folder / "configuration/firewalld.conf").write_text("DefaultZone=public\n")
    program = folder / "firewalld"
    monkeypatch.setattr(second_firewalld, "CONFIGURATION", folder / "configuration")
    monkeypatch.setattr(second_firewalld, "PROGRAMS", ("dbus-daemon", str(program)))
    monkeypatch.setattr(second_firewalld, "FOLDERS", str(folder))

    def make(lines: str) -> None:
        program.write_text(f"#!{sys.executable} -IS\nimport os, signal, sys, time\n{lines}\n")
        program.chmod(0o755)

    return make


def left(folder: Path) -> list[str]:
    """Folders and processes of a second firewalld that names this folder."""
    found = [str(path) for path in folder.glob("netdoctor-firewalld-*")]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:
            continue
        if any(word.startswith(f"{folder}/netdoctor-firewalld-") or f"={folder}/netdoctor" in word for word in words):
            found.append(" ".join(words))
    return found


@needs_a_bus
@pytest.mark.parametrize(
    ("program", "seconds", "says"),
    [
        ("sys.exit('no such module: firewall')", 15, "firewalld has ended: no such module: firewall"),
        ("time.sleep(60)", 1, "it has not come up within 1 s"),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", 1, "it has not come up within 1 s"),
    ],
    ids=["ends at once", "does not come up", "and does not go"],
)
def test_a_firewalld_that_does_not_come_up(
    program: str, seconds: float, says: str, stand_in: Callable[[str], None], folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    stand_in(program)
    monkeypatch.setattr(second_firewalld, "START_SECONDS", seconds)
    namespace = Namespace.new()
    try:
        with (
            pytest.raises(CannotRead, match=f"a second firewalld: {says}"),
            second_firewalld.second_firewalld(namespace),
        ):
            pass
    finally:
        namespace.close()
    assert left(folder) == []


# what it may: write into the copy; what it may not: write elsewhere, see /run, load a module; and where it is
SHUT_IN = """
from pathlib import Path
copy = Path(sys.argv[-1])
try:
    Path("/etc/netdoctor-was-here").touch()
    said = ["wrote /etc"]
except OSError as error:
    said = [error.strerror]
(copy / "zone").touch()
said.append(" ".join(os.listdir("/run")))
said.append(str(int(Path("/proc/self/status").read_text().split("CapBnd:")[1].split()[0], 16) & 1 << 16))
said += [os.readlink("/proc/self/ns/net"), oct(copy.parent.stat().st_mode), (copy / "firewalld.conf").read_text()]
said += sorted(os.environ)
Path(sys.argv[0] + ".said").write_text("\\n".join(said) + "\\nend")
time.sleep(60)
"""


@needs_a_bus
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_is_shut_in_and_goes_with_netdoctor(
    how: signal.Signals, stand_in: Callable[[str], None], folder: Path
) -> None:
    stand_in(SHUT_IN)
    program = f"""
from pathlib import Path
from netdoctor.rehearsal import second_firewalld as it
from netdoctor.twin.namespace import Namespace
it.CONFIGURATION, it.FOLDERS = Path("{folder}/configuration"), "{folder}"
it.PROGRAMS, it.START_SECONDS = ("dbus-daemon", "{folder}/firewalld"), 60
namespace = Namespace.new()
print(namespace.run(lambda: Path("/proc/thread-self/ns/net").readlink()), flush=True)
with it.second_firewalld(namespace):
    pass
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as netdoctor:
        assert netdoctor.stdout
        network = netdoctor.stdout.readline().strip()
        wait_until(lambda: text_of(folder / "firewalld.said").endswith("end"))
        assert len(left(folder)) == 4, "a folder, its keeper and both daemons"
        netdoctor.send_signal(how)
    wait_until(lambda: left(folder) == [])
    said = text_of(folder / "firewalld.said").splitlines()
    assert said[:3] == ["Read-only file system", "", "0"]
    assert said[3:7] == [network, "0o40700", "DefaultZone=public", ""]
    assert {"PATH", "LC_ALL", "DBUS_SYSTEM_BUS_ADDRESS", "end"} >= {*said[7:]} - {"LC_CTYPE"}
    assert not Path("/etc/netdoctor-was-here").exists()
    assert not (folder / "configuration/zone").exists()


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 8
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@needs_a_bus
def test_the_keeper_alone_is_killed(stand_in: Callable[[str], None], folder: Path) -> None:
    """The kernel ends both daemons then."""
    stand_in("time.sleep(60)")
    its = folder / "netdoctor-firewalld-x"
    its.mkdir()
    (its / "bus.conf").write_text(second_firewalld.BUS.format(address=f"unix:path={its}/bus"))
    namespace = Namespace.new()
    programs = [str(shutil.which("dbus-daemon")), str(folder / "firewalld")]
    keeper = namespace.run(lambda: second_firewalld._start(its, programs))
    wait_until(lambda: len(left(folder)) == 4)
    os.kill(keeper.pid, signal.SIGKILL)
    assert keeper.wait() == -signal.SIGKILL
    shutil.rmtree(its)
    wait_until(lambda: left(folder) == [])
    assert left(folder) == [], "nor has a daemon come back"
    for pipe in (keeper.stdin, keeper.stdout):
        if pipe:
            pipe.close()
    namespace.close()


def test_an_address_without_a_bus(tmp_path: Path) -> None:
    with pytest.raises(CannotRead, match="D-Bus: "), firewalld_bus(1.0, f"unix:path={tmp_path}/none"):
        pass


class Here:
    """A namespace instead of a twin."""

    def __init__(self, rules: str) -> None:
        self.namespace = Namespace.new()
        self.namespace.run(lambda: Host().run(["nft", "-f", "-"], stdin=f"table inet firewalld {{\n{rules}\n}}\n"))

    def difference(self, other: Here) -> str:
        tables = [firewalld_rehearsal._table(each.namespace) for each in (self, other)]  # type: ignore[arg-type]
        return firewalld_rehearsal._difference(*tables)


def chains(base: str, other: str, more: str = "") -> Here:
    return Here(f"{more}\nchain b {{\n{other}\n}}\nchain a {{\ntype filter hook input priority 0\n{base}\njump b\n}}")


def test_when_two_tables_say_the_same() -> None:
    accepts, turned = "tcp dport 1 accept\ntcp dport 2 accept", "tcp dport 2 accept\ntcp dport 1 accept"
    first = chains("counter", accepts, "set s { type ipv4_addr; elements = { 1.1.1.1, 2.2.2.2 }; }")
    left_behind = chains("counter", turned, "chain gone { drop; }\nset s { type ipv4_addr; }")
    assert first.difference(left_behind) == ""
    assert chains("tcp dport 1 drop\ntcp dport 1 accept", "").difference(
        chains("tcp dport 1 accept\ntcp dport 1 drop", "")
    ) == "a: another order"  # fmt: skip
    assert first.difference(chains("counter", "tcp dport 1 accept")) == "b: tcp dport 2 accept"
    with_set = "ip saddr @s drop"
    few, many = "set s { type ipv4_addr; }", "set s { type ipv4_addr; elements = { 1.1.1.1 }; }"
    assert chains(with_set, accepts, few).difference(chains(with_set, accepts, many)).startswith("s: ")


def test_what_has_to_be_taken_over() -> None:
    now = {"sources": ("as", ["10.244.0.6/32"]), "forward": ("b", True), "target": ("s", "default")}
    wanted = {"ports": ("a(ss)", [("1", "tcp")]), "forward": ("b", True), "target": ("s", "ACCEPT")}
    assert firewalld_rehearsal._changed(now, wanted) == {"sources": ("as", []), "ports": ("a(ss)", [("1", "tcp")])}
    assert firewalld_rehearsal._changed(now, {}) == {"sources": ("as", []), "forward": ("b", False)}
    assert firewalld_rehearsal._changed(now, dict(now)) == {}
