"""Each row of docs/twin.md's tables of what a recording replaces, leaves out and shows is held by one recording."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from netdoctor import __version__
from netdoctor.diagnosis.runner import run
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Node, Nodes, pod_of
from netdoctor.facts.gateways.gateways import Image
from netdoctor.facts.gateways.images import Images, NodeImage
from netdoctor.facts.gateways.litellm_config import Database, Model
from netdoctor.facts.gateways.network_policies import NetworkPolicies, policy_of
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.links import Links
from netdoctor.facts.node.sysctl import SysctlFiles, _settings
from netdoctor.facts.traffic.vantage import VantagePoint, VantagePoints
from netdoctor.recording.file import from_json, to_json
from netdoctor.recording.parts import judged_labels
from netdoctor.system.kube_api import KubeApi
from netdoctor.twin.redaction.foreign_names import ForeignNames
from tests.builders import iptables, pods
from tests.conftest import ROOT
from tests.gateways.module_builders import gateway, modules, provider
from tests.worlds import catalogue, world

PAGE = (ROOT / "docs/twin.md").read_text()
SECRET = "sk-canary0f1e2d3c4b5a69788"
CANARY = "canary0f1e2d3c"


def table(heading: str) -> list[str]:
    """The first column of the table under this line."""
    lines = PAGE.split(heading, 1)[1].strip().splitlines()
    rows = [line.strip("|").split(" | ")[0].strip() for line in lines[2 : lines.index("")]]
    assert rows
    return rows


REPLACED = {
    "public IPv4 addresses": ("140.82.121.4",),
    "public IPv6 addresses": ("2606:4700:10::6814:1",),
    "MAC addresses that a maker has given, also inside IPv6 addresses": ("00:1b:21:aa:bb:cc", "21b:21ff:feaa:bbcc"),
    "the nodes' host names": ("worker7", "acme"),
    "the API server's host name": ("kube-prod", "acme"),
    "host names of registries, providers and databases outside of the cluster":
        ("registry.acme", "llm.acme", "pg.acme", "acmeregistry"),
    "host names that are made of an address, such as ec2-203-0-113-7 and ip-10-0-0-1":
        ("ec2-140-82-121-9", "eu-west-1", "ip-10-9-8-7", "140-82-121-7"),
    "other host names in texts, by their top-level domain": ("vault.corp-of-acme.io", "bastion.acme"),
    "the cluster's own domain": ("k8s.acme.internal",),
    "user names in paths": ("anna", "bertha", "carla"),
    "comments in rules, other than kube-proxy's and the CNI's": ("ticket 4711",),
    "passwords, keys, tokens": (SECRET, SECRET[3:]),
}  # fmt: skip
LEFT_OUT = {
    "what CoreDNS's plugins are told, other than addresses to forward to": (f"{CANARY}1",),
    "the keys of a CNI configuration that nothing judges": (f"{CANARY}2",),
    "settings in sysctl files that nothing judges, and comments": (f"{CANARY}3",),
    "environments, annotations and commands of pods": (f"{CANARY}4",),
    "labels that no selector names": (f"{CANARY}5",),
    "the list of images on a node": (f"{CANARY}6",),
}
VISIBLE = {
    "private addresses": ("10.244.0.99",),
    "the well-known public resolvers": ("8.8.8.8",),
    "names of namespaces, pods and Services": ("kube-system", "kube-dns", "anna-shop"),
    "labels that a selector names": ('"app": "postgres"',),
    "names of interfaces, chains and tables": ("eth7", "KUBE-SERVICES"),
    "names of images, without a private registry's host": ("docker.io/library/postgres:15", "/team/app:1"),
    "names of models, databases and their users": ("gpt-9", "billing_db", "billing_user"),
    "the versions of the operating system, the kernel, Kubernetes and netdoctor": (f'"netdoctor {__version__}"',),
    "well-known public names": ("registry.k8s.io", "example.com", "kubernetes.default.svc.cluster.local"),
    "a host name of one word in another program's message": ("jumphost",),
}


class Answered(KubeApi):
    def __init__(self) -> None:
        self.server, self.version = "https://kube-prod.acme-k8s.eu:6443", "v1.36.0"


SAID = (
    "dial tcp 140.82.121.4:443 and [2606:4700:10::6814:1]:443 from 00:1b:21:aa:bb:cc, fe80::21b:21ff:feaa:bbcc; "
    "host ec2-140-82-121-9.eu-west-1.compute.amazonaws.com, ip-10-9-8-7 and 140-82-121-7.dsl.isp.net; "
    "https://vault.corp-of-acme.io/v1, ssh bastion.acme.com. jumphost; /home/anna/.kube/config, C:\\Users\\bertha\\x, "
    "/Users/carla/k; registry.k8s.io/pause:3 example.com kubernetes.default.svc.cluster.local; "
    "llm.acme.eu.default.svc.k8s.acme.internal. eth7 node worker7 10.244.0.99 "
    f"password={SECRET}"
)


COREFILE = f".:53 {{\n etcd {{\n  credentials u {CANARY}1\n }}\n route53 x:{CANARY}1\n forward . 8.8.8.8\n}}"
SETTINGS = f"# {CANARY}3\nkernel.x = {CANARY}3\nnet.ipv4.ip_forward = 1\n"


def facts() -> Any:
    labels = {"app": "postgres", "team": f"{CANARY}5"}
    shop = pod_of({
        "metadata": {"name": "anna-shop", "namespace": "default", "uid": "u9", "labels": labels,
                     "annotations": {"a": f"{CANARY}4"}},
        "spec": {"nodeName": "worker7.acme.example", "containers": [
            {"name": "c", "command": [f"{CANARY}4"], "env": [{"name": "A", "value": f"{CANARY}4"}]}]},
        "status": {"podIPs": [{"ip": "10.244.0.99"}]},
    })  # fmt: skip
    conf = json.dumps({"name": "net", "type": "bridge", "token": f"{CANARY}2", "ipam": {"password": f"{CANARY}2"}})
    name, plugins = CniConfig.parse(conf)
    one = gateway(
        models=(Model("gpt-9", "chat", "llm.acme.eu:443"),),
        database=Database("pg.acme.aws.eu", 5432, "billing_db", "billing_user"),
    )
    images = (Image("docker.io/library/postgres:15", "", ("p",)), Image("registry.acme.eu:5000/team/app:1", "", ("p",)))
    listed = pods()
    rules = iptables()
    chains = {**rules.nft.chains.get("filter", {}), "INPUT": ('-A INPUT -m comment --comment "ticket 4711" -j ACCEPT',)}
    ruleset = replace(rules.nft, chains={**rules.nft.chains, "filter": chains})
    search = ("default.svc.k8s.acme.internal", "svc.k8s.acme.internal", "k8s.acme.internal")
    point = VantagePoint("pod default/anna-shop", "pod", "", "10.244.0.99", "default", "anna-shop", (), search)
    return world(
        replace(listed, items=(*listed.items, shop)),
        CniConfig("/etc/cni/net.d/1.conflist", name, plugins, (), (), ""),
        Corefile.parse(COREFILE),
        SysctlFiles({"/etc/sysctl.d/1.conf": _settings(SETTINGS)}),
        Nodes((Node("worker7.acme.example", ("192.0.2.10",), (), False, SAID, (f"r.io/{CANARY}6:1",)),)),
        ThisNode("worker7.acme.example", ("192.0.2.10",), ""),
        modules(one, images=images), provider(name="llm.acme.eu:443"),
        Images((NodeImage("acmeregistry.local/team/app:1", "Always", ("p",), False, "acmeregistry.local:443"),)),
        replace(rules, nft=ruleset), VantagePoints((point,), ""),
        unread={KubeApi: Answered(), Links: CannotRead("ip address", SAID)},  # type: ignore[dict-item]
    )  # fmt: skip


@pytest.fixture(scope="module")
def recorded() -> str:
    return to_json(facts())


def test_every_row_is_held() -> None:
    assert table("consistently everywhere:\n\n") == list(REPLACED)
    assert table("Not in a recording at all:\n\n") == list(LEFT_OUT)
    assert table("Visible in a recording:\n\n") == list(VISIBLE)


@pytest.mark.parametrize("row", list(REPLACED))
def test_what_is_replaced_is_nowhere(row: str, recorded: str) -> None:
    for word in REPLACED[row]:
        found = re.search(rf".{{60}}\b{re.escape(word)}(?!-shop).{{20}}", recorded, re.IGNORECASE)
        assert not found, found


@pytest.mark.parametrize("row", list(LEFT_OUT))
def test_what_is_left_out_is_nowhere(row: str, recorded: str) -> None:
    for word in LEFT_OUT[row]:
        assert word not in recorded


@pytest.mark.parametrize("row", list(VISIBLE))
def test_what_is_visible_is_there(row: str, recorded: str) -> None:
    for word in VISIBLE[row]:
        assert word in recorded


def test_the_same_stands_for_the_same(recorded: str) -> None:
    stored = json.loads(recorded)["facts"]
    gateway_ = stored["Modules"]["fact"]["gateways"][0]
    assert gateway_["models"][0]["provider"] == stored["Providers"]["fact"]["items"][0]["name"]
    assert gateway_["models"][0]["provider"].partition(":")[0] in stored["Links"]["cannot_read"]["reason"]
    assert stored["VantagePoints"]["fact"]["points"][0]["search"][1] == "svc.cluster.local"
    again = to_json(from_json(recorded, catalogue()))
    assert json.loads(again)["facts"] == stored


def test_what_a_fact_names_is_known_by_no_ending() -> None:
    """An API server without a domain, and a top-level domain that no list has: a fact says that they are hosts."""

    class Server(KubeApi):
        def __init__(self) -> None:
            self.server, self.version = "https://acmecp1:6443", "v1.36.0"

    one = gateway(
        models=(Model("gpt-9", "chat", "llm.acmecorp.bank:443"),),
        database=Database("pg.acmecorp.bank", 5432, "billing_db", "billing_user"),
    )
    images = (Image("reg.acmecorp.bank:5000/team/app:1", "", ("p",)),)
    here = NodeImage("mirror.acmecorp.bank/team/app:1", "Always", ("p",), False, "mirror.acmecorp.bank:443")
    said = "lookup acmecp1: no such host; reg.acmecorp.bank, llm.acmecorp.bank, pg.acmecorp.bank, mirror.acmecorp.bank"
    known = world(
        modules(one, images=images), provider(name="llm.acmecorp.bank:443"), Images((here,)),
        unread={KubeApi: Server(), Links: CannotRead("ip address", said)},  # type: ignore[dict-item]
    )  # fmt: skip
    assert re.findall(r"\S*acme\S*", to_json(known)) == []


def test_it_is_judged_the_same(recorded: str) -> None:
    here, there = run(catalogue(), facts()), run(catalogue(), from_json(recorded, catalogue()))
    assert {name: result.outcome for name, result in here.items()} == {
        name: result.outcome for name, result in there.items()
    }


NAMES = ForeignNames({"regis.acme"}, {"dev", "client"})


@pytest.mark.parametrize(
    "text",
    ["net.ipv4.conf.all.rp_filter", "net.core.dev_weight", "/etc/cni/net.d/1.conflist", "10.244.0.5/16 dev eth0",
     "postgres.dev:5432", "node-1", "app.kubernetes.io/name", "docker.io/library/postgres:15", "v1.36.3", "0.7 ms",
     "kubernetes.default.svc.cluster.local.", "10-244-0-5.default.pod.cluster.local", "host-1.outside.example",
     "/run/containerd/io.containerd.runtime.v2.task", "2026-11-25T10:44:28Z", "8.8.8.8", "coredns-8547bb4c78-bgxb4",
     "https://10.96.0.1:443", "4.0.10.in-addr.arpa", "user-1 in /home/user-1/x", "a.b.c", "x.example"],
)  # fmt: skip
def test_innocent_words_stay(text: str) -> None:
    assert NAMES.text(text) == text


@pytest.mark.parametrize(
    ("text", "gone"),
    [("https://user@gw1:6443/x", "gw1"), ("lookup REGIS.ACME: no such host", "REGIS"), ("EC2-3-4-5-6.X.COM", "3-4-5-6"),
     ("~dora/x", "dora"), ("/var/home/dora", "dora"), ("c:\\\\Users\\\\dora\\\\x", "dora"),
     ("a_8_9_7_6.isp", "8_9_7_6"),
     ("api.acme.com.default.svc.cluster.local.", "acme"), ("8-9-7-6.default.pod.cluster.local", "8-9-7-6"),
     ("with the rights of dora", "dora"), ("it can be changed by dora", "dora"), ("git@acme.io", "acme")],
)  # fmt: skip
def test_other_spellings_go(text: str, gone: str) -> None:
    assert gone not in NAMES.text(text)


def test_labels_that_a_policy_names_stay_whatever_its_form() -> None:
    spec = {
        "podSelector": {"matchLabels": {"a": "1"}},
        "note": CANARY,
        "ingress": [
            {"from": [{"podSelector": {"matchLabels": 3, "matchExpressions": [{"key": "b", "operator": "Exists"}]}}]}
        ],
    }
    policy = policy_of({"metadata": {"name": "p", "namespace": "n"}, "spec": spec})
    assert CANARY not in repr(policy)
    found = judged_labels({NetworkPolicies: NetworkPolicies((policy,), {})})
    assert {"a", "b"} <= found
