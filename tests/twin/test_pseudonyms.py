"""What stands for addresses, interfaces, hosts and comments: in texts, in messages and in structures."""

from __future__ import annotations

import ipaddress
import random
import struct
from collections.abc import Callable

import pytest

from netdoctor.twin.redaction import messages, redact_recording
from netdoctor.twin.redaction.pseudonyms import Pseudonyms
from netdoctor.twin.redaction.sets import IPV4, SetKind
from netdoctor.twin.redaction.sets import redacted as redacted_elements
from netdoctor.twin.redaction.xtables import redacted as redacted_xtables
from netdoctor.twin.state import Link
from netdoctor.twin.wire.netlink import NESTED, attribute
from netdoctor.twin.wire.netlink import packed as packed_attributes
from netdoctor.twin.wire.nftables import ELEMENTS, NftObject
from netdoctor.twin.wire.uapi.nf_tables import (
    NFT_SET_ELEM,
    NFTA_DATA,
    NFTA_LIST,
    NFTA_SET_ELEM,
    NFTA_SET_ELEM_LIST,
)

HOSTS = {"worker7.acme.example"}
KEEP = {"default", "kube-system", "client"}
MAC, GATEWAY_MAC = "00:1b:21:aa:bb:cc", "00:0c:29:11:22:33"


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def words(address: bytes) -> str:
    return str(ipaddress.ip_address(address))


STAYS = """
10.244.0.1 172.20.1.1 192.168.1.1 127.0.0.1 169.254.1.1 100.64.0.1 224.0.0.22 192.0.2.1 198.51.100.7 203.0.113.9 0.0.0.0
255.255.255.255 255.255.0.0 8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220
240.1.2.3 1.106.2 v1.36.3 v1.2.3.4 1.2.3.4.5 999.1.1.1 151.0.0.0/8 0.0.0.0/0 128.0.0.0/1 8.8.8.0/24 12:34:56 std::x
fe80::1 fd00::1 ::1 ff02::1 2001:db8::1 2001:4860:4860::8888 2606:4700:4700::1111 2620:fe::fe 2a00::/24 2000::/3 ::/0
02:11:22:33:44:55 ff:ff:ff:ff:ff:ff 01:00:5e:00:00:16 00:00:00:00:00:00 33:33:00:00:00:01 node-1 client default
kernel:6.1.0-18-amd64 [0:0] 10-20-30-40 enp3s0 worker7-cache myworker7
"""


@pytest.mark.parametrize("word", STAYS.split())
def test_what_identifies_nobody_stays(word: str) -> None:
    text = f'x {word} ({word}) "{word}", {word}.'
    assert Pseudonyms(HOSTS, KEEP).text(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("151.101.1.140", "240.1.1.140"),
        ("151.101.1.140:443, 151.102.0.1. 151.101.9.9/tcp", "240.1.1.140:443, 240.2.0.1. 240.1.9.9/tcp"),
        ("151.101.0.0/16 151.101.64.0/20 151.101.1.140/32", "240.1.0.0/16 240.1.64.0/20 240.1.1.140/32"),
        ("inet 151.101.1.140/8", "inet 240.1.1.140/8"),
        ("151.101.1.140/255.255.255.0", "240.1.1.140/255.255.255.0"),
        ("151.101.1.5-151.101.1.9", "240.1.1.5-240.1.1.9"),
        ("151.101.255.250-151.102.0.9", "240.1.255.250-240.2.0.9"),
        ("8.8.8.9 is not 8.8.8.8", "240.1.8.9 is not 8.8.8.8"),
        ("140.1.101.151.in-addr.arpa", "140.1.1.240.in-addr.arpa"),
        (r"\n151.101.1.140", r"\n240.1.1.140"),
        ("::ffff:151.101.1.140 64:ff9b::9765:18c", "::ffff:240.1.1.140 64:ff9b::f001:18c"),
        ("[2606:4700::15]:80", "[2001:db8:1::15]:80"),
        ("2606:4700::15: refused", "2001:db8:1::15: refused"),
        ("2606:4700::/48 2606:4700:0:1::/64 addr:2606:4700::1", "2001:db8:1::/48 2001:db8:1:1::/64 addr:2001:db8:1::1"),
        (f"ether {MAC}", "ether 02:00:5e:00:00:01"),
        (f"mac:{MAC.upper()}", "mac:02:00:5E:00:00:01"),
        (f"MAC={MAC}:{GATEWAY_MAC}:08:00", "MAC=02:00:5e:00:00:01:02:00:5e:00:00:02:08:00"),
        ("enx001b21aabbcc up", "enx02005e000001 up"),
        (f"{MAC} fe80::21b:21ff:feaa:bbcc/64", "02:00:5e:00:00:01 fe80::5eff:fe00:1/64"),
        (f"{MAC} ff02::1:ffaa:bbcc", "02:00:5e:00:00:01 ff02::1:ff00:1"),
        ("worker7.acme.example, Worker7: kube-apiserver-worker7", "node-1, node-1: kube-apiserver-node-1"),
    ],
)
def test_what_identifies_somebody_is_replaced(before: str, after: str) -> None:
    pseudonyms = Pseudonyms(HOSTS, KEEP)
    assert pseudonyms.text(before) == after
    assert pseudonyms.text(after) == after
    assert Pseudonyms(HOSTS, KEEP).text(after) == after


