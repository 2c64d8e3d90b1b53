"""nfacct's counters (linux/netfilter/nfnetlink_acct.h): kube-proxy's rules refer to them and do not load without."""

from __future__ import annotations

from collections.abc import Iterable

from netdoctor.twin.wire.netlink import CREATE, NETFILTER, Netlink, by_kind, name_of, packed, text
from netdoctor.twin.wire.nfnetlink import NFGENMSG, nfgenmsg
from netdoctor.twin.wire.uapi.nfnetlink import NFACCT, NFNL_MSG_ACCT, NFNL_SUBSYS

SUBSYSTEM = NFNL_SUBSYS.ACCT << 8


def dump() -> tuple[str, ...]:
    """The names of the counters of this thread's namespace."""
    with Netlink(NETFILTER) as netlink:
        try:
            dumped = netlink.dump(SUBSYSTEM | NFNL_MSG_ACCT.GET, nfgenmsg(0))
            return tuple(text(by_kind(data, NFGENMSG.size)[NFACCT.NAME]) for _, data in dumped)
        except OSError:  # a kernel without nfnetlink_acct
            return ()


def load(names: Iterable[str]) -> list[str]:
    """Make these counters in this thread's namespace; what went wrong."""
    requests = [(SUBSYSTEM | NFNL_MSG_ACCT.NEW, _counter(name), CREATE) for name in names]
    if not requests:
        return []
    with Netlink(NETFILTER) as netlink:
        codes = netlink.request(requests)
    return [f"nfacct {name}: {name_of(code)}" for name, code in zip(names, codes, strict=True) if code]


def _counter(name: str) -> bytes:
    """The message that makes a counter at zero."""
    zero = b"\0" * 8
    return nfgenmsg(0) + packed([(NFACCT.NAME, name.encode() + b"\0"), (NFACCT.PKTS, zero), (NFACCT.BYTES, zero)])
