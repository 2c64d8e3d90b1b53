"""One rule that accepts packets of pods, in the words of iptables and of nft."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from netdoctor.facts.node.cni import NAME

LABEL = "netdoctor-accept"  # the comment by which these rules are known
PROTOCOLS = ("tcp", "udp", "sctp")


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a rule accepts. An empty field says nothing.

    `answers`: only packets of connections that are there; `asked`: only those of the side that began a connection.
    """

    source: str = ""
    destination: str = ""
    interface_in: str = ""
    interface_out: str = ""
    protocol: str = ""
    port: int = 0  # to which it goes
    from_port: int = 0
    answers: bool = False
    asked: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether networks are networks, and names names; and it does not accept everything."""
        given = [each for each in (self.source, self.destination) if each]
        interfaces = [each for each in (self.interface_in, self.interface_out) if each]
        named = bool(given and interfaces) and all(map(_is_network, given)) and all(map(NAME.fullmatch, interfaces))
        return named and self._has_plain_ports

    @property
    def _has_plain_ports(self) -> bool:
        """Whether it has one port and a protocol, or neither."""
        ports = [port for port in (self.port, self.from_port) if port]
        if not self.protocol:
            return not ports
        return self.protocol in PROTOCOLS and len(ports) == 1 and 0 < ports[0] < 65536

    @property
    def _port(self) -> tuple[str, int]:
        return ("sport", self.from_port) if self.from_port else ("dport", self.port)

    def as_iptables(self, label: str) -> str:
        """The rule behind its chain, as iptables-save prints it."""
        side, port = self._port
        options = {
            "-s": self.source, "-d": self.destination, "-i": self.interface_in, "-o": self.interface_out,
            "-p": f"{self.protocol} -m {self.protocol} --{side} {port}" if self.protocol else "",
            "-m conntrack --ctstate": "RELATED,ESTABLISHED" if self.answers else "",
            "-m conntrack --ctdir": "ORIGINAL" if self.asked else "",
            "-m comment --comment": label,
        }  # fmt: skip
        return " ".join([*(f"{option} {value}" for option, value in options.items() if value), "-j ACCEPT"])

    def as_nft(self, label: str) -> str:
        """The rule, as nft prints it."""
        side, port = self._port
        parts = {
            "iifname": f'"{self.interface_in}"' if self.interface_in else "",
            "oifname": f'"{self.interface_out}"' if self.interface_out else "",
            "ip saddr": self.source,
            "ip daddr": self.destination,
            f"{self.protocol} {side}": str(port) if self.protocol else "",
            "ct state": "established,related" if self.answers else "",
            "ct direction": "original" if self.asked else "",
        }
        words = [f"{what} {value}" for what, value in parts.items() if value]
        return " ".join([*words, "accept", *([f'comment "{label}"'] if label else [])])

    def fits(self, source: str, destination: str, ports: tuple[str, int, int], *, is_answer: bool) -> bool:
        """Whether it accepts this packet, as far as its addresses, ports and direction tell.

        `ports`: the protocol, and the ports that it comes from and goes to.
        """
        ends = ((self.source, source), (self.destination, destination))
        inside = all(ipaddress.ip_address(end) in ipaddress.ip_network(each) for each, end in ends if each)
        wanted = (self.protocol, self.from_port, self.port)
        by_port = all(mine in ("", 0, theirs) for mine, theirs in zip(wanted, ports, strict=True))
        return inside and by_port and not (self.asked if is_answer else self.answers)


def _is_network(text: str) -> bool:
    """Whether it is an IPv4 network as programs print it."""
    try:
        return str(ipaddress.IPv4Network(text)) == text
    except ValueError:
        return False
