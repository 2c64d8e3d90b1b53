"""nftables' messages, by the kernel's numbers."""

from __future__ import annotations

from enum import IntEnum


class NFT_MSG(IntEnum):
    """What a message is about (linux/netfilter/nf_tables.h)."""

    NEWTABLE = 0
    GETTABLE = 1
    NEWCHAIN = 3
    GETCHAIN = 4
    NEWRULE = 6
    GETRULE = 7
    NEWSET = 9
    GETSET = 10
    NEWSETELEM = 12
    GETSETELEM = 13
    NEWOBJ = 18
    GETOBJ = 19
    NEWFLOWTABLE = 22
    GETFLOWTABLE = 23


class NFPROTO(IntEnum):
    """Families of tables (linux/netfilter.h)."""

    INET = 1
    IPV4 = 2
    ARP = 3
    NETDEV = 5
    BRIDGE = 7
    IPV6 = 10


class NFTA_TABLE(IntEnum):
    """Attributes of a table (linux/netfilter/nf_tables.h)."""

    FLAGS = 2
    USE = 3
    HANDLE = 4
    PAD = 5
    USERDATA = 6
    OWNER = 7


class NFT_TABLE_F(IntEnum):
    """Flags of a table (linux/netfilter/nf_tables.h)."""

    DORMANT = 1


class NFTA_CHAIN(IntEnum):
    """Attributes of a chain (linux/netfilter/nf_tables.h)."""

    TABLE = 1
    HANDLE = 2
    NAME = 3
    HOOK = 4
    POLICY = 5
    USE = 6
    PAD = 9
    FLAGS = 10
    ID = 11
    USERDATA = 12


class NFTA_HOOK(IntEnum):
    """Attributes of a chain's hook (linux/netfilter/nf_tables.h)."""

    HOOKNUM = 1


class NF_INET(IntEnum):
    """The hooks of the IP layer (linux/netfilter.h)."""

    PRE_ROUTING = 0
    LOCAL_IN = 1
    FORWARD = 2
    LOCAL_OUT = 3
    POST_ROUTING = 4


class NFT_CHAIN(IntEnum):
    """Flags of a chain (linux/netfilter/nf_tables.h)."""

    BINDING = 4


class NFTA_RULE(IntEnum):
    """Attributes of a rule (linux/netfilter/nf_tables.h)."""

    TABLE = 1
    CHAIN = 2
    HANDLE = 3
    EXPRESSIONS = 4
    COMPAT = 5
    POSITION = 6
    USERDATA = 7
    PAD = 8
    ID = 9
    POSITION_ID = 10
    CHAIN_ID = 11


class NFTA_RULE_COMPAT(IntEnum):
    """What xtables' matches have to know of their rule (linux/netfilter/nf_tables.h)."""

    PROTO = 1
    FLAGS = 2


class NFT_RULE_COMPAT_F(IntEnum):
    """Flags for xtables' matches (linux/netfilter/nf_tables.h)."""

    INV = 2


class NFTA_SET(IntEnum):
    """Attributes of a set (linux/netfilter/nf_tables.h)."""

    TABLE = 1
    NAME = 2
    FLAGS = 3
    KEY_TYPE = 4
    DATA_TYPE = 6
    DESC = 9
    ID = 10
    USERDATA = 13
    PAD = 14
    HANDLE = 16
    TYPE = 19
    COUNT = 20


class NFT_SET(IntEnum):
    """Flags of a set (linux/netfilter/nf_tables.h)."""

    ANONYMOUS = 0x1
    INTERVAL = 0x4
    TIMEOUT = 0x10
    EVAL = 0x20


class NFTA_SET_DESC(IntEnum):
    """How large a set is (linux/netfilter/nf_tables.h)."""

    SIZE = 1
    CONCAT = 2


class NFTA_SET_ELEM_LIST(IntEnum):
    """Attributes of a list of elements (linux/netfilter/nf_tables.h)."""

    TABLE = 1
    SET = 2
    ELEMENTS = 3
    SET_ID = 4


class NFTA_SET_ELEM(IntEnum):
    """Attributes of an element (linux/netfilter/nf_tables.h)."""

    KEY = 1
    DATA = 2
    FLAGS = 3
    USERDATA = 6
    KEY_END = 10


class NFT_SET_ELEM(IntEnum):
    """Flags of an element (linux/netfilter/nf_tables.h)."""

    INTERVAL_END = 1


class NFTA_OBJ(IntEnum):
    """Attributes of an object (linux/netfilter/nf_tables.h)."""

    USE = 5
    HANDLE = 6
    PAD = 7
    USERDATA = 8


class NFTA_FLOWTABLE(IntEnum):
    """Attributes of a flow table (linux/netfilter/nf_tables.h)."""

    USE = 4
    HANDLE = 5
    PAD = 6


class NFTA_LIST(IntEnum):
    """What a list holds (linux/netfilter/nf_tables.h)."""

    ELEM = 1


class NFTA_EXPR(IntEnum):
    """An expression of a rule (linux/netfilter/nf_tables.h)."""

    NAME = 1
    DATA = 2


class NFTA_DATA(IntEnum):
    """A value or a verdict (linux/netfilter/nf_tables.h)."""

    VALUE = 1
    VERDICT = 2


class NFTA_VERDICT(IntEnum):
    """Attributes of a verdict (linux/netfilter/nf_tables.h)."""

    CHAIN = 2
