"""How much a recording may hold: hostile amounts are refused before anything is made, those of big nodes are not."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from netdoctor.twin import settings
from netdoctor.twin.limits import check
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.recorded_state import replayed
from netdoctor.twin.state import Listener, NetworkState, State
from netdoctor.twin.wire.netlink import attribute
from netdoctor.twin.wire.nftables import ELEMENTS, RULE, SET, NftObject
from tests.twin.network import real
from tests.twin.test_trust import stored


@cache
def state() -> State:
    return replayed(stored())


def link(number: int) -> bytes:
    return b"\0" * 4 + number.to_bytes(4, sys.byteorder) + b"\0" * 8 + attribute(3, b"l%d\0" % number)


def named(table: bytes, name: bytes, *more: bytes) -> bytes:
    return attribute(1, table + b"\0") + attribute(2, name + b"\0") + b"".join(more)


def elements(number: int, flags: int = 0, concatenated: bool = False) -> tuple[NftObject, ...]:
    description = attribute(9, attribute(2, b"\0" * 4) if concatenated else b"")
    made = NftObject(SET, 2, named(b"t", b"s", attribute(3, struct.pack(">I", flags)), description))
    one = attribute(1, attribute(1, b"\1\2\3\4"))
    each = 2000
    filled = [NftObject(ELEMENTS, 2, named(b"t", b"s", attribute(3, one * each))) for _ in range(number // each)]
    return made, *filled


def sized(size: int, flags: int) -> NftObject:
    wanted = attribute(9, attribute(1, struct.pack(">I", size)))
    return NftObject(SET, 2, named(b"t", b"s", attribute(3, struct.pack(">I", flags)), wanted))


def rules(chain: str, number: int, *expressions: bytes) -> tuple[NftObject, ...]:
    one = attribute(4, b"".join(attribute(1, each) for each in expressions))
    return (NftObject(RULE, 2, named(b"t", chain.encode(), one)),) * number


def verdict(chain: str) -> bytes:
    return attribute(2, attribute(1, b"\xff\xff\xff\xfd") + attribute(2, chain.encode() + b"\0"))


def expression(name: str, data: bytes) -> bytes:
    return attribute(1, name.encode() + b"\0") + attribute(2, data)


def jumping(deep: int, to: Callable[[int], bytes]) -> tuple[NftObject, ...]:
    """Chains of ten rules, each of which leads to the next one."""
    chains = [rules(f"c{place}", 10, to(place + 1)) for place in range(deep)]
    return (*(each for chain in chains for each in chain), *rules(f"c{deep}", 10))


def maps(deep: int) -> tuple[NftObject, ...]:
    """Verdict maps, one for each chain but the first."""
    found = []
    for place in range(1, deep + 1):
        element = attribute(1, attribute(2, verdict(f"c{place}")))
        found.append(NftObject(ELEMENTS, 2, named(b"t", b"m%d" % place, attribute(3, element))))
    return tuple(found)


def jump(place: int) -> bytes:
    return expression("immediate", attribute(2, verdict(f"c{place}")))


def bare_jump(place: int) -> bytes:
    """The name without the zero at its end, which the kernel takes alike."""
    to = attribute(2, attribute(1, b"\xff\xff\xff\xfd") + attribute(2, b"c%d" % place))
    return expression("immediate", attribute(2, to))


def look_up(place: int) -> bytes:
    return expression("lookup", attribute(1, b"m%d\0" % place))


def legacy(deep: int, option: str = "-j") -> str:
    lines = [f"-A c{place} -s 192.0.2.1/32 {option} c{place + 1}" for place in range(deep) for _ in "ab"]
    return "\n".join(["*filter", *lines, "COMMIT", ""])


Change = Callable[[NetworkState], NetworkState]
RULES = NftObject(RULE, 2, named(b"t", b"c", attribute(4, b"\0" * 100)))
TOO_MUCH: dict[str, Change] = {
    "links": lambda n: replace(n, links=tuple(map(link, range(1, 1_100)))),
    "addresses": lambda n: replace(n, addresses=n.addresses[:1] * 25_000),
    "routes": lambda n: replace(n, routes=n.routes[:1] * 25_000),
    "rules": lambda n: replace(n, rules=n.rules[:1] * 3_000),
    "neighbours": lambda n: replace(n, neighbours=n.neighbours[:1] * 25_000),
    "next hops": lambda n: replace(n, nexthops=(b"\2" * 8,) * 3_000),
    "connections": lambda n: replace(n, conntrack=(b"\2\0\0\0",) * 2_001),
    "counters": lambda n: replace(n, nfacct=("a",) * 300),
    "settings": lambda n: replace(n, sysctls={f"ipv4/conf/l{i}/rp_filter": "0" for i in range(170_000)}),
    "rules of nftables": lambda n: replace(n, nftables=(RULES,) * 170_000),
    "elements": lambda n: replace(n, nftables=elements(400_000)),
    "elements that are compared with each other": lambda n: replace(n, nftables=elements(10_000, 4, True)),
    "a set of a size that the kernel sets aside": lambda n: replace(n, nftables=(sized(1 << 30, 0),)),
    "steps of a packet": lambda n: replace(n, nftables=jumping(9, jump)),
    "steps of a packet by maps": lambda n: replace(n, nftables=(*jumping(9, look_up), *maps(9))),
    "steps of a packet in iptables-legacy": lambda n: replace(n, legacy=legacy(40)),
    "steps of a packet in many chains of a hook": lambda n: replace(
        n, nftables=(*jumping(5, jump), *(each for i in range(50) for each in rules(f"base{i}", 1, jump(0)))),
    ),
    "steps of a packet in names without an end": lambda n: replace(n, nftables=jumping(9, bare_jump)),
    "steps of a packet by an option cut short": lambda n: replace(n, legacy=legacy(40, "--ju")),
    "steps of a packet by names in quotes": lambda n: replace(n, legacy=re.sub(r"(c\d+)", r'"\1"', legacy(40))),
    "steps of a packet by -g": lambda n: replace(n, legacy6=legacy(40, "--goto")),
    "lines of ipset": lambda n: replace(n, ipsets="add a 192.0.2.1\n" * 250_000),
    "lines of iptables-legacy": lambda n: replace(n, legacy="-A INPUT -j ACCEPT\n" * 120_000),
    "a table of ipset's": lambda n: replace(n, ipsets="create a hash:ip family inet hashsize 4294967295 maxelem 9\n"),
    "many tables of ipset's": lambda n: replace(
        n, ipsets="".join(f"create a{i} hash:ip family inet hashsize 1048576 maxelem 9\n" for i in range(90))
    ),
    "many bitmaps": lambda n: replace(
        n, ipsets="".join(f"create a{i} bitmap:ip range 10.0.0.0/16 counters\n" for i in range(90))
    ),
    "members by a network": lambda n: replace(n, ipsets="create a hash:ip family inet\nadd a 10.0.0.0/8\n"),
    "members by a range": lambda n: replace(n, ipsets="create a hash:ip family inet\nadd a 10.0.0.1-10.255.0.0\n"),
    "members by ports": lambda n: replace(n, ipsets="create a hash:ip,port family inet\nadd a 1.2.3.4,tcp:1-65535\n"),
    "members by a network in another field": lambda n: replace(
        n, ipsets="create a hash:ip,port,net family inet\nadd a 10.0.0.0/8,tcp:1,10.0.0.0/8\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", list(TOO_MUCH))
def test_too_much_of_anything_is_refused_with_one_sentence(what: str) -> None:
    with pytest.raises(ValueError, match=r"\d|stands for many") as caught:
        check([TOO_MUCH[what](state().node)])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 150


def test_too_much_in_all_namespaces_together_is_refused() -> None:
    pod = replace(state().node, listeners=(Listener("tcp", "0.0.0.0", 80),) * 1_000)
    with pytest.raises(ValueError, match="5000 listeners"):
        check([pod] * 5)
    with pytest.raises(ValueError, match="namespaces"):
        check([state().node] * 65)
    with pytest.raises(ValueError, match="of the kernel's memory"):
        check([replace(state().node, links=tuple(map(link, range(1, 1_000))))] * 3)


BIG: dict[str, Change] = {
    "500 pods": lambda n: replace(n, links=tuple(map(link, range(1, 511)))),
    "10,000 Services of kube-proxy's": lambda n: replace(n, nftables=(RULES,) * 110_000),
    "10,000 Services by IPVS": lambda n: replace(n, addresses=n.addresses[:1] * 10_100, routes=n.routes[:1] * 10_100),
    "5,000 other nodes": lambda n: replace(n, neighbours=n.neighbours[:1] * 10_000, routes=n.routes[:1] * 5_000),
    "120,000 members of ipset's": lambda n: replace(
        n, ipsets="create a hash:net family inet hashsize 65536 maxelem 131072\n" + "add a 10.1.2.0/24\n" * 120_000
    ),
    "members of every kind": lambda n: replace(
        n,
        ipsets="create a hash:ip,port family inet hashsize 1024 maxelem 65536\nadd a 1.2.3.4,icmp:echo-request\n"
        "create b hash:net,iface family inet\nadd b 10.0.0.0/8,eth0-1\n"
        "create c hash:ip family inet6\nadd c 2001:db8::1\n"
        "create d bitmap:port range 0-65535\nadd d 80\ncreate e list:set size 8\nadd e a-1\n"
        "create f hash:mac\nadd f 02:00:00:00:00:01\ncreate g hash:net family inet6\nadd g 2001:db8::/32\n",
    ),
    "a set without a size of its own": lambda n: replace(n, nftables=(sized(65_535, 0x30),) * 500),
    "chains that jump": lambda n: replace(n, nftables=(*jumping(5, jump), *rules("c6", 90_000)), legacy=legacy(15)),
    "chains in maps": lambda n: replace(n, nftables=(*jumping(5, look_up), *maps(5))),
    "a blocklist": lambda n: replace(n, nftables=elements(100_000, 4)),
}  # fmt: skip


@pytest.mark.parametrize("what", list(BIG))
def test_what_big_nodes_have_is_accepted(what: str) -> None:
    check([BIG[what](state().node)])


def test_settings_of_the_whole_machine_are_left_out_and_told() -> None:
    found = stored()
    found["namespaces"][0]["sysctls"] |= {"netfilter/nf_hooks_lwtunnel": "1", "ipv4/of_tomorrow": "7"}
    again = replayed(found)
    assert {"netfilter/nf_hooks_lwtunnel", "ipv4/of_tomorrow"} <= set(again.not_set)
    assert not set(again.not_set) & again.node.sysctls.keys()
    assert "ipv4/of_tomorrow" in again.not_set_in_words


@real
def test_each_setting_belongs_to_a_namespace() -> None:
    """Written in one fresh namespace, it stays what it was in another; and the machine's own are not among them."""
    written, other = Namespace.new(), Namespace.new()
    try:
        before = other.run(values)
        changed = written.run(change_all)
        assert len(changed) > 200
        after = other.run(values)
        assert {name: after[name] for name in before if name in changed} == {
            name: before[name] for name in before if name in changed
        }
    finally:
        written.close()
        other.close()


