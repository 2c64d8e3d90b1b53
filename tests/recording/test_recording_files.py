"""How a recording comes in and goes out: by standard input, packed, with a head, and a report in its place."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from netdoctor import __version__
from netdoctor.diagnosis.check import look
from netdoctor.errors import BadInput
from netdoctor.facts.recorded import Recorded
from netdoctor.recording.file import from_json, to_json
from netdoctor.recording.named_file import open_recording
from netdoctor.system.foreign_gzip import unpacked
from netdoctor.system.foreign_json import LARGEST
from netdoctor.system.host import Host
from tests.cli.test_cli import CLUSTERLESS, START, netdoctor, one_sentence, recording
from tests.conftest import ROOT
from tests.worlds import catalogue, world

pytestmark = pytest.mark.thorough

__all__ = ["recording"]  # the fixture
CAUSE = "CAUSE  net.ipv4.ip_forward is 0"
ALONE = {"schema_version": 1, "facts": {}}


def fed(shell: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """netdoctor, as "$@" of a line of the shell."""
    return subprocess.run(
        ["sh", "-c", shell, "sh", *START, *map(str, arguments)], check=False, capture_output=True, text=True,
        timeout=60, cwd=ROOT, env={**os.environ, **CLUSTERLESS},
    )  # fmt: skip


class TestStandardInput:
    @pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
    @pytest.mark.parametrize("more", [(), ("--trust-recording",)])
    def test_a_pipe(self, name: str, more: tuple[str, ...], recording: Path) -> None:
        done = fed(f'cat "{recording}" | "$@"', "check", "--facts", name, *more)
        assert (done.returncode, CAUSE in done.stdout) == (1, True), done.stderr

    def test_a_slow_pipe_is_read_before_the_time_for_judging_begins(self) -> None:
        ours, theirs = os.pipe()

        def write_late() -> None:
            time.sleep(0.3)
            os.write(theirs, b"late")
            os.close(theirs)

        writer = threading.Thread(target=write_late)
        writer.start()
        with open_recording(f"/dev/fd/{ours}") as file:
            assert os.fstat(file.fileno()).st_size == len(b"late")
            assert file.read() == b"late"
        writer.join()
        os.close(ours)

    def test_a_file(self, recording: Path) -> None:
        assert fed(f'"$@" <"{recording}"', "check", "--facts", "-").returncode == 1

    def test_a_packed_one_for_a_trace(self) -> None:
        healthy = ROOT / "tests/recordings/healthy.json"
        ends = ("default/client", "svc/default/postgres", "5432")
        done = fed(f'gzip -c "{healthy}" | "$@"', "trace", *ends, "--facts", "-")
        assert (done.returncode, "ARRIVED" in done.stdout) == (0, True), done.stderr

    def test_nothing(self) -> None:
        done = fed('"$@" </dev/null', "check", "--facts", "-")
        assert done.returncode == 2
        assert one_sentence(done) == "netdoctor: standard input: not a netdoctor recording: it is empty"

    @pytest.mark.parametrize("trusted", [(), ("--trust-recording",)])
    @pytest.mark.parametrize(
        "command", [("check",), ("gate",), ("trace", "a", "b", "80"), ("fix", "--dry-run")], ids=lambda words: words[0]
    )
    def test_what_is_wrong_with_a_file_says_which(
        self, command: tuple[str, ...], trusted: tuple[str, ...], tmp_path: Path
    ) -> None:
        (tmp_path / "node.json").write_text("[]")
        done = fed('"$@"', *command, "--facts", str(tmp_path / "node.json"), *trusted)
        assert done.returncode == 2
        assert one_sentence(done).endswith("node.json: not a netdoctor recording: the top level is not an object")

    def test_without_end(self) -> None:
        done = fed('"$@" </dev/zero', "check", "--facts", "-")
        assert done.returncode == 2
        assert one_sentence(done) == (
            "netdoctor: standard input cannot be read: it is larger than 64 MB, the most that is read"
        )


class TestPacked:
    @pytest.mark.parametrize("more", [(), ("--trust-recording",)])
    def test_it_is_judged(self, more: tuple[str, ...], recording: Path, tmp_path: Path) -> None:
        packed = tmp_path / "facts.json.gz"
        packed.write_bytes(gzip.compress(recording.read_bytes()))
        done = netdoctor("check", "--facts", packed, *more)
        assert (done.returncode, CAUSE in done.stdout) == (1, True), done.stderr

    def test_it_is_written(self, tmp_path: Path) -> None:
        assert netdoctor("record", tmp_path / "node.json.gz").returncode == 0
        data = (tmp_path / "node.json.gz").read_bytes()
        assert json.loads(gzip.decompress(data))["facts"]
        assert data[3:8] == bytes(5), "neither a name nor a time is in its head"

    @pytest.mark.parametrize("more", [(), ("--trust-recording",)])
    def test_a_bomb(self, more: tuple[str, ...], tmp_path: Path) -> None:
        bomb = tmp_path / "bomb.gz"
        bomb.write_bytes(gzip.compress(bytes(1 << 30), compresslevel=1))
        done = netdoctor("check", "--facts", bomb, *more)
        assert done.returncode == 2
        assert "unpacked it is larger than 64 MB" in one_sentence(done)

    def test_a_bomb_takes_no_more_memory_than_the_limit(self) -> None:
        bomb = gzip.compress(bytes(1 << 28), compresslevel=1)
        tracemalloc.start()
        try:
            with pytest.raises(BadInput, match="larger than 1 MB"):
                unpacked(bomb, 1 << 20)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (gzip.compress(b"{}")[:-9], "gzip that ends too early"),
            (b"\x1f\x8b\x09junk", "gzip that cannot be unpacked"),
            (gzip.compress(b"{}") * 2, "more than one file is packed in it"),
            (gzip.compress(b"x" * 11), "larger than 0 MB"),
        ],
        ids=("cut", "junk", "two files", "too large"),
    )
    def test_a_damaged_one(self, data: bytes, says: str) -> None:
        with pytest.raises(BadInput, match=says):
            unpacked(data, 10)

    def test_what_is_not_packed_stays(self) -> None:
        assert unpacked(b"{}", LARGEST) == b"{}"


@pytest.mark.parametrize("more", [(), ("--trust-recording",)])
def test_a_report_is_named_as_one(more: tuple[str, ...], recording: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert netdoctor("check", "--facts", recording, "--report", report).returncode == 1
    done = netdoctor("check", "--facts", report, *more)
    assert done.returncode == 2
    assert one_sentence(done) == (
        f"netdoctor: {report}: this is a report, not a recording: netdoctor record FILE makes a recording"
    )


class TestHead:
    def test_it_says_when_and_where(self) -> None:
        stored = json.loads(to_json(world()))
        assert list(stored) == ["schema_version", "recorded", "facts"]
        head = stored["recorded"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", head["at"])
        assert head["tool"] == f"netdoctor {__version__}"
        assert os.uname().release.startswith(head["kernel"])
        assert head["kernel"]
        assert set(head) == {"at", "tool", "os", "kernel", "kubernetes", "nft"}

    def test_no_host_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        texts = {
            "/etc/os-release": 'NAME="Debian"\nVERSION_ID="12"\nPRETTY_NAME="of web01"\n',
            "/proc/sys/kernel/osrelease": "6.1.0-18-web01-amd64\n",
        }
        monkeypatch.setattr(Host, "read", lambda _self, path: texts[path])
        here = Recorded.here(Host(), "v1.36.3")
        assert (here.os, here.kernel, here.kubernetes) == ("Debian 12", "6.1.0-18", "v1.36.3")
        assert "web01" not in repr(here)

    def test_the_report_says_when_it_was_recorded(self) -> None:
        stored = json.loads(to_json(world()))
        stored["recorded"]["at"] = "2020-02-29T12:00:00Z"
        again = from_json(json.dumps(stored), catalogue())
        assert look(catalogue(), again).report().started == "2020-02-29T12:00:00Z"
        assert json.loads(to_json(again))["recorded"] == stored["recorded"]

    def test_an_old_one_has_none(self) -> None:
        stored = json.loads(to_json(world()))
        del stored["recorded"]
        assert Recorded not in from_json(json.dumps(stored), catalogue()).known()

    @pytest.mark.parametrize("head", [None, 3, {}, {"at": 3}, {"at": "yesterday"}, {"at": "2020-02-29T12:00:00Z\x1b["}])
    def test_a_damaged_one(self, head: Any) -> None:
        with pytest.raises(BadInput, match="the recording is damaged: recorded") as caught:
            from_json(json.dumps({**ALONE, "recorded": head}), catalogue())
        assert "\n" not in str(caught.value)
