"""Messages on routes, rules, addresses and neighbours, by the kernel's numbers."""

from __future__ import annotations

from enum import IntEnum


class RTM(IntEnum):
    """What a message is about (linux/rtnetlink.h)."""

    NEWLINK = 16
    GETLINK = 18
    SETLINK = 19
    NEWADDR = 20
    DELADDR = 21
    GETADDR = 22
    NEWROUTE = 24
    DELROUTE = 25
    GETROUTE = 26
    NEWNEIGH = 28
    DELNEIGH = 29
    GETNEIGH = 30
    NEWRULE = 32
    DELRULE = 33
    GETRULE = 34
    NEWQDISC = 36
    DELQDISC = 37
    GETQDISC = 38
    NEWTFILTER = 44
    DELTFILTER = 45
    GETTFILTER = 46
    NEWNEXTHOP = 104
    GETNEXTHOP = 106


class RTA(IntEnum):
    """Attributes of a route (linux/rtnetlink.h)."""

    DST = 1
    SRC = 2
    OIF = 4
    GATEWAY = 5
    PRIORITY = 6
    PREFSRC = 7
    MULTIPATH = 9
    CACHEINFO = 12
    TABLE = 15
    VIA = 18
    PREF = 20
    ENCAP = 22
    NH_ID = 30


class RTN(IntEnum):
    """What a route does (linux/rtnetlink.h)."""

    UNICAST = 1
    LOCAL = 2
    BROADCAST = 3
    ANYCAST = 4
    MULTICAST = 5
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8
    THROW = 9


class RTPROT(IntEnum):
    """Who made a route (linux/rtnetlink.h)."""

    KERNEL = 2
    BOOT = 3


class RT_SCOPE(IntEnum):
    """How far away a destination is (linux/rtnetlink.h)."""

    UNIVERSE = 0
    LINK = 253


class RT_TABLE(IntEnum):
    """The tables of routes that have a number of their own (linux/rtnetlink.h)."""

    DEFAULT = 253
    MAIN = 254
    LOCAL = 255


class RTM_F(IntEnum):
    """Flags of a route (linux/rtnetlink.h)."""

    CLONED = 0x200


class RTNH_F(IntEnum):
    """Flags of a next hop, and of a route that has one (linux/rtnetlink.h)."""

    ONLINK = 4


class FRA(IntEnum):
    """Attributes of a routing rule (linux/fib_rules.h)."""

    DST = 1
    SRC = 2
    IIFNAME = 3
    PRIORITY = 6
    FWMARK = 10
    TABLE = 15
    FWMASK = 16
    OIFNAME = 17
    IP_PROTO = 22
    DPORT_RANGE = 24


class FR_ACT(IntEnum):
    """What a routing rule does (linux/fib_rules.h)."""

    TO_TBL = 1
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8


class IFA(IntEnum):
    """Attributes of an address (linux/if_addr.h)."""

    ADDRESS = 1
    LOCAL = 2
    BROADCAST = 4
    ANYCAST = 5
    CACHEINFO = 6
    MULTICAST = 7
    FLAGS = 8


class IFA_F(IntEnum):
    """Flags of an address (linux/if_addr.h)."""

    NODAD = 0x2
    DADFAILED = 0x8
    DEPRECATED = 0x20
    TENTATIVE = 0x40
    MANAGETEMPADDR = 0x100
    NOPREFIXROUTE = 0x200


class NDA(IntEnum):
    """Attributes of a neighbour (linux/neighbour.h)."""

    DST = 1
    LLADDR = 2
    CACHEINFO = 3
    PROBES = 4
    MASTER = 9


class NTF(IntEnum):
    """Flags of a neighbour (linux/neighbour.h)."""

    SELF = 0x2
    MASTER = 0x4
    PROXY = 0x8


class NUD(IntEnum):
    """States of a neighbour (linux/neighbour.h)."""

    INCOMPLETE = 0x1
    REACHABLE = 0x2
    STALE = 0x4
    DELAY = 0x8
    PROBE = 0x10
    FAILED = 0x20
    NOARP = 0x40
    PERMANENT = 0x80


class NHA(IntEnum):
    """Attributes of a next hop that routes name by its number (linux/nexthop.h)."""

    GATEWAY = 6
    ENCAP = 8