def test_hosts_get_one_name_each() -> None:
    several = Pseudonyms({"a.example", "a", "b.example", "node-1", "203.0.113.1", "client", "localhost"}, KEEP)
    text = "a.example a b.example b node-1 203.0.113.1 client localhost"
    assert several.text(text) == "node-2 node-2 node-3 node-3 node-1 203.0.113.1 client localhost"
    again = Pseudonyms({"node-3", "node-2", "node-1"}, KEEP)
    assert again.text(several.text(text)) == several.text(text)


@pytest.mark.parametrize(
    ("comment", "stays"),
    [
        ("default/postgres:tcp cluster IP", True),
        ("default/postgres has no endpoints", True),
        ("default/postgres -> 10.244.0.7:5432", True),
        ("kubernetes service portals", True),
        ("kubernetes service nodeports; NOTE: this must be the last rule in this chain", True),
        ("masquerade traffic for default/echo external destinations", True),
        ('name: "bridge" id: "d60ced34"', True),
        ('dnat name: "bridge" id: "d60ced34"', True),
        ("CNI firewall plugin rules", True),
        ("CNI portfwd requiring masquerade", True),
        ("flanneld masq", True),
        ("cali:tVnHkvAo15HuiPy0", True),
        ("kubernetes of ACME", False),
        ("ticket 4711", False),
    ],
)
def test_comments(comment: str, stays: bool) -> None:
    pseudonyms = Pseudonyms(HOSTS, KEEP)
    quoted = comment.replace('"', '\\"')
    line = f'-A INPUT -s 10.0.0.1/32 -m comment --comment "{quoted}" -j ACCEPT'
    assert pseudonyms.text(line) == (line if stays else line.replace(quoted, "redacted"))
    blob = comment.encode().ljust(256, b"\0")
    expected = blob if stays else b"redacted".ljust(256, b"\0")
    assert redacted_xtables("comment", 0, blob, 2, "INPUT", pseudonyms) == expected
    assert redacted_xtables("comment", 0, blob, 2, "KUBE-SVC-X", pseudonyms) == blob


