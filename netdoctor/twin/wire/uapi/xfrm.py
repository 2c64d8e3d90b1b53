"""IPsec's messages, by the kernel's numbers."""

from __future__ import annotations

from enum import IntEnum


class XFRM_MSG(IntEnum):
    """What a message is about (linux/xfrm.h)."""

    GETPOLICY = 21
