"""What is said of a program that is missing: which package brings it, in the words of the distribution."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from netdoctor.errors import CannotRead, NotInstalled
from netdoctor.system import packages
from netdoctor.system.host import Host
from netdoctor.system.packages import command, not_installed
from tests.conftest import ROOT

pytestmark = pytest.mark.thorough

ORACLE = 'NAME="Oracle Linux Server"\nID="ol"\nID_LIKE="fedora"\nVERSION_ID="9.4"\n'
DEBIAN = "ID=debian\nVERSION_ID=12\n"
SUSE = 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\n'
RECORDINGS = ROOT / "tests/recordings"


@pytest.mark.parametrize(("program", "os_release", "said"), [
    ("nft", ORACLE, "dnf install nftables"),
    ("nft", DEBIAN, "apt-get install nftables"),
    ("nft", "ID=linuxmint\nID_LIKE='ubuntu debian'\n", "apt-get install nftables"),
    ("nft", SUSE, "zypper install nftables"),
    ("ip6tables-nft-save", DEBIAN, "apt-get install iptables"),
    ("iptables-save", ORACLE, "dnf install iptables-nft"),
    ("iptables-legacy-save", ORACLE, "dnf install iptables-legacy"),
    ("conntrack", ORACLE, "dnf install conntrack-tools"),
    ("conntrack", DEBIAN, "apt-get install conntrack"),
    ("ip", ORACLE, "dnf install iproute"),
    ("nft", "ID=unheard-of\n", ""),
    ("nft", "", ""),
    ("crictl", DEBIAN, ""),
])  # fmt: skip
def test_the_command_is_that_of_the_distribution(program: str, os_release: str, said: str) -> None:
    assert command(program, os_release) == said


def test_the_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "OS_RELEASE", tmp_path / "os-release")
    assert str(not_installed("nft")) == "nft is not installed"
    (tmp_path / "os-release").write_text(ORACLE)
    assert str(not_installed("nft")) == not_installed("nft").reason == "nft is not installed: dnf install nftables"


def test_it_is_the_same_sentence_in_a_recording() -> None:
    live = not_installed("nft")
    assert str(CannotRead(live.source, live.reason)) == str(live)


def test_a_command_that_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NotInstalled, match="ip is not installed"):
        Host().run(["ip", "link"])


@pytest.fixture
def path_without() -> Iterator[Path]:
    """A folder with ip and nft, and nothing of iptables; nobody may look into pytest's own, and nobody judges."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for program in ("ip", "nft"):
            found = shutil.which(program)
            if found is None:
                pytest.skip(f"{program} is not installed here either")
            (folder / program).symlink_to(found)
        yield folder


def netdoctor(path: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "netdoctor", *arguments], check=False, capture_output=True, text=True, timeout=120,
        cwd=ROOT, env={"PATH": str(path), "HOME": "/nonexistent"},
    )  # fmt: skip
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to build the copy that is traced")
class TestARecordingOnAHostWithout:
    TRACE = ("trace", "default/client", "svc/default/postgres", "5432", "--facts", str(RECORDINGS / "healthy.json"))

    def test_nft(self, path_without: Path) -> None:
        (path_without / "nft").unlink()
        assert "netdoctor: nft is not installed" in netdoctor(path_without, *self.TRACE)
        told = netdoctor(path_without, "check", "--facts", str(RECORDINGS / "note-a-firewalld-reload.json"))
        assert "not verified on a copy of the node: nft is not installed" in told

    def test_iptables(self, path_without: Path) -> None:
        assert netdoctor(path_without, *self.TRACE).count("iptables-nft is not installed") == 1
        told = netdoctor(path_without, "check", "--facts", str(RECORDINGS / "note-a-firewalld-reload.json"))
        assert told.count("iptables-nft is not installed") == 1