def test_text_and_messages_agree_and_prefixes_still_fit() -> None:
    dice = random.Random(5)
    pseudonyms = Pseudonyms()
    for bits, block in ((32, 16), (128, 48)):
        size = bits // 8
        for _ in range(300):
            address = dice.getrandbits(bits)
            address = address if bits == 32 else (address & (1 << 125) - 1) | 1 << 125
            raw = address.to_bytes(size, "big")
            new = pseudonyms.raw(raw)
            assert pseudonyms.text(words(raw)) == words(new)
            assert pseudonyms.raw(new) == new
            length = dice.randint(block, bits)
            network = (address >> bits - length << bits - length).to_bytes(size, "big")
            moved = ipaddress.ip_network((pseudonyms.prefix(network, length), length))
            assert pseudonyms.text(f"{words(network)}/{length}") == str(moved)
            if new != raw:
                assert ipaddress.ip_address(new) in moved


def test_a_large_network_of_an_interface_moves_with_its_gateway() -> None:
    body = struct.pack("=BBBBI", 2, 12, 0, 0, 2) + attribute(2, packed("80.14.0.5"))
    pseudonyms, seen = Pseudonyms(), Pseudonyms()
    messages.meet_network(body, seen)
    for address in ("80.14.0.5", "80.1.0.1", "151.101.1.140"):
        seen.raw(packed(address))
    pseudonyms.adopt(seen)
    network = ipaddress.ip_network((pseudonyms.prefix(packed("80.0.0.0"), 12), 12))
    assert network.network_address in ipaddress.ip_network("240.0.0.0/4")
    for address, inside in (("80.14.0.5", True), ("80.1.0.1", True), ("80.9.9.9", True), ("151.101.1.140", False)):
        assert (ipaddress.ip_address(pseudonyms.raw(packed(address))) in network) is inside
    assert pseudonyms.text("80.0.0.0/12") == str(network)
    assert Pseudonyms().text(str(network)) == str(network)


# bodies of messages with an address, and where it is then
ONE, OTHER = packed("151.101.1.140"), packed("2606:4700::15")
NEW_ONE, NEW_OTHER = packed("240.1.1.140"), packed("2001:db8:1::15")
HOP = attribute(5, ONE) + attribute(18, struct.pack("=H", 10) + OTHER)
TUPLE = attribute(1 | NESTED, attribute(1, ONE) + attribute(2, packed("10.0.0.1"))) + attribute(2 | NESTED, b"\1\0\0\0")
BODIES: list[tuple[Callable[[bytes, Pseudonyms], bytes], bytes]] = [
    (messages.route, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0)
     + attribute(9, struct.pack("=HBBi", 8 + len(HOP), 0, 0, 2) + HOP)),
    (messages.neighbour, struct.pack("=BxxxiHBB", 7, 2, 2, 0, 0) + attribute(1, ONE) + attribute(2, OTHER)),
    (messages.nexthop, b"\2\0\0\0\0\0\0\0" + attribute(1, b"\1\0\0\0") + attribute(6, ONE) + attribute(8, HOP[:8])),
    (messages.connection, b"\2\0\0\0" + attribute(1 | NESTED, TUPLE) + attribute(2 | NESTED, TUPLE)),
    (messages.rule, struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 254, 0, 0, 1, 0) + attribute(1, ONE)),
    (messages.link, struct.pack("=BxHiII", 0, 1, 5, 1, 0) + attribute(1, ONE) + attribute(2, ONE)
     + attribute(18, attribute(1, b"vxlan\0") + attribute(2, attribute(4, ONE) + attribute(17, OTHER)))),
]  # fmt: skip


@pytest.mark.parametrize(("change", "body"), BODIES)
def test_messages_keep_their_form(change: Callable[[bytes, Pseudonyms], bytes], body: bytes) -> None:
    after = change(body, Pseudonyms())
    assert after == body.replace(ONE, NEW_ONE).replace(OTHER, NEW_OTHER)
    assert ONE in body


def test_a_link_has_no_other_names() -> None:
    head = struct.pack("=BxHiII", 0, 1, 5, 1, 0) + attribute(3, b"eth0\0") + attribute(4, b"\xdc\5\0\0")
    more = attribute(20, b"acme uplink\0") + attribute(52 | NESTED, attribute(53, b"acme0\0"))
    mac = bytes.fromhex(MAC.replace(":", ""))
    bridge = attribute(18, attribute(1, b"bridge\0") + attribute(2, attribute(11, b"\x80\0" + mac)))
    after = messages.link(head + attribute(1, mac) + more + bridge + attribute(54, mac), Pseudonyms())
    assert Link(after).name == "eth0"
    assert after.count(bytes.fromhex("02005e000001")) == 3
    assert b"acme" not in after
    assert mac not in after


