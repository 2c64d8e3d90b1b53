"""nftables' expressions, by the kernel's numbers."""

from __future__ import annotations

from enum import IntEnum


class NFTA_BITWISE(IntEnum):
    """Attributes of `bitwise` (linux/netfilter/nf_tables.h)."""

    SREG = 1
    DREG = 2
    MASK = 4


class NFTA_BYTEORDER(IntEnum):
    """Attributes of `byteorder` (linux/netfilter/nf_tables.h)."""

    SREG = 1
    DREG = 2


class NFTA_CMP(IntEnum):
    """Attributes of `cmp` (linux/netfilter/nf_tables.h)."""

    SREG = 1
    OP = 2
    DATA = 3


class NFT_CMP(IntEnum):
    """Operators of `cmp` (linux/netfilter/nf_tables.h)."""

    EQ = 0
    NEQ = 1
    LT = 2
    LTE = 3
    GTE = 5


class NFTA_CT(IntEnum):
    """Attributes of `ct` (linux/netfilter/nf_tables.h)."""

    DREG = 1
    KEY = 2


class NFT_CT(IntEnum):
    """What `ct` loads (linux/netfilter/nf_tables.h)."""

    SRC = 8
    DST = 9
    SRC_IP = 19
    DST_IP = 20
    SRC_IP6 = 21
    DST_IP6 = 22


class NFTA_DUP(IntEnum):
    """Attributes of `dup` (linux/netfilter/nf_tables.h)."""

    SREG_ADDR = 1


class NFTA_DYNSET(IntEnum):
    """Attributes of `dynset` (linux/netfilter/nf_tables.h)."""

    SET_NAME = 1
    SREG_KEY = 4


class NFTA_EXTHDR(IntEnum):
    """Attributes of `exthdr` (linux/netfilter/nf_tables.h)."""

    DREG = 1
    FLAGS = 5
    SREG = 7


class NFTA_FIB(IntEnum):
    """Attributes of `fib` (linux/netfilter/nf_tables.h)."""

    DREG = 1


class NFTA_FWD(IntEnum):
    """Attributes of `fwd` (linux/netfilter/nf_tables.h)."""

    SREG_ADDR = 2


class NFTA_HASH(IntEnum):
    """Attributes of `hash` (linux/netfilter/nf_tables.h)."""

    DREG = 2


class NFTA_IMMEDIATE(IntEnum):
    """Attributes of `immediate` (linux/netfilter/nf_tables.h)."""

    DREG = 1
    DATA = 2


class NFTA_LOG(IntEnum):
    """Attributes of `log` (linux/netfilter/nf_tables.h)."""

    PREFIX = 2


class NFTA_LOOKUP(IntEnum):
    """Attributes of `lookup` (linux/netfilter/nf_tables.h)."""

    SET = 1
    DREG = 3
    SET_ID = 4


class NFTA_MATCH(IntEnum):
    """Attributes of `match`, which is a match of xtables (linux/netfilter/nf_tables_compat.h)."""

    NAME = 1
    REV = 2
    INFO = 3


class NFTA_TARGET(IntEnum):
    """Attributes of `target`, which is a target of xtables (linux/netfilter/nf_tables_compat.h)."""

    NAME = 1
    REV = 2
    INFO = 3


class NFTA_META(IntEnum):
    """Attributes of `meta` (linux/netfilter/nf_tables.h)."""

    DREG = 1
    KEY = 2


class NFT_META(IntEnum):
    """What `meta` loads (linux/netfilter/nf_tables.h)."""

    PROTOCOL = 1
    NFPROTO = 15
    L4PROTO = 16


class NFTA_NAT(IntEnum):
    """Attributes of `nat` (linux/netfilter/nf_tables.h)."""

    FAMILY = 2
    REG_ADDR_MIN = 3
    REG_ADDR_MAX = 4


class NFTA_NG(IntEnum):
    """Attributes of `numgen` (linux/netfilter/nf_tables.h)."""

    DREG = 1


class NFTA_OBJREF(IntEnum):
    """Attributes of `objref` (linux/netfilter/nf_tables.h)."""

    SET_NAME = 4


class NFTA_OSF(IntEnum):
    """Attributes of `osf` (linux/netfilter/nf_tables.h)."""

    DREG = 1


class NFTA_PAYLOAD(IntEnum):
    """Attributes of `payload` (linux/netfilter/nf_tables.h)."""

    DREG = 1
    BASE = 2
    OFFSET = 3
    LEN = 4
    SREG = 5


class NFT_PAYLOAD(IntEnum):
    """Where `payload` begins to count (linux/netfilter/nf_tables.h)."""

    LL_HEADER = 0
    NETWORK_HEADER = 1


class NFTA_RANGE(IntEnum):
    """Attributes of `range` (linux/netfilter/nf_tables.h)."""

    SREG = 1
    FROM_DATA = 3
    TO_DATA = 4


class NFTA_RT(IntEnum):
    """Attributes of `rt` (linux/netfilter/nf_tables.h)."""

    DREG = 1
    KEY = 2


class NFT_RT(IntEnum):
    """What `rt` loads (linux/netfilter/nf_tables.h)."""

    NEXTHOP4 = 1
    NEXTHOP6 = 2


class NFTA_SOCKET(IntEnum):
    """Attributes of `socket` (linux/netfilter/nf_tables.h)."""

    DREG = 2


class NFTA_TPROXY(IntEnum):
    """Attributes of `tproxy` (linux/netfilter/nf_tables.h)."""

    REG_ADDR = 2


class NFTA_TUNNEL(IntEnum):
    """Attributes of `tunnel` (linux/netfilter/nf_tables.h)."""

    DREG = 2


class NFTA_XFRM(IntEnum):
    """Attributes of `xfrm` (linux/netfilter/nf_tables.h)."""

    DREG = 1
    KEY = 2


class NFT_XFRM_KEY(IntEnum):
    """What `xfrm` loads (linux/netfilter/nf_tables.h)."""

    DADDR_IP4 = 1
    DADDR_IP6 = 2
    SADDR_IP4 = 3
    SADDR_IP6 = 4
