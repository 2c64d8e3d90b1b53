"""kube-proxy's rules, read back: which ports they lead to an endpoint, to the last chain (proxier.go of each mode)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from netdoctor.facts.node.iptables import Iptables, Ruleset

Port = tuple[str, str, int]  # an address, the protocol in lower case, the number
PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp"}  # as nft prints them where there is no /etc/protocols

DEPTH = 4  # of chains: a NodePort's, its Service's, an endpoint's

CLUSTER_IP = re.compile(r" -d ([\d.]+)/32 -p (\w+) .*--dport (\d+) -j (KUBE-SV[CL]-\w+)$")
NODE_PORT = re.compile(r"^-A KUBE-NODEPORTS -p (\w+) .*--dport (\d+) .*-j (KUBE-(?:EXT|XLB|SV[CL])-\w+)$")
JUMP = re.compile(r" -j (KUBE-(?:EXT|XLB|SVC|SVL|SEP)-\w+)$")

OBJECT = re.compile(r"^\t(map|chain) (\S+) \{$(.*?)^\t\}$", re.MULTILINE | re.DOTALL)
SERVICE_ELEMENT = re.compile(r"\b(\d+\.\d+\.\d+\.\d+) \. (\w+) \. (\d+) : goto ([^\s,]+)")
NODE_PORT_ELEMENT = re.compile(r"\b(\w+) \. (\d+) : goto ([^\s,]+)")
GOTO = re.compile(r"\b(?:goto|jump) ((?:service|local|external|endpoint)-[^\s,]+)")


@dataclass(frozen=True, slots=True)
class Led:
    """What rules lead to an endpoint: ports of ClusterIPs, and NodePorts; `entered`: whether packets come to them."""

    ports: tuple[Port, ...]
    node_ports: tuple[tuple[str, int], ...]  # protocol, number
    entered: bool


def in_iptables(iptables: Iptables) -> Led:
    """From table nat: KUBE-SERVICES, KUBE-NODEPORTS, and the chains that they lead to."""
    ports, node_ports = list[Port](), list[tuple[str, int]]()
    for rules in (iptables.nft, iptables.legacy):
        leads = _to_an_endpoint(lambda chain, rules=rules: _iptables_chain(rules, chain))  # type: ignore[misc]
        services = rules.rules("nat", "KUBE-SERVICES")
        for rule in services:
            if (found := CLUSTER_IP.search(rule)) and leads(found[4]):
                ports.append((found[1], found[2], int(found[3])))
        if any(rule.endswith("-j KUBE-NODEPORTS") for rule in services):
            for rule in rules.rules("nat", "KUBE-NODEPORTS"):
                if (found := NODE_PORT.search(rule)) and leads(found[3]):
                    node_ports.append((found[1], int(found[2])))
    entered = all(
        any(rule.endswith("-j KUBE-SERVICES") for rules in (iptables.nft, iptables.legacy)
            for rule in rules.rules("nat", hook))
        for hook in ("PREROUTING", "OUTPUT")
    )  # fmt: skip
    return Led(tuple(dict.fromkeys(ports)), tuple(dict.fromkeys(node_ports)), entered)


def in_nftables(text: str) -> Led:
    """From what `nft list table ip kube-proxy` prints."""
    objects: dict[tuple[str, str], str] = {(kind, name): body for kind, name, body in OBJECT.findall(text)}

    def chain(name: str) -> str:
        return objects.get(("chain", name), "")

    leads = _to_an_endpoint(lambda name: (" dnat " in chain(name), GOTO.findall(chain(name))))
    services = chain("services")
    ports = [
        (address, PROTOCOLS.get(of, of), int(port))
        for address, of, port, goal in SERVICE_ELEMENT.findall(objects.get(("map", "service-ips"), "")) if leads(goal)
    ]  # fmt: skip
    node_ports = [
        (PROTOCOLS.get(of, of), int(port))
        for of, port, goal in NODE_PORT_ELEMENT.findall(objects.get(("map", "service-nodeports"), "")) if leads(goal)
    ]  # fmt: skip
    hooked = all("jump services" in chain(hook) for hook in ("nat-prerouting", "nat-output"))
    return Led(
        tuple(dict.fromkeys(ports)),
        tuple(dict.fromkeys(node_ports)) if "vmap @service-nodeports" in services else (),
        hooked and "vmap @service-ips" in services,
    )


def _iptables_chain(rules: Ruleset, chain: str) -> tuple[bool, list[str]]:
    texts = rules.rules("nat", chain)
    return any(" -j DNAT " in text for text in texts), [jump[1] for text in texts if (jump := JUMP.search(text))]


def _to_an_endpoint(chain: Callable[[str], tuple[bool, list[str]]]) -> Callable[[str], bool]:
    """Whether a chain translates, or hands on to chains that all do: of several endpoints each has its share."""

    @cache
    def leads(name: str, depth: int = DEPTH) -> bool:
        translates, goals = chain(name)
        return translates or (depth > 0 and bool(goals) and all(leads(goal, depth - 1) for goal in goals))

    return leads
