"""A routing rule that somebody has added is away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, ip_command
from netdoctor.twin.routes import odd_rules, routes
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.uapi.rtnetlink import RTM

MOST = 4


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each, the first few."""
    node = situation.state.node
    refusing = {route.table for route in routes(node) if route.refuses}
    family = socket.AF_INET6 if ":" in situation.flow.destination else socket.AF_INET
    for rule in odd_rules(node, family)[:MOST]:
        refuses = rule.text.endswith(("blackhole", "unreachable", "prohibit")) or any(
            rule.text.endswith(f" lookup {table}") for table in refusing
        )
        yield Intervention(
            "remove-routing-rules",
            "packets-refused-by-routing" if refuses else UNNAMED,
            f"the routing rule `{rule.text}` leads packets elsewhere",
            f"the routing rule `{rule.text}` is removed",
            partial(_delete, rule.body),
            by_hand=ip_command(6 if family == socket.AF_INET6 else 4, "rule del pref {} {}", rule.priority, rule.words),
        )


def _delete(body: bytes) -> None:
    with Netlink(ROUTE) as netlink:
        netlink.request([(RTM.DELRULE, body, 0)])
