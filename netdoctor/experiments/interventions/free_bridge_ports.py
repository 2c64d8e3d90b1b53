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

SAID = {"root_block": "protect"}  # the kernel's word where `bridge` has another


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each flag that is otherwise somewhere."""
    ports = [(link, by_kind(link.port_data)) for link in situation.state.node.interfaces() if link.port_data]
    of_pods = pod_ports(situation.state)
    for word, (number, usual) in PORT.items():
        odd = [(link, data[number][0]) for link, data in ports if _is_odd(link, data, number, usual)]
        if odd:
            is_of_pods = all(link.index in of_pods for link, _ in odd)
            yield _intervention(odd, word, _changes(odd, word) if is_of_pods else ())


def _intervention(odd: list[tuple[Link, int]], word: str, changes: tuple[SetLink, ...]) -> Intervention:
    """The flag of these ports, of which each has its present value, as it usually is; `changes` make it on the node."""
    number, usual = PORT[word]
    says, change = _in_words(", ".join(link.name for link, _ in odd[:4]), word)
    make = partial(_set, tuple(link.index for link, _ in odd), number, usual)
    by_hand = all_of(_command(link.name, word) for link, _ in odd)
    return Intervention("free-bridge-ports", UNNAMED, says, change, make, by_hand=by_hand, changes=changes)


def _is_odd(port: Link, data: Mapping[int, bytes], number: int, usual: int) -> bool:
    """Whether a flag of a port is otherwise than usual."""
    if number not in data or data[number][0] == usual:
        return False
    # of a port that is down or has no carrier the state is the kernel's own
    return number != IFLA_BRPORT.STATE or (port.up and port.carrier)


def _changes(odd: list[tuple[Link, int]], word: str) -> tuple[SetLink, ...]:
    """The same on the node; none where a port is in a state that spanning tree may have given it."""
    number, usual = PORT[word]
    if number == IFLA_BRPORT.STATE and any(now != BR_STATE.DISABLED for _, now in odd):
        return ()
    return tuple(SetLink(link.name, link.index, word, now, usual) for link, now in odd if NAME.fullmatch(link.name))


def _in_words(names: str, word: str) -> tuple[str, str]:
    """What is unusual at these ports, and how it is otherwise."""
    number, usual = PORT[word]
    if number == IFLA_BRPORT.STATE:
        return f"port {names} of the bridge does not forward", f"{names} forwards"
    now, then = ("off", "on") if usual else ("on", "off")
    said = SAID.get(word, word)
    return f"port {names} of the bridge has {said} {now}", f"{said} is {then} at {names}"


def _command(name: str, word: str) -> tuple[str, ...]:
    """The command that sets a flag of a port to what is usual, in the words of `bridge`."""
    number, usual = PORT[word]
    value = "forwarding" if number == IFLA_BRPORT.STATE else "on" if usual else "off"
    return command("sudo bridge link set dev {} {} {}", name, word, value)


def _set(indexes: tuple[int, ...], number: int, value: int) -> None:
    info = rtnl.bridge_portinfo(attribute(number, bytes([value])))
    with Netlink(ROUTE) as netlink:
        netlink.request([rtnl.change_link(index, info) for index in indexes])
