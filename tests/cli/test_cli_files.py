"""`netdoctor check --facts FILE --report FILE`: damaged recordings, and files that cannot be written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.cli.test_cli import netdoctor, one_sentence, recording
from tests.conftest import ROOT
from tests.reports import causes

pytestmark = pytest.mark.thorough

__all__ = ["recording"]  # the fixture

NOTE = ROOT / "tests/recordings/note-a-firewalld-reload.json"


def damage(kind: str, good: str) -> bytes:
    report: dict[str, Any] = json.loads(good)
    return {
        "empty": b"", "binary": bytes(range(256)), "zeros": b"\0" * 64, "cut": good[: len(good) // 2].encode(),
        "list": b"[]", "number": b"5", "digits": b"1" * 5000, "nothing in it": b"{}", "null": b"null",
        "deep": b"[" * 100_000,
        "version": json.dumps({**report, "schema_version": 99}).encode(),
        "facts": json.dumps({**report, "facts": [1, 2]}).encode(),
        "types": json.dumps({**report, "facts": {"Sysctls": {"fact": {"values": 7}}}}).encode(),
    }[kind]  # fmt: skip


class TestRecordings:
    def test_a_good_one_is_judged(self, recording: Path) -> None:
        done = netdoctor("check", "--facts", recording)
        assert done.returncode == 1
        assert "CAUSE  net.ipv4.ip_forward is 0" in done.stdout
        assert "\x1b" not in done.stdout
        assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == []

    def test_a_sentence_is_one_line_in_a_pipe(self) -> None:
        done = netdoctor("check", "--facts", NOTE, environment={"COLUMNS": ""})
        (cause,) = [line for line in done.stdout.splitlines() if line.startswith("CAUSE  ")]
        assert "a reload removed them from zone trusted, and only pods created since are in it" in cause

    def test_as_json_and_into_a_file(self, recording: Path, tmp_path: Path) -> None:
        file = tmp_path / "report.json"
        done = netdoctor("check", "--facts", recording, "--output", "json", "--report", file)
        assert done.returncode == 1
        assert json.loads(done.stdout) == json.loads(file.read_text())
        assert causes(json.loads(done.stdout)) == ["ip-forward-disabled"]
        assert file.stat().st_mode & 0o077 == 0

    def test_a_report_that_cannot_be_written(self, recording: Path) -> None:
        done = netdoctor("check", "--facts", recording, "--report", "/nonexistent/x")
        assert done.returncode == 2
        assert one_sentence(done) == "netdoctor: /nonexistent/x cannot be written: no such folder"

    def test_a_report_that_does_not_fit_leaves_the_earlier_one(self, recording: Path, tmp_path: Path) -> None:
        small = tmp_path / "small"
        small.mkdir()
        script = (
            'mount -t tmpfs -o size=16k tmpfs "$0" && echo earlier >"$0/r" && { head -c 12000 /dev/zero >"$0/fill"; '
            '"$@" --report "$0/r"; echo "$?" >&2; ls -A "$0" >&2; cat "$0/r" >&2; }'
        )
        done = netdoctor("check", "--facts", recording, before=("unshare", "--mount", "sh", "-c", script, str(small)))
        if "unshare" in done.stderr:
            pytest.skip(done.stderr.strip())
        assert done.stderr == (
            f"netdoctor: {small}/r: cannot be written: No space left on device\n3\nfill\nr\nearlier\n"
        )

    @pytest.mark.parametrize("to", ["| cat", '>"$OUT"; cat "$OUT"'])
    def test_a_report_on_standard_output(self, recording: Path, tmp_path: Path, to: str) -> None:
        shell = ("sh", "-c", f'"$0" "$@" {to}')
        done = netdoctor("check", "--facts", recording, "--report", "/dev/stdout", before=shell,
                         environment={"OUT": str(tmp_path / "out")})  # fmt: skip
        assert '"schema_version": ' in done.stdout

    def test_a_report_that_is_there_keeps_its_mode(self, recording: Path, tmp_path: Path) -> None:
        file = tmp_path / "report.json"
        file.write_text("earlier")
        file.chmod(0o644)
        netdoctor("check", "--facts", recording, "--report", file)
        assert json.loads(file.read_text())["schema_version"]
        assert file.stat().st_mode & 0o777 == 0o644
        assert sorted(p.name for p in tmp_path.iterdir()) == ["facts.json", "report.json"]

    @pytest.mark.parametrize("command", ["check --report", "trace a b 1 --svg"])
    def test_nothing_is_written_over_the_recording(self, recording: Path, command: str) -> None:
        before = recording.read_bytes()
        done = netdoctor(*command.split(), recording, "--facts", recording)
        assert done.returncode == 2
        assert one_sentence(done).startswith(f"netdoctor: {recording} is the recording itself")
        assert recording.read_bytes() == before

    def test_nothing_is_written_over_the_recording_on_standard_input(self, recording: Path) -> None:
        before, redirected = recording.read_bytes(), ("sh", "-c", 'from=$1; shift; exec "$@" < "$from"', "sh")
        done = netdoctor("check", "--facts", "-", "--report", recording, before=(*redirected, str(recording)))
        assert (done.returncode, recording.read_bytes() == before) == (2, True)

    def test_a_report_without_a_name(self, recording: Path) -> None:
        done = netdoctor("check", "--facts", recording, "--report", "")
        assert (done.returncode, one_sentence(done)) == (2, "netdoctor: the name of the file to write is empty")

    @pytest.mark.parametrize("kind", ["empty", "binary", "zeros", "cut", "list", "number", "digits", "nothing in it",
                                      "null", "deep", "version", "facts", "types"])  # fmt: skip
    def test_a_damaged_one(self, kind: str, recording: Path) -> None:
        recording.write_bytes(damage(kind, recording.read_text()))
        done = netdoctor("check", "--output", "json", "--facts", recording)
        assert done.returncode == 2, done.stderr
        said = one_sentence(done)
        assert said.startswith("netdoctor: ")
        assert not any(word in said for word in ("subscriptable", "indices", "sys."))
        assert json.loads(done.stdout)["error"] == said.removeprefix("netdoctor: ")


HEALTHY = ROOT / "tests/recordings/healthy.json"


class TestStandardOutput:
    """`-` is standard output wherever an output file is named, and the text for people makes room."""

    @pytest.mark.parametrize("more", [(), ("--trust-recording",)])
    def test_a_report(self, recording: Path, tmp_path: Path, more: tuple[str, ...]) -> None:
        done = netdoctor("check", "--facts", recording, "--report", "-", *more, cwd=tmp_path)
        assert done.returncode == 1
        assert json.loads(done.stdout)["schema_version"]
        assert "CAUSE  net.ipv4.ip_forward is 0" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["facts.json"]

    @pytest.mark.parametrize("more", [(), ("--trust-recording",)])
    def test_a_report_beside_json_is_written_once(self, recording: Path, more: tuple[str, ...]) -> None:
        done = netdoctor("check", "--facts", recording, "--report", "-", "-o", "json", *more)
        assert json.loads(done.stdout)["schema_version"]
        assert done.stderr == ""

    @pytest.mark.parametrize("more", [(), ("--trust-recording",)])
    def test_a_picture(self, tmp_path: Path, more: tuple[str, ...]) -> None:
        ends = ("default/client", "svc/default/postgres", "5432")
        done = netdoctor("trace", *ends, "--facts", HEALTHY, "--svg", "-", *more, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert ElementTree.fromstring(done.stdout).tag.endswith("svg")
        assert "ARRIVED" in done.stderr
        assert list(tmp_path.iterdir()) == []

    def test_a_picture_beside_json(self) -> None:
        done = netdoctor("trace", "a", "b", "1", "--facts", HEALTHY, "--svg", "-", "-o", "json")
        assert done.returncode == 2
        assert "both want standard output" in one_sentence(done)

    @pytest.mark.parametrize("name", ["x.png", "x.PDF"])
    def test_a_picture_of_another_format(self, name: str, tmp_path: Path) -> None:
        done = netdoctor("trace", "a", "b", "1", "--facts", HEALTHY, "--svg", name, cwd=tmp_path)
        assert (done.returncode, one_sentence(done)) == (2, f"netdoctor: {name}: only SVG is drawn; name it x.svg")
        assert list(tmp_path.iterdir()) == []