def keys() -> list[str]:
    return [name.replace("/*/", "/default/") for name in settings.NAMES]


def values() -> dict[str, str]:
    found = {}
    for key in keys():
        try:
            with open(f"/proc/sys/net/{key}", encoding="ascii") as file:  # noqa: PTH123 - sysctls
                found[key] = file.read()
        except OSError:
            continue
    return found


def change_all() -> set[str]:
    changed = set()
    for key, value in values().items():
        word = value.split()[:1]
        if not word or not word[0].lstrip("-").isdigit():
            continue
        for other in (int(word[0]) + 1, int(word[0]) - 1, 1, 0, int(word[0]) // 2):
            if write(key, other) and values_of(key) != value:
                changed.add(key)
                break
    return changed


def write(key: str, value: int) -> bool:
    try:
        with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:  # noqa: PTH123 - sysctls
            file.write(str(value))
    except OSError:
        return False
    return True


def values_of(key: str) -> str:
    with open(f"/proc/sys/net/{key}", encoding="ascii") as file:  # noqa: PTH123 - sysctls
        return file.read()


def test_a_set_by_its_number_is_refused() -> None:
    by_number = expression("lookup", attribute(1, b"other\0") + attribute(4, b"\0\0\0\1"))
    with pytest.raises(ValueError, match="without a name"):
        check([replace(state().node, nftables=rules("c0", 1, by_number))])


def test_chains_in_a_circle_are_refused() -> None:
    with pytest.raises(ValueError, match="in a circle"):
        check([replace(state().node, nftables=(*rules("c0", 1, jump(1)), *rules("c1", 1, jump(0))))])


def test_chains_deeper_than_any_stack() -> None:
    lines = "\n".join(f"-A c{place} -j c{place + 1}" for place in range(50_000))
    check([replace(state().node, legacy=f"*filter\n{lines}\nCOMMIT\n")])
