"""Which pods count as having lost their masquerade: of real namespaces, for a pod may be leaving at this moment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.node.cni import Attachment, Attachments, CniConfig
from netdoctor.facts.node.iptables import Iptables, Ruleset
from netdoctor.facts.node.masquerade import Masquerade
from tests.facts.texts import CACHE, CONFLIST

EMPTY = Iptables(Ruleset.parse("*nat\nCOMMIT\n"), Ruleset.parse(""))


@pytest.fixture
def namespace() -> Iterator[str]:
    """The path of a network namespace that has lo and nothing else."""
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep 60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    if not process.stdout.readline():
        pytest.skip(f"no namespace can be made: {process.stderr.read().strip()}")
    yield f"/proc/{process.pid}/ns/net"
    process.terminate()
    process.communicate()


def lost(iptables: Iptables = EMPTY, **changes: str) -> list[str]:
    """The pods without a masquerade, of one that the CNI has connected, changed so."""
    name, plugins = CniConfig.parse(CONFLIST)
    pod = Attachments.parse(json.dumps({**json.loads(CACHE), "networkName": name}))
    assert isinstance(pod, Attachment)
    cni = CniConfig("/etc/cni/net.d/1.conflist", name, plugins, (), (), "")
    found = Masquerade.collect(cni, Attachments((replace(pod, **changes),)), iptables)  # type: ignore[arg-type]
    return [m.pod for m in found.missing]


def test_a_pod_that_is_there_has_lost_it(namespace: str) -> None:
    assert lost(netns=namespace, interface="lo") == ["client"]


def test_a_pod_whose_interface_the_cni_has_taken_away_is_leaving(namespace: str) -> None:
    assert lost(netns=namespace, interface="eth0") == []


def test_a_pod_whose_namespace_is_gone_is_no_pod() -> None:
    assert lost(netns="/run/netns/that-is-gone") == []


def test_it_may_stand_in_legacy_tables_that_cannot_be_read(namespace: str) -> None:
    unread = replace(EMPTY, unread="iptables-legacy-save: not installed")
    with pytest.raises(CannotRead, match="not installed"):
        lost(unread, netns=namespace, interface="lo")
    assert lost(unread, netns=namespace, interface="eth0") == []
