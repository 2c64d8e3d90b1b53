"""What works on packets beside the packet filter: queues and filters of traffic control, XDP programs, IPsec.

A copy of this node gets what the kernel tells in full: tbf queues, filters of classic BPF, IPsec policies that need no
key. Of the rest a report says only that it is there. A recording has none of them: what a filter compares cannot be
given other addresses.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netdoctor.twin import ipsec
from netdoctor.twin.routing import must
from netdoctor.twin.state import CopiedProgram, Link
from netdoctor.twin.wire.messages import QueueMessage
from netdoctor.twin.wire.netlink import CREATE, EXCLUSIVE, ROUTE, Netlink, attribute, by_kind, packed, text
from netdoctor.twin.wire.uapi.pkt_cls import TC_H, TC_H_MIN, TCA, TCA_BPF
from netdoctor.twin.wire.uapi.rtnetlink import RTM

HOOKS = {"ingress": TC_H_MIN.INGRESS, "egress": TC_H_MIN.EGRESS}
# queues that lose nothing of a single question, and hooks that say nothing without a filter
HARMLESS = (
    "noqueue", "noop", "pfifo_fast", "pfifo", "bfifo", "fq_codel", "fq", "mq", "multiq", "clsact", "ingress", "cake",
)  # fmt: skip
COPIED_QUEUES = ("tbf",)
# options that make a filter of classic BPF: of eBPF the kernel tells a number, and an action is a program of its own
CLASSIC_BPF = {TCA_BPF.CLASSID, TCA_BPF.OPS_LEN, TCA_BPF.OPS, TCA_BPF.FLAGS}


@dataclass(frozen=True, slots=True)
class PacketPrograms:
    """What works on packets in a namespace: what a copy gets too, and in words what it does not."""

    copied: tuple[CopiedProgram, ...]
    others: tuple[str, ...]


def read(netlink: Netlink, links: Sequence[Link]) -> PacketPrograms:
    """What there is in the calling thread's namespace. Raises OSError, CannotRead."""
    copied: list[CopiedProgram] = []
    others = [f"{link.name} (xdp)" for link in links if link.xdp]
    for part in (_queues(netlink, links), _filters(netlink, links), ipsec.policies()):
        for program in part:
            if isinstance(program, CopiedProgram):
                copied.append(program)
            elif program not in others:
                others.append(program)
    return PacketPrograms(tuple(copied), tuple(others))


def make(programs: Iterable[CopiedProgram]) -> None:
    """Make these in the calling thread's namespace, which is a copy. Raises CannotRead for the first that fails."""
    for program in programs:
        with Netlink(program.protocol) as netlink:
            must(program.says, netlink.request(program.make))


def remove(program: CopiedProgram) -> None:
    """Remove it from the calling thread's namespace. Raises CannotRead where that fails."""
    with Netlink(program.protocol) as netlink:
        must(program.says, netlink.request([program.remove]))


def _every_queue(netlink: Netlink) -> Iterator[tuple[QueueMessage, str]]:
    """Each queue with its kind."""
    for _, body in netlink.dump(RTM.GETQDISC, QueueMessage.request_for()):
        queue = QueueMessage(body)
        yield queue, text(queue.attributes.get(TCA.KIND, b""))


def _queues(netlink: Netlink, links: Sequence[Link]) -> Iterator[CopiedProgram | str]:
    names = {link.index: link.name for link in links}
    for queue, kind in _every_queue(netlink):
        name = names.get(queue.index, str(queue.index))
        if kind in HARMLESS:
            continue
        words = f"{name} (qdisc {kind})"
        if kind in COPIED_QUEUES and queue.parent == TC_H.ROOT and queue.index in names:
            yield _queue(words, queue, name)
        else:
            yield words


