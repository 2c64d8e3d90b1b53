"""When the pod network is masqueraded by a table of netdoctor's own, and when that is left to somebody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netdoctor.changes.file import WriteFile, is_of_netdoctor
from netdoctor.changes.masquerade_network import MasqueradeNetwork
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses
from netdoctor.facts.cluster.pod_network import PodNetwork
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.node.iptables import EMPTY, Iptables, Ruleset
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.departures import Departures
from netdoctor.model import Change, NotApplicable
from netdoctor.remedies.host.masquerade_pod_network import masquerade_pod_network
from netdoctor.system.host import Host
from tests.builders import BRIDGE, CLIENT, NODE_ADDRESS, POD_NETWORK, cni, departures, masquerade, pods

pytestmark = pytest.mark.usefixtures("no_systemd")

NO_MASQUERADE = cni(plugins=({"type": "bridge", "bridge": BRIDGE, "ipam": {"subnet": POD_NETWORK}},))
STATIC = "192.0.2.0/24 dev eth0 proto kernel scope link"
RETURNS = f"-A POSTROUTING -s {POD_NETWORK} -j RETURN"
FACTS = {
    "departures": departures(CLIENT),
    "masquerade": masquerade(wanted=False),
    "network": PodNetwork((POD_NETWORK,), "the CNI"),
    "cni": NO_MASQUERADE,
    "iptables": Iptables(EMPTY, EMPTY),
    "links": Links((), (STATIC, "default via 192.0.2.1 dev eth0 proto static")),
    "cluster": ClusterAddresses((), (), (POD_NETWORK, "10.245.0.0/16", "fd00::/64")),
    "pods": pods(),
    "host": Host(),
}


def nat(*rules: str) -> Iptables:
    chains = sorted({rule.split()[1] for rule in rules})
    text = "\n".join(["*nat", *(f":{chain} - [0:0]" for chain in chains), *rules, "COMMIT"])
    return Iptables(Ruleset.parse(text), EMPTY)


def wanted(**changed: object) -> list[Change]:
    return list(masquerade_pod_network.plan((), **{**FACTS, **changed}))


def test_the_whole_pod_network_but_not_to_pods_of_any_node() -> None:
    (change,) = wanted()
    assert isinstance(change, MasqueradeNetwork)
    assert change.networks == (POD_NETWORK,)
    assert change.kept == ("10.244.0.0/15", "224.0.0.0/4")
    assert change.bridge == BRIDGE
    assert not change.at_boot


def test_where_systemd_runs_files_keep_it(no_systemd: Path) -> None:
    (no_systemd / "run").mkdir()
    change, *files = wanted()
    assert isinstance(change, MasqueradeNetwork)
    assert change.at_boot
    rules, unit, wants = [file for file in files if isinstance(file, WriteFile)]
    assert rules.path == str(no_systemd / "masquerade.nft")
    assert rules.text.endswith(change.table_anew)
    assert f"nft -f {rules.path}\n" in unit.text
    assert f"ConditionPathExists={rules.path}\n" in unit.text
    assert "After=firewalld.service nftables.service" in unit.text
    assert wants.text.endswith("[Unit]\nWants=netdoctor-masquerade.service\n")
    for file in files:
        file.apply(Host())
    assert wanted() == [change]  # what is there already is not written once more
    for file in reversed(files):
        file.undo(Host())
    assert [path.name for path in no_systemd.iterdir()] == ["run"]


@pytest.mark.parametrize(("path", "own"), [
    ("/etc/netdoctor/masquerade.nft", True),
    ("/etc/netdoctor/accept.sh", True),
    ("/etc/systemd/system/netdoctor-masquerade.service", True),
    ("/etc/systemd/system/multi-user.target.d/99-netdoctor-masquerade.conf", True),
    ("/etc/netdoctor/../passwd.sh", False),
    ("/etc/systemd/system/kubelet.service", False),
    ("/etc/systemd/system/netdoctor-x.service/y.service", False),
    ("/etc/systemd/system/multi-user.target.d/10-other.conf", False),
])  # fmt: skip
def test_undo_writes_files_of_these_names_alone(path: str, own: bool) -> None:
    assert is_of_netdoctor(path) is own


def test_a_range_that_rules_leave_out_stays_out() -> None:
    (change,) = wanted(iptables=nat(f"-A POSTROUTING -s {POD_NETWORK} -d 172.16.0.0/12 -j RETURN"))
    assert isinstance(change, MasqueradeNetwork)
    assert "172.16.0.0/12" in change.kept


def test_what_sends_all_pods_past_the_masquerade_of_the_cni_is_nobodys_wish() -> None:
    jump = "-A POSTROUTING -j KUBE-POSTROUTING"
    marked = "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN"
    for rules, mark in (((RETURNS, jump, marked), 0x4000), ((jump, RETURNS, marked), 0)):
        (change,) = wanted(cni=cni(), iptables=nat(*rules))
        assert isinstance(change, MasqueradeNetwork)
        assert change.mark == mark


AGENT = replace(pods().items[0], namespace="kube-system", name="ip-masq-agent-x7k2p")
LEFT: dict[str, tuple[dict[str, object], str]] = {
    "the CNI's rules are gone": ({"masquerade": masquerade(CLIENT)}, "have to be written again"),
    "Calico": ({"cni": cni(plugins=({"type": "calico"},))}, r"up to the CNI \(calico\)"),
    "kindnet and GKE": ({"cni": cni(plugins=({"type": "ptp"},))}, r"up to the CNI \(ptp\)"),
    "no CNI": ({"cni": cni(plugins=())}, "none is configured"),
    "BGP": ({"links": Links((), (STATIC, "10.9.0.0/16 via 192.0.2.3 dev eth0 proto bird"))}, "learns routes"),
    "kube-router": ({"links": Links((), ("10.244.1.0/24 via 192.0.2.3 dev eth0 proto 17",))}, "learns routes"),
    "the agent runs": ({"pods": Pods((AGENT,))}, "ip-masq-agent decides"),
    "the agent's chain": ({"iptables": nat("-A IP-MASQ-AGENT -j MASQUERADE")}, "chain IP-MASQ-AGENT"),
    "flannel's chain": ({"iptables": nat("-A FLANNEL-POSTRTG -j MASQUERADE")}, "chain FLANNEL-POSTRTG"),
    "a range that holds whom they asked": (
        {"iptables": nat("-A POSTROUTING ! -d 8.0.0.0/8 -j MASQUERADE")}, "leaves 8.0.0.0/8 unmasqueraded",
    ),
    "a rule that is not judged": ({"iptables": nat("-A POSTROUTING -m mark --mark 0x1 -j ACCEPT")}, "not clear"),
    "a rule, and the CNI says so too": ({"iptables": nat(RETURNS)}, "has no ipMasq, and a rule lets pods pass"),
    "pods of another network": ({"network": PodNetwork(("10.9.0.0/16",), "the CNI")}, "is in no network of pods"),
}  # fmt: skip


@pytest.mark.parametrize("seen", [
    Departures(()),
    departures(CLIENT, back_by="eth0"),  # a router knows the way
    departures(CLIENT, NODE_ADDRESS),
    departures(""),  # the host's own question
])  # fmt: skip
def test_it_takes_a_packet_of_a_pod_that_left_as_it_was_and_was_not_answered(seen: Departures) -> None:
    assert wanted(departures=seen) == []


@pytest.mark.parametrize("why", LEFT)
def test_it_is_left_to_somebody_else(why: str) -> None:
    changed, says = LEFT[why]
    with pytest.raises(NotApplicable, match=says):
        wanted(**changed)


def test_legacy_tables_that_cannot_be_read_may_say_anything() -> None:
    with pytest.raises(CannotRead):
        wanted(iptables=Iptables(EMPTY, EMPTY, "permission denied"))


def test_without_nft_there_is_nothing_to_load_it_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(NotApplicable, match="nft is not installed"):
        wanted()
