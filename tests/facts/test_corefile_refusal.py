"""What CoreDNS's log says of its Corefile, in the words of CoreDNS 1.14."""

from __future__ import annotations

import pytest

from netdoctor.facts.cluster.corefile_refusal import CorefileRefusal

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
