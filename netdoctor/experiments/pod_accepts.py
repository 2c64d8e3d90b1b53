"""Rules that accept packets of pods before the policy or final rule that drops them: what pods need, and no more."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from netdoctor.changes._accepted import Accepted
from netdoctor.changes.accept_rules import DOCKER_USER, IPTABLES, LEGACY, NFT, AcceptRules
from netdoctor.facts.node.iptables import Ruleset
from netdoctor.shell import all_of, command
from netdoctor.system.final_rules import refuses_the_rest
from netdoctor.system.rule_removal import KEPT_UP, LEGACY_POLICY
from netdoctor.twin.addresses import Addresses
from netdoctor.twin.needed_ports import needed_by_pods
from netdoctor.twin.state import State
from netdoctor.twin.trace_events import handles_of
from netdoctor.twin.uplinks import pod_bridges, pod_ports
from netdoctor.twin.walk import REPLY, Packet, TraceStep
from netdoctor.twin.wire.netlink import text
from netdoctor.twin.wire.nftables import CHAIN, RULE
from netdoctor.twin.wire.uapi.nf_tables import NFTA_CHAIN

FORWARD, INPUT, OUTPUT = "FORWARD", "INPUT", "OUTPUT"
FILTER = "filter"


@dataclass(frozen=True, slots=True)
class Accepting:
    """Rules that accept packets of pods, and the commands that write them."""

    change: AcceptRules
    by_hand: tuple[str, ...]

    @property
    def says(self) -> str:
        """What is different with them, in words."""
        where = f"before `{self.change.before}`" if self.change.before else "at its end"
        return f"packets of pods are accepted in {self.change.place}, {where}"


def instead_of_policy_or_rule(state: State, cluster: Addresses, stop: TraceStep) -> Accepting | None:
    """What accepts pods' packets before the policy or rule of nftables or iptables-nft that a walk stops at.

    None where somebody may have written that against something, where its chain is another program's, or where these
    rules would not accept the packet.
    """
    place = (stop.family, stop.table, stop.chain)
    if stop.family not in ("ip", "inet") or _is_anothers(stop) or not _is_base(state, place):
        return None
    hook, before = _hook(state, stop.packet), stop.text if stop.handle else ""
    rules = _fitting_rules(state, cluster, hook, before, stop)
    if not rules:
        return None
    if place != ("ip", FILTER, hook):
        return _accepting(AcceptRules(NFT, *place, before, rules), stop.handle)
    if not before and hook == FORWARD and _docker_asks(state):
        return _for_docker(IPTABLES, rules)
    number = handles_of(state.node, place).index(stop.handle) + 1 if before else 0
    return _accepting(AcceptRules(IPTABLES, *place, before, rules), number)


def instead_of_legacy(state: State, cluster: Addresses, legacy: str, last: TraceStep | None) -> Accepting | None:
    """The same for the policy or rule of legacy iptables that has counted the packet, which was last seen there."""
    table, _, rule = legacy.partition(" ")
    policy = LEGACY_POLICY.fullmatch(rule)
    chain, before = (policy[1], "") if policy else (rule.split(" ")[1], rule)
    if table != FILTER or chain not in (FORWARD, INPUT, OUTPUT) or last is None:
        return None
    rules = _fitting_rules(state, cluster, chain, before, last)
    if not rules:
        return None
    there = Ruleset.parse(state.node.legacy).rules(FILTER, chain)
    if not before and f"-A {FORWARD} -j {DOCKER_USER}" in there:
        return _for_docker(LEGACY, rules)
    number = there.index(before) + 1 if before in there else 0
    return _accepting(AcceptRules(LEGACY, "ip", FILTER, chain, before, rules), number)


def _fitting_rules(state: State, cluster: Addresses, hook: str, before: str, stop: TraceStep) -> tuple[Accepted, ...]:
    """The rules for a hook, where they may stand before this rule and accept the packet that stops there; else none."""
    rules = _rules(state, cluster, hook) if _may_be_preceded(before, state) else ()
    return rules if any(_fits(rule, stop) for rule in rules) else ()


def _for_docker(program: str, rules: tuple[Accepted, ...]) -> Accepting:
    """In the chain that docker has for rules of others; older versions end it with a return."""
    change = AcceptRules(program, "ip", FILTER, DOCKER_USER, f"-A {DOCKER_USER} -j RETURN", rules)
    return _accepting(change, 1)


def _accepting(change: AcceptRules, number: int) -> Accepting:
    """With the commands: `number` is the handle of the rule, or its place in the chain, that they come before."""
    lines = []
    for offset, rule in enumerate(change.rules):
        if change.program == NFT:
            where = [change.family, change.table, change.chain, *(["position", str(number)] if number else [])]
            words = ("insert" if number else "add", "rule", *where, *shlex.split(rule.as_nft("")))
        else:
            where = [change.chain, *([str(number + offset)] if number else [])]
            words = ("-I" if number else "-A", *where, *shlex.split(rule.as_iptables("")))
        lines.append(command("sudo {} {:options}", change.program, words))
    return Accepting(change, all_of(lines))


def _is_anothers(stop: TraceStep) -> bool:
    """Whether the chain belongs to a program that keeps it up, or is one in which nobody accepts pods."""
    return stop.table in KEPT_UP or stop.chain.startswith("KUBE-") or _is_of_iptables_elsewhere(stop)


def _is_of_iptables_elsewhere(stop: TraceStep) -> bool:
    """Whether it is a chain of iptables beside table filter: nobody accepts pods there."""
    return stop.family == "ip" and stop.table in ("nat", "mangle", "raw", "security") and stop.chain.isupper()


def _may_be_preceded(before: str, state: State) -> bool:
    """Whether it is a policy, or a rule that refuses the rest."""
    names = {link.index: link.name for link in state.node.interfaces()}
    of_pods = [names[index] for index in (*pod_bridges(state), *pod_ports(state))]
    return not before or refuses_the_rest(before, of_pods)


def _hook(state: State, packet: Packet) -> str:
    """The hook of table filter that a packet on the node passes."""
    own = {str(address.ip) for _, address in state.node.own_addresses()}
    if packet.source in own:
        return OUTPUT
    return INPUT if packet.destination in own else FORWARD


def _rules(state: State, cluster: Addresses, hook: str) -> tuple[Accepted, ...]:
    """What pods need at this hook; none where it is not clear by which bridge they come."""
    names = {link.index: link.name for link in state.node.interfaces()}
    bridges = [names[index] for index in pod_bridges(state)]
    if len(bridges) != 1:
        return ()
    networks = _networks_of_pods(state)
    return tuple(rule for network in networks for rule in _of_one(state, cluster, hook, network, bridges[0]))


def _of_one(state: State, cluster: Addresses, hook: str, network: str, bridge: str) -> Iterator[Accepted]:
    """The rules for one network of pods."""
    if hook == FORWARD:
        yield Accepted(source=network, interface_in=bridge)
        for others in _networks_of_other_nodes(cluster, ipaddress.IPv4Network(network)):
            yield Accepted(source=others, destination=network, interface_out=bridge)
        yield Accepted(destination=network, interface_out=bridge, answers=True)
        return
    ports = _ports_of_node(state, cluster)
    if hook == INPUT:
        yield Accepted(source=network, interface_in=bridge, answers=True)
        for protocol, port in ports:
            yield Accepted(source=network, interface_in=bridge, protocol=protocol, port=port)
        return
    yield Accepted(destination=network, interface_out=bridge, asked=True)
    for protocol, port in ports:
        yield Accepted(destination=network, interface_out=bridge, protocol=protocol, from_port=port)


def _ports_of_node(state: State, cluster: Addresses) -> list[tuple[str, int]]:
    """What pods need of the node itself, and something listens at: not NodePorts, which lead to pods."""
    translated = {(protocol, port) for port, protocol in cluster.node_ports}
    listening = {(each.protocol, each.port) for each in state.node.listeners}
    return sorted((needed_by_pods(state, cluster) - translated) & listening)


def _networks_of_pods(state: State) -> list[str]:
    """The IPv4 networks that pods on this node have addresses in, in order."""
    found = {
        str(address.network)
        for pod in state.pods
        for _, address in pod.own_addresses()
        if address.version == 4 and not address.ip.is_loopback
    }
    return sorted(found, key=ipaddress.IPv4Network)


def _networks_of_other_nodes(cluster: Addresses, here: ipaddress.IPv4Network) -> list[str]:
    """The networks that hold pods of other nodes; few, where they lie side by side."""
    found = [ipaddress.IPv4Network(cidr) for cidr in cluster.pod_cidrs if ":" not in cidr]
    return [str(each) for each in ipaddress.collapse_addresses(found) if not each.subnet_of(here)]


def _fits(rule: Accepted, step: TraceStep) -> bool:
    packet = step.packet
    ports = (packet.protocol, packet.source_port, packet.destination_port)
    return rule.fits(packet.source, packet.destination, ports, is_answer=step.direction == REPLY)


def _is_base(state: State, place: tuple[str, str, str]) -> bool:
    """Whether packets come to this chain from the kernel, and not from another chain."""
    for each in state.node.nftables:
        if each.kind == CHAIN and each.place[:2] == place[:2]:
            found = each.attributes
            if text(found[NFTA_CHAIN.NAME]) == place[2]:
                return NFTA_CHAIN.HOOK in found
    return False


def _docker_asks(state: State) -> bool:
    """Whether docker has its chain for rules of others, and FORWARD leads to it."""
    wanted = f"{DOCKER_USER}\0".encode()
    rules = (each for each in state.node.nftables if each.kind == RULE and each.place == ("ip", FILTER, FORWARD))
    return any(wanted in each.body for each in rules)
