"""A trusted source, made and taken back by a real firewalld: for the pods of a small node, and in its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netdoctor.changes.firewalld import TrustSource
from netdoctor.errors import CannotRead, Drifted
from netdoctor.facts.cluster.pod_network import PodNetwork
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.model import NotApplicable
from netdoctor.rehearsal import firewalld_rehearsal
from netdoctor.rehearsal.rehearsal import HostOfCopy
from netdoctor.remedies.host.trust_pod_network import trust_pod_network
from netdoctor.system.firewalld_bus import CONFIG, firewalld_bus
from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from tests.changes.node_with_firewalld import FirewalldNode
from tests.twin.network import FLOWS, real

pytestmark = [pytest.mark.thorough, real]
PODS, USERS = "10.244.0.0/24", "198.51.100.0/24"
FILE = "/etc/firewalld/zones/trusted.xml"
BY_HAND = f"""<?xml version="1.0" encoding="utf-8"?>
<zone target="ACCEPT">
\t<!-- by hand -->
  <source   address='{USERS}'/>
</zone>
"""


def planned(node: FirewalldNode) -> TrustSource:
    return node.run(lambda: TrustSource.planned("trusted", PODS))


def seen(node: FirewalldNode) -> tuple[Any, ...]:
    """The rules in force, the sources now and at boot, whose zone it is for firewalld, and the files, to the byte."""
    rules = firewalld_rehearsal._table(node.node.namespaces["node"])  # type: ignore[arg-type]
    return rules, sources(node), node.run(as_shipped), files(node)


def as_shipped() -> bool:
    """Whether firewalld takes zone trusted for its own: a custom one it writes into a file again."""
    with firewalld_bus() as bus:
        path = bus.call("config", "getZoneByName", "s", "trusted", path=CONFIG)
        return bool(bus.property("default", "config.zone", path)) and bool(bus.property("builtin", "config.zone", path))


def sources(node: FirewalldNode) -> tuple[list[str], list[str]]:
    """Of zone trusted: now, and at boot."""
    return node.call("zone", "getSources", "s", "trusted"), node.permanent("trusted", "getSources")


def files(node: FirewalldNode) -> dict[str, tuple[bytes, int]]:
    def read() -> dict[str, tuple[bytes, int]]:
        found = sorted(Path("/etc/firewalld").rglob("*.xml*"))
        return {str(path): (path.read_bytes(), path.stat().st_mode) for path in found}

    return node.run(read)


def pods_get_out(node: FirewalldNode) -> bool:
    answers = {name: node.node.ask(FLOWS[name]).answer for name in ("outside", "pod", "node")}
    assert set(answers.values()) in ({Answer.OK}, {Answer.PROHIBITED}), answers
    return answers["outside"] is Answer.OK


def write(node: FirewalldNode, text: str) -> None:
    """Edit the zone's file as an administrator does, which firewalld reads five seconds later, or never."""
    node.run(lambda: Path(FILE).write_text(text))


def test_pods_get_out_until_it_is_taken_back(with_firewalld: FirewalldNode) -> None:
    node = with_firewalld
    before = seen(node)
    change = planned(node)
    assert change.describe() == f"firewalld: {PODS} in zone trusted, now and at boot (no reload)"
    assert change.diff().splitlines() == [
        f"+firewall-cmd --zone=trusted --add-source={PODS}",
        f"+firewall-cmd --permanent --zone=trusted --add-source={PODS}",
        f" {FILE}: created by firewalld",
    ]
    node.on(change.check)
    assert not pods_get_out(node)
    for _ in range(2):  # once more makes nothing twice
        node.on(change.apply)
        assert pods_get_out(node)
        assert sources(node) == ([PODS], [PODS])
    assert files(node)[FILE][0].count(f'<source address="{PODS}"/>'.encode()) == 1
    for _ in range(2):
        assert node.on(change.undo) is None
        assert seen(node) == before
    assert not pods_get_out(node)


def test_a_rehearsal_opens_the_copy_and_not_the_node(with_firewalld: FirewalldNode) -> None:
    node = with_firewalld
    before = seen(node)
    change = planned(node)
    copy = build(node.node.state())
    try:
        assert copy.ask(FLOWS["pod"]).answer is Answer.PROHIBITED
        copy.run(lambda: change.rehearse(HostOfCopy()))
        assert {copy.ask(FLOWS[name]).answer for name in ("pod", "node")} == {Answer.OK}
    finally:
        copy.close()
    assert seen(node) == before


@pytest.mark.parametrize("done", ["now", "at boot"])
def test_a_half_done_one_is_taken_back(done: str, with_firewalld: FirewalldNode) -> None:
    node = with_firewalld
    before = seen(node)
    change = planned(node)
    if done == "now":
        node.call("zone", "addSource", "ss", "trusted", PODS)
    else:
        node.permanent("trusted", "addSource", "s", PODS)
    assert node.on(change.undo) is None
    assert seen(node) == before


def test_what_somebody_had_bound_stays_bound(with_firewalld: FirewalldNode) -> None:
    node = with_firewalld
    node.call("zone", "addSource", "ss", "trusted", PODS)
    before = seen(node)
    change = planned(node)
    assert change.describe().endswith("in zone trusted, at boot (no reload)")
    node.on(change.check)
    node.on(change.apply)
    assert sources(node) == ([PODS], [PODS])
    assert node.on(change.undo) is None
    assert seen(node) == before
    assert sources(node) == ([PODS], [])


