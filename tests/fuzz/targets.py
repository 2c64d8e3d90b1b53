"""What is given odd input: each target takes one, and raises only what tells a user what is wrong with it."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import look
from netdoctor.errors import NetdoctorError
from netdoctor.facts.cluster import kube_proxy, services
from netdoctor.facts.cluster.coredns import Corefile, nameservers, parse_upstream
from netdoctor.facts.cluster.last_ends import telling_line
from netdoctor.facts.gateways import database_login, images, kustomization, listeners, litellm_config
from netdoctor.facts.gateways import gateways as modules
from netdoctor.facts.node import links
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.facts.node.firewalld_rules import FORWARD, FirewalldRules
from netdoctor.facts.node.iptables import Ruleset, masquerade_sources
from netdoctor.facts.node.kube_proxy_rules import in_nftables
from netdoctor.facts.node.sysctl import IP_FORWARD, SysctlFiles
from netdoctor.facts.traffic.node_network import NodeNetwork
from netdoctor.facts.traffic.sandbox_refusals import refusal_of
from netdoctor.gateways import pod_failure
from netdoctor.output.layout import rendered
from netdoctor.output.report_json import to_json
from netdoctor.output.report_text import render
from netdoctor.program_messages import coredns as known_of_coredns
from netdoctor.program_messages import kube_proxy as known_of_kube_proxy
from netdoctor.program_messages import network_agents
from netdoctor.program_messages.message import find
from netdoctor.recording.file import from_json
from netdoctor.system.kubelet_settings import named_in
from netdoctor.system.legacy_iptables import counters_in
from netdoctor.system.nft_trace import read_events
from netdoctor.tracing import end_names, ends
from netdoctor.twin import recorded_state, routes, rule_words, state
from netdoctor.twin.redaction.pseudonyms import Pseudonyms
from netdoctor.twin.wire import conntrack, nft_messages, nftables
from tests.facts.texts import CACHE, CONFLIST, COREFILE, IPTABLES, KUBE_PROXY_IPTABLES, KUBE_PROXY_NFTABLES, LINKS, NFT
from tests.fuzz.mutations import BYTES, EDITS, PACKED, changed, damaged, with_damaged_messages

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("*.json"))
LONGEST = 10.0  # seconds of the processor
OF_A_BUILD = (ValueError, KeyError, IndexError, OverflowError, struct.error)  # what a twin's build puts into words
Target = Callable[[Any], object]


@cache
def recordings() -> tuple[Any, ...]:
    """Real ones, taken apart."""
    return tuple(json.loads(path.read_text()) for path in RECORDINGS)


def judged(recording: Any) -> None:
    """All that `check` does with a recording but copies of the node."""
    text = recording if isinstance(recording, str) else json.dumps(recording)
    catalogue = Catalogue.load()
    facts = from_json(text, catalogue)
    given = {kind: value for kind, value in facts.known().items() if kind is not NodeNetwork}
    if len(given) != len(facts.known()):
        facts = type(facts)({k: v for k, v in given.items() if k.__name__ in recording["facts"]}, live=False)
    _look(catalogue, facts)


def copied(recording: Any) -> None:
    """All that `check` does with a recording."""
    catalogue = Catalogue.load()
    _look(catalogue, from_json(json.dumps(recording), catalogue))


def _look(catalogue: Catalogue, facts: Any) -> None:
    report = look(catalogue, facts).report()
    to_json(report)
    rendered(render(report, catalogue), 80, False)
    broken = [result for result in report.results if "itself failed" in result.reason or "Error:" in result.reason]
    assert not broken, broken[0]


def _cni(text: str) -> object:
    try:
        name, plugins = CniConfig.parse(text)
    except ValueError as error:  # its own word for a bad file, which collect turns into a problem
        return str(error)
    return CniConfig("x", name, plugins, (), (), "").pod_network


def _messages(data: str) -> object:
    raw = data.encode("latin-1", errors="replace")
    made = [nftables.NftObject(kind, 2, raw) for kind in nftables.GET]
    parsers: list[Callable[[], object]] = [
        *(partial(_sent, each) for each in made),
        *(partial(getattr, each, "place") for each in made),
        partial(conntrack._message, raw),
        partial(conntrack.Ends.of, raw),
        partial(state.Link, raw),
        partial(_gateways, raw),
    ]
    for parse in parsers:
        with suppress(*OF_A_BUILD):
            parse()
    return list(read_events(raw))


def _sent(each: nftables.NftObject) -> object:
    return list(nft_messages.taken_back([each]))


def _gateways(raw: bytes) -> object:
    return list(routes.gateways(raw))


def _known(text: str) -> object:
    network = recorded_state.replayed(recordings()[0]["facts"]["NodeNetwork"]["fact"])
    from netdoctor.facts.cluster.cluster_addresses import ClusterAddresses

    known = ends.Known(network, ClusterAddresses((), (), (), (), ()), (), (), "")
    word, _, rest = text.partition("\n")
    known.source(word)
    return known.target(word, rest[:5])


def _known_messages(text: str) -> object:
    return [find(text, table.MESSAGES) for table in (known_of_coredns, known_of_kube_proxy, network_agents)]


ROUTES = "default via 192.0.2.1 dev eth0\n10.0.0.0/8 proto static\n\tnexthop via 192.0.2.3 dev eth0 weight 1\n"
SOCKETS = "  0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 1\n"
LEGACY = "*filter\n:INPUT DROP [1:60]\n[2:120] -A INPUT -p tcp -j DROP\nCOMMIT\n"
MANIFEST = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {}\n"
LOG = "FATAL: password authentication failed for user x\n"
SANDBOX = 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to find plugin "a" in path [/x]'
ADDRESSES = "10.1.2.3/24 fe80::1/64 02:00:00:00:00:01 10.0.0.1-10.0.0.9"
URL = "postgresql://user:pass@pg.default.svc:5432/db?sslmode=require"
SETTINGS = "net.ipv4.ip_forward = 1\n"
RESOLVERS = "search a b\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n"
TEXTS: dict[str, tuple[Target, str]] = {
    "iptables": (lambda text: masquerade_sources(Ruleset.parse(text)), IPTABLES),
    "services": (lambda text: services.services_in_rules(tuple(text.splitlines())), KUBE_PROXY_IPTABLES[:6000]),
    "cni": (_cni, CONFLIST),
    "attachment": (Attachments.parse, CACHE),
    "corefile": (lambda text: [parse_upstream(word) for word in Corefile.parse(text).forwards], COREFILE),
    "upstream": (parse_upstream, "tls://[2001:db8::1]:853"),
    "firewalld": (lambda text: FirewalldRules.parse(text).last_word(FORWARD, "public"), NFT),
    "kube-proxy in nftables": (in_nftables, KUBE_PROXY_NFTABLES[:6000]),
    "kube-proxy's settings": (kube_proxy._settings, "mode: nftables\nmetricsBindAddress: 127.0.0.1:10249\n"),
    "links": (links.Links.parse, LINKS),
    "routes": (lambda text: links.Links((), links.Links.parse_routes(text)).next_hops("192.0.2.9"), ROUTES),
    "sysctl files": (lambda text: SysctlFiles({"/etc/sysctl.conf": text}).setting(IP_FORWARD), SETTINGS),
    "nameservers": (nameservers, RESOLVERS),
    "login": (database_login.parse_url, URL),
    "host of a login": (database_login._end_of, URL),
    "endpoint": (litellm_config.endpoint, "https://user:key@api.example.com:8443/v1"),
    "database": (lambda text: litellm_config.login_of({"DATABASE_URL": text}), URL),
    "database's host": (lambda text: litellm_config.login_of({"PGHOST": text, "PGPORT": text}), "pg.default:5432"),
    "image": (lambda text: images.server_of(images.normal(text)), "registry.example.com:5000/a/b:1.2@sha256:0123"),
    "listeners": (listeners.parse, SOCKETS),
    "number": (lambda text: modules.number(text, 0), "12"),
    "legacy counters": (counters_in, LEGACY),
    "manifests": (lambda text: kustomization.parse(text, "k8s"), MANIFEST),
    "log": (lambda text: pod_failure.of_log("a", pod_failure.read(text)), LOG),
    "log of a system pod": (lambda text: [telling_line(text.splitlines()), _known_messages(text)], LOG),
    "refusal": (lambda text: refusal_of("a", "b", text), SANDBOX),
    "kubelet's settings": (named_in, "resolvConf: /etc/resolv.conf\n"),
    "rule": (lambda text: (rule_words.rule_words(text), rule_words.purpose(text)), KUBE_PROXY_IPTABLES[:2000]),
    "pseudonyms": (lambda text: Pseudonyms({"node"}).text(text), ADDRESSES),
    "port": (lambda text: end_names.port_number(text, "x"), "443"),
    "names of a trace": (_known, "default/client\n53"),
    "messages": (_messages, "\x1c\0\1\0" * 12),
    "JSON of a recording": (judged, '{"schema_version": 1, "facts": {"Sysctls": {"fact": {"values": {"a": "1"}}}}}'),
}


def run(target: Target, given: Any) -> None:
    """Give it the input. Raises whatever is no sentence for a user, and AssertionError for what takes too long."""
    begin = time.process_time()  # a machine that is busy with something else says nothing about the target
    try:
        target(given)
    except NetdoctorError as error:
        said = str(error)
        assert "Traceback" not in said
        assert "\n" not in said.strip(), said
    assert time.process_time() - begin < LONGEST


def strategies() -> dict[str, tuple[Target, st.SearchStrategy[Any]]]:
    """Each target with what makes its inputs."""
    found: dict[str, tuple[Target, st.SearchStrategy[Any]]] = {
        name: (target, BYTES.map(lambda edits, text=text: damaged(text, edits)))  # type: ignore[misc]
        for name, (target, text) in TEXTS.items()
    }
    base = st.sampled_from(range(len(RECORDINGS)))
    facts = st.builds(lambda which, edits: _changed_facts(recordings()[which], edits), base, EDITS)
    network = st.builds(
        lambda which, kind, edits: with_damaged_messages(recordings()[which], kind, edits), base, PACKED, BYTES
    )
    whole = st.builds(lambda which, edits: changed(recordings()[which], edits), base, EDITS)
    return found | {
        "facts of a recording": (judged, facts),
        "recording": (copied, whole),
        "messages of a recording": (copied, network),
    }


def _changed_facts(recording: Any, edits: Any) -> Any:
    """The recording without the network's messages, of which most edits would hit one: one fact is changed."""
    names = sorted(name for name in recording["facts"] if name != "NodeNetwork")
    chosen = names[int(edits[0][0] * len(names))]
    facts = {name: recording["facts"][name] for name in names}
    return {**recording, "facts": {**facts, chosen: changed(facts[chosen], edits)}}
