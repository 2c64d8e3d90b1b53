"""Services of UDP ports alone: whether a datagram is refused, or leaves this node for an endpoint.

Nobody but the application can answer there, and to an empty datagram hardly any does. But the kernel tracks a
connection once its first packet has passed every rule: an entry whose answers come from an endpoint shows that the
datagram was translated and sent on, none that it was lost, or refused by a rule. Where a datagram of the same pod to
the cluster's DNS is not tracked so either, nothing is proved.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Pods
from netdoctor.facts.gateways.network_policies import NetworkPolicies
from netdoctor.facts.traffic.reach import AskedFlow, Question
from netdoctor.facts.traffic.service_reach import udp_questions
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.system.datagram import ask_udp
from netdoctor.system.traffic import Answer, Reply, ask_all
from netdoctor.twin.wire import conntrack

PROMPT, SECONDS = 0.05, 0.5  # a refusal comes at once; what seems lost is sent once more, and waited for
SOURCE_PORTS = (40000, 60000)


@dataclass(frozen=True, slots=True)
class UdpServices:
    """answers of Services over UDP"""

    added_later: ClassVar[bool] = True

    flows: tuple[AskedFlow, ...]  # of those that are silent only what was lost, or surely sent on

    @classmethod
    def collect(
        cls,
        points: VantagePoints,
        this: ThisNode,
        services: Services,
        endpoints: EndpointSlices,
        pods: Pods,
        policies: NetworkPolicies | CannotRead,
    ) -> UdpServices:
        """Ask everything at once; what is lost twice, while a datagram to the DNS is sent on, is lost.

        Raises CannotRead where something is silent and the kernel cannot be asked.
        """
        changing = {f"Service {name}" for name in (*services.changing, *endpoints.changing)}
        questions = udp_questions(points, this, services, endpoints, pods, policies)
        asked = [each for each in questions if each.target not in changing]
        if not asked:
            return cls(())
        ends = _ends(services, endpoints)
        replies = _ask(asked, ends, PROMPT)
        again = [place for place, reply in enumerate(replies) if reply.answer is Answer.TIMEOUT]
        for place, reply in zip(again, _ask([asked[place] for place in again], ends, SECONDS), strict=True):
            replies[place] = reply
        flows = [
            AskedFlow(each.point.name, each.kind, each.target, each.address, each.port, reply, "udp")
            for each, reply in zip(asked, replies, strict=True)
            if reply.arrived or _others_are_sent_on(each, services, ends)
        ]
        return cls(tuple(flows))


Ends = dict[str, frozenset[str]]  # the addresses behind each ClusterIP


def _ends(services: Services, endpoints: EndpointSlices) -> Ends:
    """Ready or not: kube-proxy follows a moment later."""
    known = endpoints.by_service
    return {each.cluster_ip: frozenset(end.address for end in known.get(str(each), ())) for each in services.items}


def _ask(asked: list[Question], ends: Ends, seconds: float) -> list[Reply]:
    """How each ends: OK as well for what was sent on and not answered, PROHIBITED for what was refused on the way."""
    ports = random.sample(range(*SOURCE_PORTS), len(asked))
    sent = [(each.point.netns, _datagram(each, port, seconds)) for each, port in zip(asked, ports, strict=True)]
    replies = ask_all(sent, seconds)
    return [_judged(*each, ends) for each in zip(asked, ports, replies, strict=True)]


def _judged(asked: Question, source_port: int, reply: Reply, ends: Ends) -> Reply:
    """The reply, by whether the datagram was sent on: an ICMP error is translated, and does not tell who refused it."""
    if reply.answer not in (Answer.TIMEOUT, Answer.REFUSED):
        return reply
    sent_on = _is_sent_on(asked, source_port, ends)
    if reply.answer is Answer.REFUSED:
        return reply if sent_on else replace(reply, answer=Answer.PROHIBITED)
    return replace(reply, answer=Answer.OK, detail="sent on to an endpoint") if sent_on else reply


def _datagram(asked: Question, source_port: int, seconds: float) -> Callable[[], Reply]:
    source = asked.point.address_towards(asked.address)
    return partial(ask_udp, asked.address, asked.port, seconds, source=source, source_port=source_port)


def _is_sent_on(asked: Question, source_port: int, ends: Ends) -> bool:
    """Whether the kernel tracks it, with an endpoint of the Service as who answers. Raises CannotRead."""
    source = asked.point.address_towards(asked.address)
    try:
        found = conntrack.find("udp", source, source_port, asked.address, asked.port)
    except OSError as error:
        raise CannotRead.of("tracked connections", error) from error
    return found is not None and found.answers in ends[asked.address]


def _others_are_sent_on(asked: Question, services: Services, ends: Ends) -> bool:
    """Whether the same pod's datagram to the cluster's DNS is sent on, as far as the kernel tracks: the control."""
    dns = services.cluster_dns
    if dns is None:
        return False
    (reply,) = _ask([replace(asked, address=dns.cluster_ip, port=53)], ends, PROMPT)
    return reply.arrived
