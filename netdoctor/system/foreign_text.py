"""Addresses and numbers in text that somebody else wrote: one reading, which lets nothing else through.

Python's own takes any text as the scope of an IPv6 address, newlines and commands too, and calls more signs digits than
the ten of ASCII.
"""

from __future__ import annotations

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
SCOPE = re.compile(r"[\w.:@-]{1,15}", re.ASCII)  # an interface


def to_address(text: str) -> Address:
    """An address without a scope. Raises ValueError."""
    if "%" in text:
        raise ValueError(f"{text!r:.60} does not appear to be an IPv4 or IPv6 address")
    return ipaddress.ip_address(text)


def to_network(text: str) -> Network:
    """A network, of which the host's bits may be set. Raises ValueError."""
    if "%" in text:
        raise ValueError(f"{text!r:.60} does not appear to be an IPv4 or IPv6 network")
    return ipaddress.ip_network(text, strict=False)


def is_network(text: str) -> bool:
    """Whether this is a network, or an address."""
    try:
        to_network(text)
    except ValueError:
        return False
    return True


def to_interface(text: str) -> Interface:
    """An address and the length of its network. Raises ValueError."""
    if "%" in text:
        raise ValueError(f"{text!r:.60} does not appear to be an IPv4 or IPv6 interface")
    return ipaddress.ip_interface(text)


def is_address(text: str, *, scoped: bool = False) -> bool:
    """Whether this is an address; `scoped`: also one with the name of an interface behind it."""
    plain, percent, scope = text.partition("%")
    if percent and not (scoped and SCOPE.fullmatch(scope)):
        return False
    try:
        to_address(plain)
    except ValueError:
        return False
    return True


def is_number(text: str) -> bool:
    """Whether this is written in the ten digits alone, and short enough for a number of any protocol."""
    return text.isascii() and text.isdigit() and len(text) <= 20


def is_port(text: str) -> bool:
    """Whether this is the number of a port."""
    return is_number(text) and 0 < int(text) <= 65535
