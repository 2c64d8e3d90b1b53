"""What CoreDNS's log says of its Corefile, in the words of CoreDNS 1.14."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.cluster.corefile_refusal import CorefileRefusal
from tests.builders import pods, services
from tests.facts.log_api import ApiOfOneLog

LOGS = {
    "/etc/coredns/Corefile:4 - Error during parsing: Unknown directive 'it's-S3cret'": (4, "Unknown directive '...'"),
    "/etc/coredns/Corefile:4 - Error during parsing: Wrong argument count or unexpected line ending after 'hunter'": (
        4, "Wrong argument count or unexpected line ending after '...'",
    ),
    'plugin/forward: not an IP address or file: "ab\\"S3cret"': (0, "forward: not an IP address or file: '...'"),
    "/etc/coredns/Corefile:4 - Error during parsing: Unknown directive 'redy'": (4, "Unknown directive 'redy'"),
    "plugin/kubernetes: /etc/coredns/Corefile:7 - Error during parsing: unknown property 'podss'": (
        7, "kubernetes: unknown property 'podss'",
    ),
    'plugin/forward: not an IP address or file: "8.8.8"': (0, "forward: not an IP address or file: '...'"),
    "/etc/coredns/Corefile:9 - Error during parsing: Unknown directive 'hunter2-S3'": (9, "Unknown directive '...'"),
}  # fmt: skip


@pytest.mark.parametrize("line", LOGS)
def test_the_line_and_the_reason_are_kept(line: str) -> None:
    number, said = LOGS[line]
    log = f"maxprocs: Leaving GOMAXPROCS=2: CPU quota undefined\n{line}\n"
    assert CorefileRefusal.parse("kube-system/coredns-1", log) == CorefileRefusal("kube-system/coredns-1", number, said)


@pytest.mark.parametrize(
    "log",
    [
        "",
        "[ERROR] plugin/errors: 2 example.com. A: read udp 10.244.0.2:1->8.8.8.8:53: i/o timeout\n",
        "plugin/kubernetes: Kubernetes API connection failure: Get https://10.96.0.1: dial tcp: i/o timeout\n",
        "plugin/hosts: open /etc/hosts: permission denied\n",
        "[INFO] plugin/reload: Running configuration SHA512 = 1b226df\n.:53\nCoreDNS-1.14.2\n",
    ],
)
def test_what_a_running_coredns_writes_is_no_refusal(log: str) -> None:
    assert CorefileRefusal.parse("kube-system/coredns-1", log).pod == ""


FAILED = (
    "[INFO] Reloading\n"
    "[ERROR] Restart failed: /etc/coredns/Corefile:5 - Error during parsing: Unknown directive 'redy'\n"
    "[ERROR] plugin/reload: Corefile changed but reload failed: starting with listener file descriptors: "
    "/etc/coredns/Corefile:5 - Error during parsing: Unknown directive 'redy'\n"
)
LATER = "[ERROR] plugin/errors: 2 example.com. A: read udp 10.244.0.2:1->8.8.8.8:53: i/o timeout\n"


def collected(api: ApiOfOneLog, changed: str, *, ready: bool = True) -> CorefileRefusal:
    corefile = replace(Corefile.parse(".:53 {\n    forward . 8.8.8.8\n}\n"), changed=changed)
    return CorefileRefusal.collect(api, services(), pods(ready=ready), corefile)  # type: ignore[arg-type]


def test_a_reload_that_failed_is_told_while_the_old_corefile_serves() -> None:
    found = collected(ApiOfOneLog(FAILED + LATER), "2026-02-01T00:00:00Z")
    assert found == CorefileRefusal("kube-system/coredns-5dd-xyz12", 5, "Unknown directive 'redy'", runs=True)


def test_a_reason_of_another_form_is_not_repeated() -> None:
    found = collected(ApiOfOneLog("plugin/reload: Corefile changed but reload failed: hunter2"), "2026-02-01T00:00:00Z")
    assert (found.said, found.runs) == ("its log says why", True)


def test_a_reload_that_worked_afterwards_ends_it() -> None:
    assert collected(ApiOfOneLog(FAILED + "[INFO] Reloading complete\n"), "2026-02-01T00:00:00Z").pod == ""


@pytest.mark.parametrize("changed", ["", "2025-12-31T00:00:00Z"])
def test_nothing_is_read_of_a_pod_that_began_with_this_corefile(changed: str) -> None:
    api = ApiOfOneLog(FAILED)
    assert collected(api, changed).pod == ""
    assert api.asked == 0


def test_a_pod_that_is_not_ready_is_read_in_any_case() -> None:
    assert not collected(ApiOfOneLog("/etc/coredns/Corefile:5 - Error during parsing: x\n"), "", ready=False).runs


@pytest.mark.parametrize(
    ("managed", "changed"),
    [
        ([{"time": "2026-01-01T00:00:00Z"}, {"time": "2026-02-01T00:00:00Z"}], "2026-02-01T00:00:00Z"),
        ([{"time": "; rm"}, {"manager": "x"}, 7], ""),
        (None, ""),
        ("x", ""),
    ],
)
def test_when_the_corefile_was_changed(managed: object, changed: str) -> None:
    class ConfigMaps:
        def find(self, _path: str) -> dict[str, object]:
            return {"metadata": {"managedFields": managed}, "data": {"Corefile": ".:53 {\n}\n"}}

    assert Corefile.collect(ConfigMaps()).changed == changed  # type: ignore[arg-type]
