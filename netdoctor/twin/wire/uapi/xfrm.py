"""IPsec's messages, by the kernel's numbers."""

from __future__ import annotations

from enum import IntEnum


class XFRM_MSG(IntEnum):
    """What a message is about (linux/xfrm.h)."""

    NEWPOLICY = 19
    DELPOLICY = 20
    GETPOLICY = 21


class XFRMA(IntEnum):
    """Attributes of a policy (linux/xfrm.h)."""

    TMPL = 5
    POLICY_TYPE = 16
    MARK = 21
    IF_ID = 31


class XFRM_POLICY(IntEnum):
    """Which packets a policy is about; from MAX on it belongs to a single socket (linux/xfrm.h)."""

    IN = 0
    OUT = 1
    FWD = 2
    MAX = 3