def test_a_file_that_was_there_comes_back_to_the_byte(with_firewalld: FirewalldNode) -> None:
    node = with_firewalld
    write(node, BY_HAND)
    node.text(f"chmod 640 {FILE}")
    node.call("", "reload")
    before = seen(node)
    assert sources(node) == ([USERS], [USERS])
    change = planned(node)
    assert change.diff().endswith(f" {FILE}: changed by firewalld")
    node.on(change.check)
    node.on(change.apply)
    assert "by hand" not in files(node)[FILE][0].decode(), "firewalld writes it anew"
    for _ in range(2):
        assert node.on(change.undo) is None
        assert seen(node) == before


def test_an_edit_that_firewalld_has_not_read_is_not_written_over(with_firewalld: FirewalldNode) -> None:
    node = with_firewalld
    node.permanent("trusted", "addSource", "s", USERS)
    change = planned(node)
    written = files(node)[FILE][0].decode()
    for edit in (
        written.replace(USERS, "203.0.113.0/24"),
        written.replace("</zone>", '<service name="ssh"/></zone>'),
        "half of a fi",
    ):
        write(node, edit)
        says = f"firewalld has not read {FILE} since somebody edited it"
        with pytest.raises(NotApplicable, match=says):
            planned(node)
        with pytest.raises(Drifted, match=says):
            node.on(change.check)
    write(node, written)
    node.on(change.check)


def test_a_source_of_others_stays(with_firewalld: FirewalldNode) -> None:
    node = with_firewalld
    change = planned(node)
    node.on(change.apply)
    node.permanent("trusted", "addSource", "s", USERS)
    for _ in range(2):
        assert node.on(change.undo) == f"{FILE}: somebody has changed it since, so only {PODS} is taken out"
        assert sources(node) == ([], [USERS])


def test_an_edit_by_hand_since_stays_and_firewalld_reads_it(with_firewalld: FirewalldNode) -> None:
    """firewalld reads a file five seconds after it was edited: so long does undo wait."""
    node = with_firewalld
    change = planned(node)
    node.on(change.apply)
    written = files(node)[FILE][0].decode()
    theirs = f'  <source address="{USERS}"/>\n</zone>'
    write(node, written.replace("</zone>", theirs))  # and no comment tells that it is by hand
    assert node.on(change.undo) == f"{FILE}: somebody has changed it since, so only {PODS} is taken out"
    ours = f'  <source address="{PODS}"/>\n'
    assert files(node)[FILE][0].decode() == written.replace(ours, "").replace("</zone>", theirs)
    assert sources(node) == ([], [USERS])


MORE = ("10.244.1.0/24", "fd00:10:244::/64")  # of another node, and of the other family


def test_several_networks_of_one_repair(with_firewalld: FirewalldNode) -> None:
    """Each is checked after those before it were made, and the last one is taken back first."""
    node = with_firewalld
    before = seen(node)
    networks = [PODS, *MORE]
    network, cni = PodNetwork(tuple(networks), "spec.podCIDRs of the nodes"), CannotRead("CNI", "not there")
    changes = node.on(lambda host: tuple(trust_pod_network((), Firewalld.collect(host), network, cni, host)))
    assert len(changes) == len(networks)
    for change in changes:
        node.on(change.check)
        node.on(change.apply)
    assert sources(node) == (networks, networks)
    for left in (2, 1, 0):
        assert node.on(changes[left].undo) is None
        assert sources(node) == (networks[:left], networks[:left])
    assert seen(node) == before


DRIFTS: dict[str, tuple[Callable[[FirewalldNode], object], str]] = {
    "it is bound by now": (
        lambda node: node.call("zone", "addSource", "ss", "trusted", PODS), "zone trusted has changed since",
    ),
    "at boot": (lambda node: node.permanent("trusted", "addSource", "s", PODS), "zone trusted has changed since"),
    "another source": (
        lambda node: node.permanent("trusted", "addSource", "s", USERS), "zone trusted has changed since",
    ),
    "another zone has it": (
        lambda node: node.call("zone", "addSource", "ss", "drop", PODS), f"firewalld has {PODS} in zone drop: take it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("drift", list(DRIFTS))
def test_a_plan_from_before_somebody_else_acted_is_not_made(drift: str, with_firewalld: FirewalldNode) -> None:
    node = with_firewalld
    change = planned(node)
    act, says = DRIFTS[drift]
    act(node)
    with pytest.raises(Drifted, match=says):
        node.on(change.check)


def test_another_zones_source_is_not_taken_from_it(with_firewalld: FirewalldNode) -> None:
    """Neither by a plan, nor by an undo after somebody has moved the source there."""
    node = with_firewalld
    change = planned(node)
    node.on(change.apply)
    node.call("zone", "changeZoneOfSource", "ss", "drop", PODS)
    with pytest.raises(NotApplicable, match="in zone drop: take it out there first"):
        planned(node)
    with pytest.raises(Drifted, match="drop"):
        node.on(change.undo)
    assert node.call("zone", "getSources", "s", "drop") == [PODS]
