"""What messages of all parts of netfilter begin with: struct nfgenmsg (linux/netfilter/nfnetlink.h)."""

from __future__ import annotations

import struct

NFGENMSG = struct.Struct(">BBH")


def nfgenmsg(family: int, resource: int = 0) -> bytes:
    """The header of every message of netfilter's."""
    return NFGENMSG.pack(family, 0, resource)


def family_of(message: bytes) -> int:
    """The family of a message of netfilter's."""
    return message[0]