@pytest.mark.parametrize(
    ("name", "revision", "family", "places"),
    [("DNAT", 2, 2, (4, 20)), ("SNAT", 0, 2, (8, 12)), ("iprange", 1, 2, (0, 16)), ("conntrack", 3, 2, (32,)),
     ("TEE", 1, 2, (0,)), ("unheard-of", 0, 2, (8,))],
)  # fmt: skip
def test_structures_of_xtables(name: str, revision: int, family: int, places: tuple[int, ...]) -> None:
    info = bytearray(160)
    flags = {"DNAT": 0, "SNAT": 4}.get(name)
    if flags is not None:
        info[flags : flags + 4] = struct.pack("=I", 1)
    info[48:52] = b"\xff\xff\xff\xff" if name == "conntrack" else info[48:52]
    for place in places:
        info[place : place + 4] = ONE
    pseudonyms = Pseudonyms()
    pseudonyms.raw(ONE)
    after = redacted_xtables(name, revision, bytes(info), family, "INPUT", pseudonyms)
    assert after == bytes(info).replace(ONE, NEW_ONE)


def test_texts_of_a_state_and_a_recording_without_one() -> None:
    ipsets = (
        "create acme hash:net family inet comment\n"
        'add acme 151.101.1.0/24 comment "acme dc"\nadd acme 151.101.1.0/24\nadd acme 10.0.0.0/8\n'
    )
    facts = {"ipsets": ipsets, "Node/worker7": [1, None, True, ("151.101.1.140",)], "worker7": "worker7"}
    after, state = redact_recording(facts, None, HOSTS, KEEP)
    assert state is None
    assert after == {
        "ipsets": ipsets.replace("151.101", "240.1").replace("acme dc", "redacted"),
        "Node/node-1": [1, None, True, ["240.1.1.140"]],
        "worker7": "node-1",  # a field's name
    }


def interval_marks(*marks: tuple[str, bool]) -> NftObject:
    """Elements of a set of intervals of IPv4 addresses: the key, and whether an interval has ended there."""
    end = (NFTA_SET_ELEM.FLAGS, NFT_SET_ELEM.INTERVAL_END.to_bytes(4, "big"))
    elements = []
    for address, ends in marks:
        key = (NFTA_SET_ELEM.KEY | NESTED, attribute(NFTA_DATA.VALUE, packed(address)))
        elements.append((NFTA_LIST.ELEM | NESTED, packed_attributes([key, end] if ends else [key])))
    return NftObject(ELEMENTS, 2, attribute(NFTA_SET_ELEM_LIST.ELEMENTS | NESTED, packed_attributes(elements)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([("0.0.0.0", True)], [("0.0.0.0", True)]),
        ([("151.101.4.0", True)], []),
        (
            [("0.0.0.0", True), ("151.101.1.0", False), ("151.101.2.0", True)],
            [("0.0.0.0", True), ("240.1.1.0", False), ("240.1.2.0", True)],
        ),
        (
            [("151.101.2.0", True), ("151.101.1.0", False), ("0.0.0.0", True)],
            [("240.1.2.0", True), ("240.1.1.0", False), ("0.0.0.0", True)],
        ),
    ],
    ids=["only what stands before the first", "an end alone", "rising", "falling"],
)
def test_marks_of_intervals(before: list[tuple[str, bool]], after: list[tuple[str, bool]]) -> None:
    kind = SetKind(IPV4, 0, interval=True)
    expected = [interval_marks(*after)] if after else []
    assert redacted_elements([interval_marks(*before)], kind, Pseudonyms()) == expected
