"""Messages on links, by the kernel's numbers."""

from __future__ import annotations

from enum import IntEnum


class IFF(IntEnum):
    """Flags of a link (linux/if.h)."""

    UP = 0x1
    RUNNING = 0x40


class IFLA(IntEnum):
    """Attributes of a link (linux/if_link.h)."""

    ADDRESS = 1
    BROADCAST = 2
    IFNAME = 3
    MTU = 4
    LINK = 5
    MASTER = 10
    PROTINFO = 12
    LINKINFO = 18
    IFALIAS = 20
    AF_SPEC = 26
    GROUP = 27
    NET_NS_FD = 28
    CARRIER = 33
    PHYS_PORT_ID = 34
    PHYS_SWITCH_ID = 36
    XDP = 43
    PROP_LIST = 52
    PERM_ADDRESS = 54


class IFLA_INFO(IntEnum):
    """What kind of link it is, in IFLA_LINKINFO (linux/if_link.h)."""

    KIND = 1
    DATA = 2
    SLAVE_KIND = 4
    SLAVE_DATA = 5


class IFLA_INET6(IntEnum):
    """What a link has of IPv6, in IFLA_AF_SPEC (linux/if_link.h)."""

    TOKEN = 7


class IFLA_XDP(IntEnum):
    """What a link has of XDP (linux/if_link.h)."""

    ATTACHED = 2


class VETH_INFO(IntEnum):
    """Data of a veth (linux/veth.h)."""

    PEER = 1


class IFLA_BR(IntEnum):
    """Data of a bridge (linux/if_link.h)."""

    AGEING_TIME = 4
    PRIORITY = 6
    VLAN_FILTERING = 7
    VLAN_PROTOCOL = 8
    GROUP_FWD_MASK = 9
    ROOT_ID = 10
    BRIDGE_ID = 11
    MCAST_SNOOPING = 23
    NF_CALL_IPTABLES = 36
    NF_CALL_IP6TABLES = 37
    NF_CALL_ARPTABLES = 38


class IFLA_BRPORT(IntEnum):
    """Data of a bridge's port (linux/if_link.h)."""

    STATE = 1
    PRIORITY = 2
    COST = 3
    MODE = 4
    GUARD = 5
    PROTECT = 6
    FAST_LEAVE = 7
    LEARNING = 8
    UNICAST_FLOOD = 9
    PROXYARP = 10
    LEARNING_SYNC = 11
    ROOT_ID = 13
    BRIDGE_ID = 14
    PAD = 26
    MCAST_FLOOD = 27
    MCAST_TO_UCAST = 28
    NEIGH_SUPPRESS = 32
    ISOLATED = 33


class BR_STATE(IntEnum):
    """States of a bridge's port (linux/if_bridge.h)."""

    DISABLED = 0
    FORWARDING = 3


class IFLA_VXLAN(IntEnum):
    """Data of a VXLAN interface (linux/if_link.h)."""

    GROUP = 2
    LINK = 3
    LOCAL = 4
    PORT = 15
    GROUP6 = 16
    LOCAL6 = 17
    REMCSUM_TX = 21
    REMCSUM_RX = 22
    COLLECT_METADATA = 25
    TTL_INHERIT = 28
    VNIFILTER = 30


class IFLA_GENEVE(IntEnum):
    """Data of a Geneve interface (linux/if_link.h)."""

    REMOTE = 2
    REMOTE6 = 7


class IFLA_BOND(IntEnum):
    """Data of a bond (linux/if_link.h)."""

    ARP_IP_TARGET = 8
    AD_INFO = 23
    AD_ACTOR_SYSTEM = 26
    NS_IP6_TARGET = 31


class IFLA_BOND_SLAVE(IntEnum):
    """Data of a bond's port (linux/if_link.h)."""

    PERM_HWADDR = 4


class IFLA_MACVLAN(IntEnum):
    """Data of a macvlan interface (linux/if_link.h)."""

    MACADDR = 4
    MACADDR_DATA = 5


class IFLA_GRE(IntEnum):
    """Data of a GRE tunnel (linux/if_tunnel.h)."""

    LOCAL = 6
    REMOTE = 7


class IFLA_IPTUN(IntEnum):
    """Data of an IP-in-IP tunnel (linux/if_tunnel.h)."""

    LOCAL = 2
    REMOTE = 3


class IFLA_VTI(IntEnum):
    """Data of a VTI tunnel (linux/if_tunnel.h)."""

    LOCAL = 4
    REMOTE = 5
