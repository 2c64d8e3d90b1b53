"""Which tracked connections lead to an endpoint that is gone, from entries as the kernel dumps them."""

from __future__ import annotations

import socket
import struct
from dataclasses import replace

import pytest

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.this_node import LocalAddresses
from netdoctor.facts.traffic import stale_connections
from netdoctor.facts.traffic.hidden_pods import HiddenPod, hidden
from netdoctor.facts.traffic.names import ClusterDns
from netdoctor.facts.traffic.stale_connections import StaleConnections, stale
from netdoctor.system import questions
from netdoctor.twin.wire.netlink import NESTED, attribute, packed
from netdoctor.twin.wire.nfnetlink import nfgenmsg
from netdoctor.twin.wire.uapi.nfnetlink import CTA, CTA_IP, CTA_PROTO, CTA_TUPLE
from tests.builders import CLIENT, COREDNS, DNS_ADDRESS, OLD_POD, SILENT, dns_answers, services, slices, sysctls

KUBE_PROXY = KubeProxy("iptables", "its process", True, "kube-system/kube-proxy-1", "")
GONE = "10.244.0.250"


def _tuple(kind: int, source: str, destination: str, ports: tuple[int, int], protocol: int) -> bytes:
    addresses = packed([(CTA_IP.V4_SRC, socket.inet_aton(source)), (CTA_IP.V4_DST, socket.inet_aton(destination))])
    numbers = packed([(CTA_PROTO.NUM, bytes([protocol])), (CTA_PROTO.SRC_PORT, struct.pack("!H", ports[0])),
                      (CTA_PROTO.DST_PORT, struct.pack("!H", ports[1]))])  # fmt: skip
    inner = attribute(CTA_TUPLE.IP | NESTED, addresses) + attribute(CTA_TUPLE.PROTO | NESTED, numbers)
    return attribute(kind | NESTED, inner)


def entry(answers: str, seconds: int = 29, port: int = 40000, protocol: int = 17, asked: str = DNS_ADDRESS,
          seen_as: str = CLIENT) -> bytes:  # fmt: skip
    """An exchange of the client with the DNS Service, answered by this address."""
    original = _tuple(CTA.TUPLE_ORIG, CLIENT, asked, (port, 53), protocol)
    reply = _tuple(CTA.TUPLE_REPLY, answers, seen_as, (53, port), protocol)
    return nfgenmsg(socket.AF_INET) + original + reply + attribute(CTA.TIMEOUT, struct.pack("!I", seconds))


def collect(
    monkeypatch: pytest.MonkeyPatch,
    *dumps: tuple[bytes, ...],
    names: ClusterDns | None = None,
    made: Services | None = None,
    ends: EndpointSlices | None = None,
    local: tuple[str, ...] = (),
) -> list[str]:
    """Where the packets of the connections in use go, with one dump after the other."""
    each = iter([*dumps, *dumps[-1:] * stale_connections.LOOKS])
    monkeypatch.setattr(stale_connections, "AGAIN", 0)
    monkeypatch.setattr("netdoctor.twin.wire.conntrack.dump", lambda _most: next(each))
    found = StaleConnections.collect(
        sysctls(), KUBE_PROXY, made or services(), ends or slices(), LocalAddresses(local), names or dns_answers()
    )
    return [f"{item.source}:{item.source_port} {item.service} {item.sent_to}" for item in found.items]


IN_USE = [f"{CLIENT}:40000 kube-system/kube-dns {GONE}"]


def test_one_that_packets_are_sent_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert collect(monkeypatch, (entry(GONE),), (entry(GONE),)) == IN_USE
    assert collect(monkeypatch, (entry(GONE, 29),), (entry(GONE, 28),), (entry(GONE, 29),)) == IN_USE
    assert collect(monkeypatch, (entry(DNS_ADDRESS),)) == [IN_USE[0].replace(GONE, DNS_ADDRESS)]


def test_one_that_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    assert collect(monkeypatch, *[(entry(GONE, left),) for left in (29, 28, 27, 26, 25, 24)]) == []
    assert collect(monkeypatch, (entry(GONE),), (entry(GONE, port=40001),), ()) == []


def test_what_is_not_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = (entry(COREDNS), entry(GONE, protocol=6), entry(GONE, asked="10.96.0.99"), b"\2\0\0\0damaged")
    assert collect(monkeypatch, alive) == []
    assert collect(monkeypatch, (entry(GONE),), ends=slices("kube-system/kube-dns")) == []
    assert collect(monkeypatch, (entry(GONE),), ends=replace(slices(), changing=("kube-system/kube-dns",))) == []
    assert collect(monkeypatch, (entry(DNS_ADDRESS),), local=(DNS_ADDRESS,)) == []  # a DNS cache on the node
    assert stale((entry(GONE),), (), slices()) == {}


def test_what_a_check_itself_has_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_own", {(CLIENT, 40000), (COREDNS, 40001)})
    assert collect(monkeypatch, (entry(GONE),), (entry(GONE),)) == []
    another = entry(GONE, port=40001)
    assert collect(monkeypatch, (another,), (another,)) == [IN_USE[0].replace("40000", "40001")]


def test_where_new_queries_fail_too_the_cause_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert collect(monkeypatch, (entry(GONE),), names=dns_answers(SILENT)) == []


def test_pods_that_others_see_by_another_address() -> None:
    pods = {CLIENT: OLD_POD, COREDNS: "pod kube-system/coredns"}
    tcp, now, before = 6, 118, 60
    masqueraded = entry(COREDNS, now, protocol=tcp, asked=COREDNS, seen_as="10.244.0.1")
    assert hidden((masqueraded,), pods) == (HiddenPod(OLD_POD, CLIENT, "pod kube-system/coredns", "10.244.0.1"),)
    plain = entry(COREDNS, now, protocol=tcp, asked=COREDNS)
    to_itself = entry(CLIENT, now, protocol=tcp, asked=CLIENT, seen_as="10.244.0.1")
    to_service = entry(COREDNS, now, protocol=tcp, seen_as="192.0.2.10")
    earlier = entry(COREDNS, before, protocol=tcp, asked=COREDNS, seen_as="10.244.0.1")
    assert hidden((plain, to_itself, to_service, earlier), pods) == ()


def test_a_proxy_that_does_not_track_and_a_table_that_is_too_large() -> None:
    many = "9" * 6
    for mode, tracked, why in (("ipvs", "3", Why.ABSENT), ("nftables", None, Why.ABSENT), ("", "3", Why.ABSENT),
                               ("iptables", many, Why.UNSUPPORTED)):  # fmt: skip
        with pytest.raises(CannotRead) as raised:
            StaleConnections.collect(sysctls(tracked=(tracked, "262144")), replace(KUBE_PROXY, mode=mode), services(),
                                     slices(), LocalAddresses(()), dns_answers())  # fmt: skip
        assert raised.value.why is why
