"""Addresses and numbers in text that somebody else wrote: one reading, which lets nothing else through.

Python's own takes any text as the scope of an IPv6 address, newlines and commands too, and calls more signs digits than
the ten of ASCII.
"""

from __future__ import annotations

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SCOPE = re.compile(r"[\w.:@-]{1,15}", re.ASCII)  # an interface


def address(text: str) -> Address:
    """An address without a scope. Raises ValueError."""
    if "%" in text:
        raise ValueError(f"{text!r:.60} does not appear to be an IPv4 or IPv6 address")
    return ipaddress.ip_address(text)


def network(text: str) -> Network:
    """A network, of which the host's bits may be set. Raises ValueError."""
    if "%" in text:
        raise ValueError(f"{text!r:.60} does not appear to be an IPv4 or IPv6 network")
    return ipaddress.ip_network(text, strict=False)


def is_address(text: str, *, scoped: bool = False) -> bool:
    """Whether this is an address; `scoped`: also one with the name of an interface behind it."""
    plain, percent, scope = text.partition("%")
    if percent and not (scoped and SCOPE.fullmatch(scope)):
        return False
    try:
        address(plain)
    except ValueError:
        return False
    return True


def is_number(text: str) -> bool:
    """Whether this is written in the ten digits alone, and short enough for a number of any protocol."""
    return text.isascii() and text.isdigit() and len(text) <= 20
