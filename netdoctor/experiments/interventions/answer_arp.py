"""The node answers ARP on every interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, sysctl_command, write

KEY = re.compile(r"ipv4/conf/([^/]+)/(arp_ignore|arp_filter)")


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all settings that restrict it."""
    found = {
        key: value
        for key, value in situation.state.node.sysctls.items()
        if (match := KEY.fullmatch(key)) and value != "0" and match[1] != "default"
    }
    if found:
        names = ", ".join(f"net.{key.replace('/', '.')} = {value}" for key, value in list(found.items())[:3])
        yield Intervention(
            "answer-arp",
            UNNAMED,
            f"the node does not answer its neighbours' ARP requests ({names})",
            "arp_ignore and arp_filter are 0",
            partial(_set, tuple(found)),
            by_hand=sysctl_command(found, "0"),
        )


def _set(keys: tuple[str, ...]) -> None:
    for key in keys:
        write(key, "0")
