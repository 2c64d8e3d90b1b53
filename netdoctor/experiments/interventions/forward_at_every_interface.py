"""Every interface forwards, where forwarding as a whole is on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from netdoctor.changes.sysctl import KEY, SetSysctl
from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, sysctl_command, sysctl_key, write
from netdoctor.twin.state import State
from netdoctor.twin.uplinks import default_uplinks, pod_bridges, pod_ports


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all interfaces of the flow's family that do not forward."""
    is_ipv6 = ":" in situation.flow.destination
    sysctls = situation.state.node.sysctls
    off = _off_in_ipv6(sysctls) if is_ipv6 else _off_in_ipv4(sysctls)
    if off:
        names = ", ".join(f"net.{key.replace('/', '.')}" for key in off[:3])
        says = f"{names} is 0: packets that arrive there are not forwarded"
        make = partial(_set, tuple(off))
        by_hand = sysctl_command(off, "1")
        changes = () if is_ipv6 else _changes(off, situation.state)  # IPv6 hosts ignore advertisements then
        yield Intervention(
            "forward-at-every-interface", UNNAMED, says, f"{names} is 1", make, by_hand=by_hand, changes=changes
        )


def _off_in_ipv4(sysctls: Mapping[str, str]) -> list[str]:
    """What is off; nothing where all is, which the remedy enable-ip-forward repairs."""
    return _off_at_interfaces(sysctls, "ipv4") if sysctls.get("ipv4/ip_forward") == "1" else []


def _off_in_ipv6(sysctls: Mapping[str, str]) -> list[str]:
    whole = "ipv6/conf/all/forwarding"
    return [*([whole] if sysctls.get(whole) == "0" else ()), *_off_at_interfaces(sysctls, "ipv6")]


def _off_at_interfaces(sysctls: Mapping[str, str], family: str) -> list[str]:
    """The sysctls by which an interface, other than lo, does not forward."""
    forwards = re.compile(rf"{family}/conf/(?!(?:default|lo|all)/)[^/]+/forwarding")
    return [key for key, value in sysctls.items() if value == "0" and forwards.fullmatch(key)]


def _set(keys: tuple[str, ...]) -> None:
    for key in keys:
        write(key, "1")


def _changes(off: list[str], state: State) -> tuple[SetSysctl, ...]:
    """The same for the interfaces that pods' packets arrive at, and no others: those may be off on purpose."""
    bridges, ports, out = pod_bridges(state), pod_ports(state), default_uplinks(state)
    on_the_way = [link for link in state.node.interfaces() if link.index in bridges | ports.keys() | out]
    keys = [sysctl_key(path) for link in on_the_way if (path := f"ipv4/conf/{link.name}/forwarding") in off]
    return tuple(SetSysctl(key, "1", "0") for key in keys) if all(map(KEY.fullmatch, keys)) else ()
