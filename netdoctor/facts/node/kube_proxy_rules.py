"""kube-proxy's rules, read back: which ports they lead to an endpoint, to the last chain (proxier.go of each mode)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

from netdoctor.facts.node.iptables import Iptables, Ruleset

Port = tuple[str, str, int]  # an address, the protocol in lower case, the number
PROTOCOLS = {"6": "tcp", "17": "udp", "132": "sctp"}  # as nft prints them where there is no /etc/protocols

DEPTH = 4  # of chains: a NodePort's, its Service's, an endpoint's

CLUSTER_IP = re.compile(r" -d ([\d.]+)/32 -p (\w+) .*--dport (\d+) -j (KUBE-SV[CL]-\w+)$")
NODE_PORT = re.compile(r"^-A KUBE-NODEPORTS -p (\w+) .*--dport (\d+) .*-j (KUBE-(?:EXT|XLB|SV[CL])-\w+)$")
END = re.compile(r" -j DNAT .*--to-destination ([\d.]+:\d+)")
JUMP = re.compile(r" -j (KUBE-(?:EXT|XLB|SVC|SVL|SEP)-\w+)$")

FOREIGN = re.compile(r"^-A KUBE-SVC-\w+ ! -s (\S+) -d .* -j KUBE-MARK-MASQ$")

OBJECT = re.compile(r"^\t(map|chain) (\S+) \{$(.*?)^\t\}$", re.MULTILINE | re.DOTALL)
SERVICE_ELEMENT = re.compile(r"\b(\d+\.\d+\.\d+\.\d+) \. (\w+) \. (\d+) : goto ([^\s,]+)")
NODE_PORT_ELEMENT = re.compile(r"\b(\w+) \. (\d+) : goto ([^\s,]+)")
DNAT = re.compile(r"\bdnat (?:ip )?to ([\d.]+:\d+)|\b\d+ : ([\d.]+) \. (\d+)")  # to one, or by a map
GOTO = re.compile(r"\b(?:goto|jump) ((?:service|local|external|endpoint)-[^\s,]+)")


@dataclass(frozen=True, slots=True)
class Led:
    """What rules lead to an endpoint: ports of ClusterIPs, and NodePorts; `entered`: whether packets come to them."""

    ports: tuple[Port, ...]
    node_ports: tuple[tuple[str, int], ...]  # protocol, number
    entered: bool
    ends: tuple[tuple[str, str, int, str], ...] = ()  # a ClusterIP's port, and where it leads


def in_iptables(iptables: Iptables) -> Led:
    """From table nat: KUBE-SERVICES, KUBE-NODEPORTS, and the chains that they lead to."""
    ports: dict[Port, None] = {}
    node_ports: dict[tuple[str, int], None] = {}
    ends: dict[tuple[str, str, int, str], None] = {}
    for rules in (iptables.nft, iptables.legacy):
        leads = _to_an_endpoint(partial(_iptables_chain, rules))
        services = rules.rules("nat", "KUBE-SERVICES")
        for match in filter(None, map(CLUSTER_IP.search, services)):
            if leads(match[4]):
                ports[match[1], match[2], int(match[3])] = None
                for end in _ends(rules, match[4]):
                    ends[match[1], match[2], int(match[3]), end] = None
        if not any(rule.endswith("-j KUBE-NODEPORTS") for rule in services):
            continue
        for match in filter(None, map(NODE_PORT.search, rules.rules("nat", "KUBE-NODEPORTS"))):
            if leads(match[3]):
                node_ports[match[1], int(match[2])] = None
    entered = all(_leads_to_services(iptables, hook) for hook in ("PREROUTING", "OUTPUT"))
    return Led(tuple(ports), tuple(node_ports), entered, tuple(ends))


def _ends(rules: Ruleset, chain: str, depth: int = DEPTH) -> Iterator[str]:
    """Address and port of each endpoint that a chain, and those that it hands on to, lead to."""
    for text in rules.rules("nat", chain):
        if end := END.search(text):
            yield end[1]
        if depth and (jump := JUMP.search(text)):
            yield from _ends(rules, jump[1], depth - 1)


def pod_networks_of_kube_proxy(rules: Ruleset) -> tuple[str, ...]:
    """What kube-proxy takes for the pods' network (clusterCIDR): all but this is masqueraded towards a Service."""
    chains = rules.chains.get("nat", {})
    of_services = [rule for name in chains if name.startswith("KUBE-SVC-") for rule in chains[name]]
    return tuple(dict.fromkeys(match[1] for match in map(FOREIGN.match, of_services) if match))


def _leads_to_services(iptables: Iptables, hook: str) -> bool:
    """Whether packets of a hook come to KUBE-SERVICES, in the rules of either kind."""
    rules = (*iptables.nft.rules("nat", hook), *iptables.legacy.rules("nat", hook))
    return any(rule.endswith("-j KUBE-SERVICES") for rule in rules)


def in_nftables(text: str) -> Led:
    """From what `nft list table ip kube-proxy` prints."""
    objects: dict[tuple[str, str], str] = {(kind, name): body for kind, name, body in OBJECT.findall(text)}

    def chain(name: str) -> str:
        return objects.get(("chain", name), "")

    leads = _to_an_endpoint(lambda name: (" dnat " in chain(name), GOTO.findall(chain(name))))
    services = chain("services")
    cluster_ips = SERVICE_ELEMENT.findall(objects.get(("map", "service-ips"), ""))
    ports = {(address, PROTOCOLS.get(of, of), int(port)): goal for address, of, port, goal in cluster_ips}
    led = {port: goal for port, goal in ports.items() if leads(goal)}
    ends = [(*port, end) for port, goal in led.items() for end in _nft_ends(chain, goal)]
    of_node = NODE_PORT_ELEMENT.findall(objects.get(("map", "service-nodeports"), ""))
    node_ports = [(PROTOCOLS.get(of, of), int(port)) for of, port, goal in of_node if leads(goal)]
    hooked = all("jump services" in chain(hook) for hook in ("nat-prerouting", "nat-output"))
    return Led(
        tuple(led),
        tuple(dict.fromkeys(node_ports)) if "vmap @service-nodeports" in services else (),
        hooked and "vmap @service-ips" in services,
        tuple(dict.fromkeys(ends)),
    )


def _nft_ends(chain: Callable[[str], str], name: str, depth: int = DEPTH) -> Iterator[str]:
    """Address and port of each endpoint that a chain, and those that it hands on to, lead to."""
    body = chain(name)
    if " dnat " in body:
        for whole, address, port in DNAT.findall(body):
            yield whole or f"{address}:{port}"
    for goal in GOTO.findall(body) if depth else ():
        yield from _nft_ends(chain, goal, depth - 1)


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
