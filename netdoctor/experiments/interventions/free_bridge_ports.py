"""Ports of a bridge are neither isolated nor guarded, learn, flood, and send back what came from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from netdoctor.changes.link import NAME, PORT, SetLink
from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation
from netdoctor.shell import all_of, command
from netdoctor.twin.state import Link
from netdoctor.twin.uplinks import pod_ports
from netdoctor.twin.wire import rtnl
from netdoctor.twin.wire.netlink import ROUTE, Netlink, attribute, by_kind
from netdoctor.twin.wire.uapi.if_link import BR_STATE, IFLA_BRPORT

# attribute, word, value as a bridge has it by default, or as the CNI sets it (hairpin)
FLAGS = (
    (IFLA_BRPORT.STATE, "state", BR_STATE.FORWARDING),
    (IFLA_BRPORT.MODE, "hairpin", 1),
    (IFLA_BRPORT.GUARD, "guard", 0),
    (IFLA_BRPORT.PROTECT, "protect", 0),
    (IFLA_BRPORT.LEARNING, "learning", 1),
    (IFLA_BRPORT.UNICAST_FLOOD, "flood", 1),
    (IFLA_BRPORT.ISOLATED, "isolated", 0),
)


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each flag that is otherwise somewhere."""
    ports = [(link, by_kind(link.port_data)) for link in situation.state.node.interfaces() if link.port_data]
    of_pods = pod_ports(situation.state)
    for number, word, usual in FLAGS:
        odd = [link for link, data in ports if _is_odd(link, data, number, usual)]
        if odd:
            says, change = _in_words(", ".join(link.name for link in odd[:4]), number, word, usual)
            make = partial(_set, tuple(link.index for link in odd), number, usual)
            by_hand = all_of(_command(link.name, number, word, usual) for link in odd)
            pods_alone = all(link.index in of_pods for link in odd)
            changes = _changes([(link, by_kind(link.port_data)[number][0]) for link in odd], number, usual)
            yield Intervention(
                "free-bridge-ports", UNNAMED, says, change, make, by_hand=by_hand, changes=changes if pods_alone else ()
            )


def _is_odd(port: Link, data: Mapping[int, bytes], number: int, usual: int) -> bool:
    """Whether a flag of a port is otherwise than usual."""
    if number not in data or data[number][0] == usual:
        return False
    # of a port that is down or has no carrier the state is the kernel's own
    return number != IFLA_BRPORT.STATE or (port.up and port.carrier)


def _changes(odd: list[tuple[Link, int]], number: int, usual: int) -> tuple[SetLink, ...]:
    """The same on the node; none where a port is in a state that spanning tree may have given it."""
    word = next(word for word, (attribute, _) in PORT.items() if attribute == number)
    if number == IFLA_BRPORT.STATE and any(now != BR_STATE.DISABLED for _, now in odd):
        return ()
    return tuple(SetLink(link.name, link.index, word, now, usual) for link, now in odd if NAME.fullmatch(link.name))


def _in_words(names: str, number: int, word: str, usual: int) -> tuple[str, str]:
    """What is unusual at these ports, and how it is otherwise."""
    if number == IFLA_BRPORT.STATE:
        return f"port {names} of the bridge does not forward", f"{names} forwards"
    now, then = ("off", "on") if usual else ("on", "off")
    return f"port {names} of the bridge has {word} {now}", f"{word} is {then} at {names}"


def _command(name: str, number: int, word: str, usual: int) -> tuple[str, ...]:
    """The command that sets a flag of a port, in the words of `bridge`."""
    value = "forwarding" if number == IFLA_BRPORT.STATE else "on" if usual else "off"
    flag = "root_block" if number == IFLA_BRPORT.PROTECT else word
    return command("sudo bridge link set dev {} {} {}", name, flag, value)


def _set(indexes: tuple[int, ...], number: int, value: int) -> None:
    info = rtnl.bridge_portinfo(attribute(number, bytes([value])))
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.change_link(index, info) for index in indexes])
