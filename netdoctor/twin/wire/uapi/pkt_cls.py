"""Queues and filters of traffic control, by the kernel's numbers."""

from __future__ import annotations

from enum import IntEnum


class TCA(IntEnum):
    """Attributes of a queue or a filter (linux/rtnetlink.h)."""

    KIND = 1
    OPTIONS = 2
    CHAIN = 11
    INGRESS_BLOCK = 13
    EGRESS_BLOCK = 14


class TC_H(IntEnum):
    """Where a queue hangs (linux/pkt_sched.h)."""

    MAJ_MASK = 0xFFFF0000
    CLSACT = 0xFFFFFFF1
    ROOT = 0xFFFFFFFF


class TC_H_MIN(IntEnum):
    """Which packets a filter of a clsact queue sees (linux/pkt_sched.h)."""

    INGRESS = 0xFFF2
    EGRESS = 0xFFF3


class TCA_BPF(IntEnum):
    """Options of a filter of kind bpf (linux/pkt_cls.h)."""

    CLASSID = 3
    OPS_LEN = 4
    OPS = 5
    FLAGS = 8
    FLAGS_GEN = 9
