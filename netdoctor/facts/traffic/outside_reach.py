"""NodePorts and hostPorts as somebody outside finds them: a neighbour in the uplink's network, in a copy of the node.

Nothing can be sent in from outside, and no copy is made where no rule drops anything: what answers on the node then
answers outside too. A sample of the ports is asked, and where one is lost, its packets are traced in the copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.network_policies import NetworkPolicies
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.node.iptables import Iptables, Ruleset
from netdoctor.facts.traffic.reach import Question
from netdoctor.facts.traffic.service_reach import FROM_NODE, HOST_PORT, NODE_PORT, questions
from netdoctor.facts.traffic.vantage import HOST, VantagePoint, VantagePoints
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import Dropped
from netdoctor.system.traffic import Reply
from netdoctor.twin.build import build
from netdoctor.twin.capture import capture
from netdoctor.twin.state import State
from netdoctor.twin.strangers import neighbour, uplink_addresses
from netdoctor.twin.tracer import Tracer
from netdoctor.twin.twin import OUTSIDE, Flow

MOST_RULES = 20_000  # of iptables: of more, a copy takes more than a second of a processor
TABLES = ("filter", "mangle", "nat", "raw", "security")  # of iptables, as nft names them
KUBE_PROXY = "kube-proxy"
OWN_CHAINS = ("KUBE-", "CNI-")  # of kube-proxy, the kubelet and the CNI
DROPS = re.compile(r" -j (DROP|REJECT)\b")


@dataclass(frozen=True, slots=True)
class LostOutside:
    """A port of the node that a rule keeps from a neighbour."""

    kind: str  # NODE_PORT or HOST_PORT
    target: str  # in words, as ServiceReach has it
    address: str
    port: int
    source: str  # the neighbour
    reply: Reply  # in the copy
    dropped: Dropped


@dataclass(frozen=True, slots=True)
class OutsideReach:
    """NodePorts and hostPorts from outside"""

    added_later: ClassVar[bool] = True

    asked: int
    lost: tuple[LostOutside, ...]
    why_not: str = ""  # why nothing was asked

    @classmethod
    def collect(
        cls,
        host: Host,
        this: ThisNode,
        services: Services,
        endpoints: EndpointSlices,
        pods: Pods,
        policies: NetworkPolicies | CannotRead,
        attachments: Attachments,
        iptables: Iptables,
    ) -> OutsideReach:
        """Ask in a copy that has this node and the pods behind these ports. What fails is a reason, and no error."""
        on_node = VantagePoint("host", HOST, "", next(iter(this.addresses), ""), addresses=this.addresses)
        wanted = list(questions(VantagePoints((on_node,), ""), this, services, endpoints, pods, policies))
        asked = [each for each in wanted if each.kind in (NODE_PORT, HOST_PORT) and not each.address.startswith("127.")]
        why_not = _why_not(host, asked, iptables)
        if why_not:
            return cls(0, (), why_not)
        ends = {each.address for each in wanted if each.kind == FROM_NODE}
        try:
            state = _captured(ends, attachments)
            lost = tuple(_lost(asked if _is_whole(ends, state) else [], state))
        except (CannotRead, OSError) as error:
            return cls(0, (), f"no copy of this node could be asked: {error}")
        return cls(len(asked), lost)


def _captured(ends: set[str], attachments: Attachments) -> State:
    """The state of this node and of the pods at these addresses. Raises CannotRead."""
    behind = [each for each in attachments.pods if ends & {*each.addresses}]
    return capture({f"{each.namespace}/{each.pod}": (each.netns, each.addresses[0]) for each in behind})


def _why_not(host: Host, asked: list[Question], iptables: Iptables) -> str:
    """Why nothing has to be asked in a copy, or cannot be; "" where it is to be."""
    if not asked:
        return "there is no NodePort or hostPort whose pods are all on this node"
    if not host.is_root:
        return "not root"
    both = (iptables.nft, iptables.legacy)
    if sum(len(rules) for each in both for chains in each.chains.values() for rules in chains.values()) > MOST_RULES:
        return f"there are more than {MOST_RULES} rules of iptables"
    if any(map(drops_anything, both)) or _has_other_tables(host):
        return ""
    return "no rule of this node drops anything"


def drops_anything(rules: Ruleset) -> bool:
    """Whether a rule or a policy drops or rejects packets, apart from those of kube-proxy, the kubelet and the CNI."""
    if any(policy == "DROP" for policies in rules.policies.values() for policy in policies.values()):
        return True
    found = [
        chain for chains in rules.chains.values() for name, chain in chains.items() if not name.startswith(OWN_CHAINS)
    ]
    return any(DROPS.search(rule) for chain in found for rule in chain)


def _has_other_tables(host: Host) -> bool:
    """Whether a program other than iptables and kube-proxy has a table of nftables."""
    try:
        lines = host.run(["nft", "list", "tables"]).splitlines()
    except CannotRead as error:
        if error.why is Why.ABSENT:
            return False
        raise
    names = [words[2] for words in map(str.split, lines) if len(words) > 2]
    return any(name not in (*TABLES, KUBE_PROXY) for name in names)


def _is_whole(ends: set[str], state: State) -> bool:
    """Whether every pod behind the ports is in the copy, or the node itself is behind them."""
    own = {str(address.ip) for _, address in state.node.own_addresses()}
    return ends <= {*state.pod_addresses, *own}


def _lost(asked: list[Question], state: State) -> Iterator[LostOutside]:
    """Those that a rule of the copy drops when a neighbour asks."""
    flows = {each: flow for each in asked if (flow := _flow(each, state))}
    if not flows:
        return
    with closing(build(state)) as twin:
        replies = twin.ask_all(list(flows.values()))
        silent = [pair for pair, reply in zip(flows.items(), replies, strict=True) if not reply.arrived]
        if not silent:
            return
        with Tracer(twin) as tracer:
            for each, flow in silent:
                way = tracer.walk(flow)
                if not way.reply.arrived and way.dropped().by_rule:
                    source = flow.source_address
                    yield LostOutside(each.kind, each.target, each.address, each.port, source, way.reply, way.dropped())


def _flow(asked: Question, state: State) -> Flow | None:
    """The question as a neighbour asks it, by the uplink that has the address; None where there is no room for one."""
    own = next((each for each in uplink_addresses(state) if str(each.ip) == asked.address), None)
    source = neighbour(own, state) if own else None
    if source is None:
        return None
    return Flow(OUTSIDE, asked.address, "tcp", asked.port, source_address=str(source))
