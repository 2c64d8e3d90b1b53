"""Every interface forwards, where forwarding as a whole is on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from netdoctor.changes.sysctl import KEY, SetSysctl
from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, sysctl_command, sysctl_key, write
from netdoctor.twin.state import State
from netdoctor.twin.uplinks import default_uplinks, pod_bridges, pod_ports


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all interfaces of the flow's family that do not forward."""
    family = "ipv6" if ":" in situation.flow.destination else "ipv4"
    whole = "ipv6/conf/all/forwarding" if family == "ipv6" else "ipv4/ip_forward"
    sysctls = situation.state.node.sysctls
    if family == "ipv4" and sysctls.get(whole) != "1":
        return  # the remedy enable-ip-forward
    off = [key for key, value in sysctls.items() if value == "0" and _is_of_interface(key, family)]
    if family == "ipv6" and sysctls.get(whole) == "0":
        off = [whole, *off]
    if off:
        names = ", ".join(f"net.{key.replace('/', '.')}" for key in off[:3])
        says = f"{names} is 0: packets that arrive there are not forwarded"
        make = partial(_set, tuple(off))
        by_hand = sysctl_command(off, "1")
        changes = _changes(off, situation.state) if family == "ipv4" else ()  # IPv6 hosts ignore advertisements then
        yield Intervention(
            "forward-at-every-interface", UNNAMED, says, f"{names} is 1", make, by_hand=by_hand, changes=changes
        )


def _is_of_interface(key: str, family: str) -> bool:
    """Whether a sysctl says of one interface, other than lo, that it forwards."""
    match = re.fullmatch(rf"{family}/conf/([^/]+)/forwarding", key)
    return match is not None and match[1] not in ("default", "lo", "all")


def _set(keys: tuple[str, ...]) -> None:
    for key in keys:
        write(key, "1")


def _changes(off: list[str], state: State) -> tuple[SetSysctl, ...]:
    """The same for the interfaces that pods' packets arrive at, and no others: those may be off on purpose."""
    bridges, ports, out = pod_bridges(state), pod_ports(state), default_uplinks(state)
    on_the_way = [link for link in state.node.interfaces() if link.index in bridges | ports.keys() | out]
    keys = [sysctl_key(path) for link in on_the_way if (path := f"ipv4/conf/{link.name}/forwarding") in off]
    return tuple(SetSysctl(key, "1", "0") for key in keys) if all(map(KEY.fullmatch, keys)) else ()
