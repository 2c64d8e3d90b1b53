"""The table of what programs write: each entry has a source and, where it names one, a probe that exists."""

from __future__ import annotations

from types import ModuleType

import pytest

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.program_messages import coredns, gateways, kube_proxy, network_agents, sandbox
from netdoctor.program_messages.message import Message, find

TABLES = (coredns, gateways, kube_proxy, network_agents, sandbox)
EVERY = [message for table in TABLES for message in table.MESSAGES]
# what the programs of a healthy node write
INNOCENT = (
    "[INFO] plugin/reload: Running configuration SHA512 = 1b226df\n.:53\nCoreDNS-1.14.2\nlinux/amd64, go1.26.8, \n",
    "[ERROR] plugin/errors: 2 example.com. A: read udp 10.244.0.2:35000->8.8.8.8:53: i/o timeout\n",
    'I1130 03:16:29.244438 1 sysctls.go:147] "Setting nf_conntrack_max" nfConntrackMax=1048576\n'
    'I1130 03:16:29.244564 1 sysctls.go:191] "Set sysctl" entry="net/netfilter/nf_conntrack_max" value=1048576\n',
    "2026-01-01 [INFO][55] felix/int_dataplane.go 1: Kernel's RPF check is set to 'strict'\n",
    "MountVolume.SetUp failed for volume \"config\" : configmap \"x\" not found\n",
)  # fmt: skip


@pytest.mark.parametrize("message", EVERY, ids=lambda message: message.pattern[:40])
def test_an_entry_has_a_source_and_a_probe_that_exists(message: Message) -> None:
    assert message.source.startswith("https://")
    assert message.cause == "" or message.cause in Catalogue.load().probes
    assert message.means
    assert all(f"{{{number}}}" not in message.means for number in range(message.compiled.groups + 1, 10))


@pytest.mark.parametrize("text", INNOCENT)
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__.rpartition(".")[2])
def test_what_a_healthy_program_writes_is_no_message(table: ModuleType, text: str) -> None:
    assert find(text, table.MESSAGES) is None


def test_only_the_words_of_the_pattern_are_kept() -> None:
    found = find('x secret "eth0" y', (Message(r'"(\w+)"', "it is {1}{2}", "https://x"),))
    assert found is not None
    assert (found.said, found.means, found.groups) == ('"eth0"', "it is eth0", ("eth0",))


def test_a_gap_for_which_nothing_was_found_is_closed() -> None:
    found = find("role lost", (Message(r"role (?:\"(\w+)\"|lost)", "the role {1} is lost", "https://x"),))
    assert found is not None
    assert found.means == "the role is lost"
