"""Netfilter's messages on connections and counters, by the kernel's numbers."""

from __future__ import annotations

from enum import IntEnum


class NFNL_SUBSYS(IntEnum):
    """The parts of netfilter that take messages (linux/netfilter/nfnetlink.h)."""

    CTNETLINK = 1
    ACCT = 7
    NFTABLES = 10


class NFNL_MSG_BATCH(IntEnum):
    """The first and the last message of a batch (linux/netfilter/nfnetlink.h)."""

    BEGIN = 0x10
    END = 0x11


class NFNL_MSG_ACCT(IntEnum):
    """Messages on counters (linux/netfilter/nfnetlink_acct.h)."""

    NEW = 0
    GET = 1


class NFACCT(IntEnum):
    """Attributes of a counter (linux/netfilter/nfnetlink_acct.h)."""

    NAME = 1
    PKTS = 2
    BYTES = 3


class IPCTNL_MSG_CT(IntEnum):
    """Messages on connections (linux/netfilter/nfnetlink_conntrack.h)."""

    NEW = 0
    GET = 1
    DELETE = 2


class CTA(IntEnum):
    """Attributes of a connection (linux/netfilter/nfnetlink_conntrack.h)."""

    TUPLE_ORIG = 1
    TUPLE_REPLY = 2
    STATUS = 3
    PROTOINFO = 4
    NAT_SRC = 6
    TIMEOUT = 7
    MARK = 8
    ID = 12
    NAT_DST = 13
    TUPLE_MASTER = 14
    ZONE = 18


class CTA_TUPLE(IntEnum):
    """One direction of a connection (linux/netfilter/nfnetlink_conntrack.h)."""

    IP = 1
    PROTO = 2


class CTA_IP(IntEnum):
    """Addresses of a direction (linux/netfilter/nfnetlink_conntrack.h)."""

    V4_SRC = 1
    V4_DST = 2
    V6_SRC = 3
    V6_DST = 4


class CTA_PROTO(IntEnum):
    """Protocol and ports of a direction (linux/netfilter/nfnetlink_conntrack.h)."""

    NUM = 1
    SRC_PORT = 2
    DST_PORT = 3


class CTA_PROTOINFO(IntEnum):
    """What is known of a connection's protocol (linux/netfilter/nfnetlink_conntrack.h)."""

    TCP = 1


class CTA_PROTOINFO_TCP(IntEnum):
    """What is known of a connection of TCP (linux/netfilter/nfnetlink_conntrack.h)."""

    STATE = 1


class CTA_NAT(IntEnum):
    """A translation (linux/netfilter/nfnetlink_conntrack.h)."""

    V4_MINIP = 1
    V4_MAXIP = 2
    PROTO = 3
    V6_MINIP = 4
    V6_MAXIP = 5


class CTA_PROTONAT(IntEnum):
    """Ports of a translation (linux/netfilter/nfnetlink_conntrack.h)."""

    PORT_MIN = 1
    PORT_MAX = 2


class IPS(IntEnum):
    """What a connection has seen (linux/netfilter/nf_conntrack_common.h)."""

    SEEN_REPLY = 2


class TCP_CONNTRACK(IntEnum):
    """States of a connection of TCP (linux/netfilter/nf_conntrack_tcp.h)."""

    ESTABLISHED = 3
