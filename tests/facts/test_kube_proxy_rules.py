"""kube-proxy's rules as it writes them, and what is left of them when somebody takes a piece away."""

from __future__ import annotations

import pytest

from netdoctor.facts.node.iptables import EMPTY, Iptables, Ruleset
from netdoctor.facts.node.kube_proxy_rules import Led, in_iptables, in_nftables
from tests.facts.texts import KUBE_PROXY_IPTABLES, KUBE_PROXY_NFTABLES

WHOLE = {("10.96.0.1", "tcp", 443), ("10.96.0.10", "udp", 53), ("10.101.91.109", "tcp", 5432),
         ("10.96.230.108", "tcp", 80)}  # fmt: skip
DNS, POSTGRES, ECHO = ("10.96.0.10", "udp", 53), ("10.101.91.109", "tcp", 5432), ("10.96.230.108", "tcp", 80)
NODE_PORT = ("tcp", 30080)


def iptables(text: str) -> Led:
    return in_iptables(Iptables(Ruleset.parse(text), EMPTY))


def without(text: str, *words: str) -> str:
    return "\n".join(line for line in text.splitlines() if not all(word in line for word in words))


def emptied(text: str, chain: str) -> str:
    """The text of nft with one chain flushed."""
    before, opening, after = text.partition(f"\tchain {chain} {{\n")
    assert opening
    return before + opening + after[after.index("\t}") :]


@pytest.mark.parametrize("led", [iptables(KUBE_PROXY_IPTABLES), in_nftables(KUBE_PROXY_NFTABLES)])
def test_whole(led: Led) -> None:
    assert ({*led.ports}, led.node_ports, led.entered) == (WHOLE, (NODE_PORT,), True)


@pytest.mark.parametrize(
    ("gone", "ports", "node_ports", "entered"),
    [
        (("-A PREROUTING",), WHOLE, [NODE_PORT], False),
        (("-A OUTPUT",), WHOLE, [NODE_PORT], False),
        (("-A KUBE-SERVICES", "kube-dns:dns cluster"), WHOLE - {DNS}, [NODE_PORT], True),
        (("-A KUBE-SVC-TCOU7JCQXEZGVUNU",), WHOLE - {DNS}, [NODE_PORT], True),
        (("-A KUBE-SEP-232DQYSHL5HNRYWJ",), WHOLE - {DNS}, [NODE_PORT], True),
        (("-A KUBE-SEP-H7M7JK5TPHRFNT5L",), WHOLE - {ECHO}, [], True),
        (("-A KUBE-NODEPORTS",), WHOLE, [], True),
        (("-A KUBE-EXT-HV6DMF63W6MGLRDE",), WHOLE, [], True),
        (("-j KUBE-NODEPORTS",), WHOLE, [], True),
    ],
)
def test_iptables(
    gone: tuple[str, ...], ports: set[tuple[str, str, int]], node_ports: list[tuple[str, int]], entered: bool
) -> None:
    led = iptables(without(KUBE_PROXY_IPTABLES, *gone))
    assert ({*led.ports}, [*led.node_ports], led.entered) == (ports, node_ports, entered)


@pytest.mark.parametrize(
    ("chain", "ports", "node_ports", "entered"),
    [
        ("nat-prerouting", WHOLE, [NODE_PORT], False),
        ("nat-output", WHOLE, [NODE_PORT], False),
        ("services", WHOLE, [], False),
        ("service-FY5PMXPG-kube-system/kube-dns/udp/dns", WHOLE - {DNS}, [NODE_PORT], True),
        ("service-LDQKJBAJ-default/postgres/tcp/", WHOLE - {POSTGRES}, [NODE_PORT], True),
        ("endpoint-VN54I3WO-default/postgres/tcp/__10.244.0.8/5432", WHOLE - {POSTGRES}, [NODE_PORT], True),
        ("service-LAZWMU44-default/echo/tcp/", WHOLE - {ECHO}, [], True),
        ("local-LAZWMU44-default/echo/tcp/", WHOLE, [], True),
        ("external-LAZWMU44-default/echo/tcp/", WHOLE, [], True),
    ],
)
def test_nftables(
    chain: str, ports: set[tuple[str, str, int]], node_ports: list[tuple[str, int]], entered: bool
) -> None:
    led = in_nftables(emptied(KUBE_PROXY_NFTABLES, chain))
    assert ({*led.ports}, [*led.node_ports], led.entered) == (ports, node_ports, entered)


def test_chains_that_lead_in_a_circle_end_nowhere() -> None:
    circle = KUBE_PROXY_IPTABLES.replace("-j DNAT --to-destination 10.244.0.7:53", "-j KUBE-SVC-TCOU7JCQXEZGVUNU")
    assert {*iptables(circle).ports} == WHOLE - {DNS}
    assert DNS not in [end[:3] for end in iptables(circle).ends]


def test_where_each_port_is_led() -> None:
    ends = iptables(KUBE_PROXY_IPTABLES).ends
    assert {end[:3] for end in ends} == WHOLE
    assert (*DNS, "10.244.0.7:53") in ends
    assert iptables(KUBE_PROXY_IPTABLES.replace("10.244.0.7:53", "10.244.7.7:53")).ends != ends


def test_where_each_port_is_led_by_nftables() -> None:
    ends = in_nftables(KUBE_PROXY_NFTABLES).ends
    assert {end[:3] for end in ends} == WHOLE
    assert (*DNS, "10.244.0.7:53") in ends, "by a map in the Service's own chain"
    assert (*POSTGRES, "10.244.0.8:5432") in ends, "by a chain of the endpoint"
    assert [end for end in ends if end[:3] == ECHO] == [(*ECHO, "10.244.0.9:8080")]
    several = KUBE_PROXY_NFTABLES.replace(
        "mod 1 map { 0 : 10.244.0.7 . 53 }", "mod 2 map { 0 : 10.244.0.7 . 53, 1 : 10.244.7.7 . 53 }"
    )
    assert [end[3] for end in in_nftables(several).ends if end[:3] == DNS] == ["10.244.0.7:53", "10.244.7.7:53"]


def test_no_table_at_all() -> None:
    assert in_nftables("") == Led((), (), False)


def test_numbers_instead_of_protocols() -> None:
    """So nft prints them where there is no /etc/protocols."""
    assert DNS in in_nftables(KUBE_PROXY_NFTABLES.replace(". udp .", ". 17 .")).ports
