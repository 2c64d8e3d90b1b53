"""Ports of a bridge are neither isolated nor guarded, learn, flood, and send back what came from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.twin import rtnl
from netdoctor.twin.netlink import ROUTE, Netlink, attribute, by_kind, packed
from netdoctor.twin.state import IFLA_LINKINFO, Link

# linux/if_link.h, IFLA_BRPORT_*: number, word, value as a bridge has it by default, or as the CNI sets it (hairpin)
STATE = 1
FLAGS = (
    (STATE, "state", 3),
    (4, "hairpin", 1),
    (5, "guard", 0),
    (6, "protect", 0),
    (8, "learning", 1),
    (9, "flood", 1),
    (33, "isolated", 0),
)


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each flag that is otherwise somewhere."""
    ports = [(link, by_kind(link.port_data)) for link in situation.state.node.interfaces() if link.port_data]
    for number, word, usual in FLAGS:
        odd = [link for link, data in ports if _is_odd(link, data, number, usual)]
        if odd:
            says, change = _in_words(", ".join(link.name for link in odd[:4]), number, word, usual)
            make = partial(_set, tuple(link.index for link in odd), number, usual)
            yield Intervention("free-bridge-ports", UNNAMED, says, change, make)


def _is_odd(port: Link, data: Mapping[int, bytes], number: int, usual: int) -> bool:
    """Whether a flag of a port is otherwise than usual."""
    if number not in data or data[number][0] == usual:
        return False
    # of a port that is down or has no carrier the state is the kernel's own
    return number != STATE or (port.up and port.carrier)


def _in_words(names: str, number: int, word: str, usual: int) -> tuple[str, str]:
    """What is unusual at these ports, and how it is otherwise."""
    if number == STATE:
        return f"port {names} of the bridge does not forward", f"{names} forwards"
    now, then = ("off", "on") if usual else ("on", "off")
    return f"port {names} of the bridge has {word} {now}", f"{word} is {then} at {names}"


def _set(indexes: tuple[int, ...], number: int, value: int) -> None:
    data = attribute(5, packed([(number, bytes([value]))]))
    with Netlink(ROUTE) as netlink:
        netlink.request(
            [rtnl.change_link(i, attribute(IFLA_LINKINFO, attribute(4, b"bridge\0") + data)) for i in indexes]
        )
