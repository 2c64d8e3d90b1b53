"""The comparison of a node with itself: what others keep is left out by their names, and nothing else."""

from __future__ import annotations

import pytest

from tests.node_state import difference, owners_sorted, sections, without_given_names, without_owners

BEFORE = """### nft
table ip nat {
\tchain KUBE-SERVICES {
\t\tip daddr 10.96.0.10 jump KUBE-SVC-A
\t}
\tchain POSTROUTING {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\t jump KUBE-POSTROUTING
\t\tip saddr 10.244.0.0/16 masquerade
\t}
}
table inet firewalld {
\tchain filter_IN_POLICIES {
\t\tip saddr 10.244.0.7 jump filter_IN_trusted
\t\tip saddr 10.244.0.0/16 jump filter_IN_trusted
\t\tip saddr 192.0.2.1 drop
\t}
}
### iptables
*nat
:KUBE-SERVICES - [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -m comment --comment "x" -j KUBE-POSTROUTING
-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE
-A KUBE-SERVICES -d 10.96.0.10/32 -j KUBE-SVC-A
COMMIT
"""
NAT = "table ip nat {"
OWNERS = [
    ("\t\tip daddr 10.96.0.10 jump KUBE-SVC-A\n", ""),
    ("\t\t jump KUBE-POSTROUTING\n", ""),
    ("10.244.0.7", "10.244.12.31"),
    ('-A POSTROUTING -m comment --comment "x" -j KUBE-POSTROUTING\n', ""),
    ("-A KUBE-SERVICES -d 10.96.0.10/32", "-A KUBE-SERVICES -d 10.96.0.11/32"),
    ("table inet firewalld {", "table inet firewalld {\n\tchain filter_FWD_trusted {\n\t\taccept\n\t}"),
    (NAT, f"{NAT}\n\tchain OUTPUT {{\n\t\ttype nat hook output priority -100; policy accept;\n\t}}"),
]
OTHERS = [
    ("table inet firewalld {", "table inet firewalld {\n\tchain filter_FWD_trusted {\n\t\tudp dport 1 accept\n\t}"),
    ("\t\tip saddr 10.244.0.0/16 masquerade\n", ""),
    ("\t\tip saddr 10.244.0.0/16 jump filter_IN_trusted\n", ""),
    ("\t\tip saddr 192.0.2.1 drop\n", ""),
    ("-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE\n", ""),
    ("policy accept", "policy drop"),
    (NAT, f"{NAT}\n\tchain OUTPUT {{\n\t\ttype nat hook output priority -100; policy drop;\n\t}}"),
    (":POSTROUTING ACCEPT", ":POSTROUTING DROP"),
]


def changed(old: str, new: str) -> str:
    assert old in BEFORE
    before, after = (without_owners(sections(text)) for text in (BEFORE, BEFORE.replace(old, new)))
    return difference(before, after)


@pytest.mark.parametrize(("old", "new"), OWNERS)
def test_what_its_owner_writes_is_no_difference(old: str, new: str) -> None:
    assert changed(old, new) == ""


@pytest.mark.parametrize(("old", "new"), OTHERS)
def test_everything_else_is(old: str, new: str) -> None:
    assert changed(old, new) != ""


def test_the_order_of_the_owners_rules_is_theirs_and_their_content_is_compared() -> None:
    chain = "-A KUBE-SERVICES -d 10.96.0.10/32 -j KUBE-SVC-A\n"
    swapped = BEFORE.replace(chain, "").replace("-A POSTROUTING -m", f"{chain}-A POSTROUTING -m")
    before, after, less = (owners_sorted(sections(text)) for text in (BEFORE, swapped, BEFORE.replace(chain, "")))
    assert difference(before, after) == ""
    assert difference(before, less) == f"iptables: - {chain.strip()}"
    others = BEFORE.splitlines()
    place = others.index("-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE")
    others[place], others[place - 2] = others[place - 2], others[place]
    assert difference(before, owners_sorted(sections("\n".join(others)))) == "iptables: the order changed"


POD = """### sysctl
./ipv4/conf/{veth}/forwarding:1
./ipv4/ip_forward:1
### links
{veth}@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master bridge link/ether {mac} link-netns {netns}
### nft
table ip nat {{
chain CNI-{chain} {{
ip daddr != 224.0.0.0/4 counter masquerade
}}
}}
### objects
Pod   kube-system   coredns-68b946db4b-{end}   {uid}
"""
OLD = {
    "veth": "veth5673d3c1", "mac": "d2:6e:c4:cf:cc:32", "netns": "cni-946a336c-12b8-2226-08e7-4a4c4f078bcb",
    "chain": "cc61418e1edf16e6b9003f7a", "end": "7cksx", "uid": "9c7149eb-ad84-47bd-9699-edcc643cb685",
}  # fmt: skip
NEW = {
    "veth": "vethd740ad52", "mac": "72:60:f4:2b:7c:85", "netns": "cni-8bc1d3a2-5b19-4f4a-9d2e-0a4d3c3d8f10",
    "chain": "67bf88d21febfe6a843dc8ce", "end": "b8x2q", "uid": "f8495e16-eaab-41f8-b884-3f69db0b92fa",
}  # fmt: skip


def test_a_pod_that_was_replaced_leaves_no_trace() -> None:
    before, after = (without_given_names(sections(POD.format(**names))) for names in (OLD, NEW))
    assert difference(before, after) == ""


@pytest.mark.parametrize(
    "left",
    [
        "./ipv4/conf/vethd740ad52/forwarding:1",
        "./ipv4/conf/veth12345678/rp_filter:2",
        "./ipv4/ip_forward:0",
    ],
)
def test_what_is_left_beside_it_is_seen(left: str) -> None:
    before = without_given_names(sections(POD.format(**OLD)))
    after = without_given_names(sections(POD.format(**NEW).replace("### links", f"{left}\n### links")))
    assert difference(before, after) != ""