def _queue(words: str, queue: QueueMessage, device: str) -> CopiedProgram:
    head = QueueMessage.HEADER.pack(socket.AF_UNSPEC, 0, queue.index, queue.handle, queue.parent, 0)
    made = packed((kind, queue.attributes[kind]) for kind in (TCA.KIND, TCA.OPTIONS) if kind in queue.attributes)
    return CopiedProgram(
        words,
        ROUTE,
        ((RTM.NEWQDISC, head + made, CREATE | EXCLUSIVE),),
        (RTM.DELQDISC, head, 0),
        ("sudo tc qdisc del dev {} root", (device,)),
    )


def _filters(netlink: Netlink, links: Sequence[Link]) -> Iterator[CopiedProgram | str]:
    # the queue "ingress" answers for each hook with the filters of its one
    one_way = {queue.index for queue, kind in _every_queue(netlink) if kind == "ingress"}
    for link in links:
        for word, hook in HOOKS.items():
            if word != "ingress" and link.index in one_way:
                continue
            parent = TC_H.MAJ_MASK | hook
            head = QueueMessage.HEADER.pack(socket.AF_UNSPEC, 0, link.index, 0, parent, 0)
            try:
                found = [QueueMessage(body) for _, body in netlink.dump(RTM.GETTFILTER, head)]
            except OSError:  # it has no such queue
                continue
            yield from _of_a_hook(found, link, word)


def _of_a_hook(found: list[QueueMessage], link: Link, word: str) -> Iterator[CopiedProgram | str]:
    """The filters of one hook: all of them, or none, since the first may let pass what the second drops."""
    words = f"{link.name} (tc {word})"
    made = [_filter(each) for each in found if each.handle]
    if found and (not made or not all(made) or any(each.index != link.index for each in found)):
        yield words
        return
    by_preference: dict[int, list[bytes]] = {}
    for body in made:
        by_preference.setdefault(QueueMessage(body).info >> 16, []).append(body)
    for preference, bodies in by_preference.items():
        says = words if len(by_preference) == 1 else f"{words[:-1]}, pref {preference})"
        yield _of_a_preference(
            says, bodies, link, (f"sudo tc filter del dev {{}} {word} pref {{}}", (link.name, preference))
        )


def _of_a_preference(
    says: str, bodies: list[bytes], link: Link, by_hand: tuple[str, tuple[object, ...]]
) -> CopiedProgram:
    """The filters of one preference, which are removed together."""
    make = [(int(RTM.NEWTFILTER), body, CREATE | EXCLUSIVE) for body in bodies]
    remove = (RTM.DELTFILTER, _all_of(QueueMessage(bodies[0])), 0)
    return CopiedProgram(says, ROUTE, (_hook_of(link), *make), remove, by_hand)


def _hook_of(link: Link) -> tuple[int, bytes, int]:
    """The queue that such filters hang on."""
    head = QueueMessage.HEADER.pack(socket.AF_UNSPEC, 0, link.index, TC_H.MAJ_MASK, TC_H.CLSACT, 0)
    return RTM.NEWQDISC, head + attribute(TCA.KIND, b"clsact\0"), CREATE | EXCLUSIVE


def _all_of(first: QueueMessage) -> bytes:
    """The head of a message that is about every filter of a preference."""
    return QueueMessage.HEADER.pack(socket.AF_UNSPEC, 0, first.index, 0, first.parent, first.info)


def _filter(told: QueueMessage) -> bytes:
    """The body of a message that makes this filter; b"" where the kernel does not tell all that it is."""
    options = by_kind(told.attributes.get(TCA.OPTIONS, b""))
    others = options.keys() - CLASSIC_BPF - {TCA_BPF.FLAGS_GEN}  # that one says whether hardware does it
    if text(told.attributes.get(TCA.KIND, b"")) != "bpf" or TCA_BPF.OPS not in options or others:
        return b""
    if any(told.attributes.get(TCA.CHAIN, b"")):  # another filter leads to it
        return b""
    head = QueueMessage.HEADER.pack(socket.AF_UNSPEC, 0, told.index, told.handle, told.parent, told.info)
    kept = packed((number, options[number]) for number in sorted(CLASSIC_BPF) if number in options)
    return head + packed([(TCA.KIND, told.attributes[TCA.KIND]), (TCA.OPTIONS, kept)])
