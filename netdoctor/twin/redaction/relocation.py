"""Where public addresses go in a recording: block by block to a part of the address space that nobody uses.

IPv4 moves by its /16 to class E (240.0.0.0/4), IPv6 by its /48 to documentation (2001:db8::/32). What is below a block
stays, so that every prefix, gateway and range in it still fits. A prefix that is larger than a block stays as it is,
unless the recording has addresses in it or an interface is in it: then it moves too, to the end of class E or to
3fff::/20, and what is in it moves into it, as long as there is room.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Relocation:
    """How the addresses of one family move: bits of an address and below a block, what stays, where the rest goes."""

    bits: int
    low: int
    kept: tuple[tuple[int, int], ...]  # first and last address
    everybody: frozenset[int]  # single addresses that are everybody's
    first: int  # block to move to, and the one after the last
    end: int
    large_first: int  # the same for what moves as a whole, from the end on
    large_end: int
    shortest: int  # length of a prefix that moves

    @property
    def mask(self) -> int:
        """The bits of an address that stay."""
        return (1 << self.low) - 1


def _ranges(networks: Iterable[str]) -> tuple[tuple[int, int], ...]:
    found = [ipaddress.ip_network(each) for each in networks]
    return tuple((int(each.network_address), int(each.broadcast_address)) for each in found)


def _numbers(addresses: Iterable[str]) -> frozenset[int]:
    return frozenset(int(ipaddress.ip_address(each)) for each in addresses)


# 0.0.0.0/8, private, shared (carriers'), loopback, link-local, protocol assignments, documentation, benchmarks,
# multicast, class E with broadcast
V4_KEPT = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
    "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3"
)
V6_KEPT = "2001:db8::/32 3fff::/20"  # of 2000::/3; everything outside of it stays too
V4_RESOLVERS = "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 149.112.112.112 208.67.222.222 208.67.220.220"
V6_RESOLVERS = "2001:4860:4860::8888 2001:4860:4860::8844 2606:4700:4700::1111 2606:4700:4700::1001 2620:fe::fe"
V4 = Relocation(
    bits=32,
    low=16,
    kept=_ranges(V4_KEPT.split()),
    everybody=_numbers(V4_RESOLVERS.split()),
    first=0xF000,
    end=0xFF00,
    large_first=0xF800,
    large_end=0xFF00,
    shortest=8,
)
V6 = Relocation(
    bits=128,
    low=80,
    kept=((0, (0x2000 << 112) - 1), (0x4000 << 112, (1 << 128) - 1), *_ranges(V6_KEPT.split())),
    everybody=_numbers(V6_RESOLVERS.split()),
    first=0x20010DB80000,
    end=0x20010DB90000,
    large_first=0x3FFF00000000,
    large_end=0x3FFF10000000,
    shortest=24,
)


def _is_prefix(first: int, size: int) -> bool:
    """Whether so many addresses from this one on are all those of one prefix."""
    is_power_of_two = size > 0 and not size & (size - 1)
    return is_power_of_two and not first % size


class FreeBlocks:
    """A row of blocks to move to: blocks from the beginning, larger prefixes from the end."""

    def __init__(self, first: int, end: int, large_first: int, large_end: int) -> None:
        self._begin, self._end, self._large_first, self._large_end = first, end, large_first, large_end
        self._next = first

    def block(self, taken: set[int]) -> int:
        """The next free block; once all are used, they are used again."""
        while self._next in taken:
            self._next += 1
        self._next += 1
        return self._begin + (self._next - 1 - self._begin) % (min(self._end, self._large_end) - self._begin)

    def large(self, run: int) -> int | None:
        """The first of so many free blocks that make a prefix, None where there is no room."""
        target = (self._large_end - run) // run * run
        if target < max(self._large_first, self._next if self._large_first < self._end else 0):
            return None
        self._large_end = target
        return target


@dataclass(frozen=True, slots=True)
class Large:
    """A prefix that moved as a whole: its first and last block, where the first went, and the room there."""

    first: int
    last: int
    target: int
    area: FreeBlocks


class Blocks:
    """Which block of one family went where. Addresses are numbers."""

    def __init__(self, plan: Relocation) -> None:
        self.plan = plan
        self.moved: dict[int, int] = {}
        self.known: set[int] = set()  # every single address that was moved
        self._taken: set[int] = set()  # blocks of addresses that stay: nothing moves there
        self._connected: set[tuple[int, int]] = set()  # length and network of large prefixes: of interfaces,
        self._met: set[tuple[int, int]] = set()  # and others
        self._large: list[Large] = []  # an outer one before those in it
        self._area = FreeBlocks(plan.first + 1, plan.end, plan.large_first, plan.large_end)

    def stays(self, address: int) -> bool:
        """Whether it identifies nobody."""
        return address in self.plan.everybody or any(low <= address <= high for low, high in self.plan.kept)

    def address(self, address: int) -> int:
        """Where a single address went."""
        if self.stays(address):
            self._taken.add(address >> self.plan.low)
            return address
        self.known.add(address)
        return self._place(address)

    def prefix(self, network: int, length: int) -> int:
        """Where a prefix went. One in which a resolver of everybody's is stays."""
        rest = self.plan.bits - length
        if not rest:
            return self.address(network)
        if rest > self.plan.low:
            end = network | (1 << rest) - 1
            if not self._shared(network, end) and not self._mixed(network, end):
                self._met |= self._movable(network, length)
            ends = network >> self.plan.low, end >> self.plan.low
            moved = next((each.target for each in self._large if (each.first, each.last) == ends), None)
            return network if moved is None else moved << self.plan.low
        if self.stays(network) or self._shared(network, network | (1 << rest) - 1):
            return network
        return self._place(network)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where a range went, both ends included. A large one is rounded to whole blocks, inwards, and stays."""
        size = last - first + 1
        if _is_prefix(first, size):
            start = self.prefix(first, self.plan.bits - size.bit_length() + 1)
            return start, start + size - 1
        if self.stays(first) and self.stays(last):
            return first, last
        in_one_or_two = (last >> self.plan.low) - (first >> self.plan.low) <= 1
        if in_one_or_two and not self._is_whole(first, last):
            return self._short_span(first, last)
        low, high = self._whole_blocks(first, last)
        return (low, high) if (low, high) == (first, last) else self.span(low, high)

    def _is_whole(self, first: int, last: int) -> bool:
        """Whether a range begins where a block does, and ends where one does."""
        return not first & self.plan.mask and not (last + 1) & self.plan.mask

    def _short_span(self, first: int, last: int) -> tuple[int, int]:
        """Where a range in one or two blocks went."""
        if self._shared(first, last):
            return first, last
        start = self._place(first)
        self._target(last >> self.plan.low)  # the next block is the next one there too
        return start, start + last - first

    def _whole_blocks(self, first: int, last: int) -> tuple[int, int]:
        """The range without the parts of blocks at its ends; an end that stays is left."""
        mask = self.plan.mask
        low = first if self.stays(first) else (first + mask) & ~mask
        high = last if self.stays(last) else ((last + 1) & ~mask) - 1
        return low, high

    def connect(self, network: int, length: int) -> None:
        """Note the network of an interface: its gateway has to be in it."""
        if self.plan.bits - length > self.plan.low:
            self._connected |= self._movable(network, length)

    def adopt(self, seen: Blocks) -> None:
        """Place everything that another one saw: large prefixes first, then blocks by number.

        By number, so that a range of two blocks stays a range.
        """
        self._taken |= seen._taken
        self.known |= seen.known
        blocks = sorted(seen.moved)
        needed = {each for each in seen._met if self._any_in(blocks, *each)}
        for length, network in sorted(seen._connected | needed):
            self._move(network, length)
        for block in blocks:
            self._target(block)

    def _movable(self, network: int, length: int) -> set[tuple[int, int]]:
        if length < self.plan.shortest or self.stays(network):
            return set()
        rest = self.plan.bits - length
        return {(length, network >> rest << rest)}

    def _any_in(self, blocks: list[int], length: int, network: int) -> bool:
        place = bisect_left(blocks, network >> self.plan.low)
        return place < len(blocks) and blocks[place] << self.plan.low < network + (1 << self.plan.bits - length)

    def _move(self, network: int, length: int) -> None:
        """Move a large prefix as a whole, unless a part of it has moved already or there is no room."""
        run = 1 << self.plan.bits - self.plan.low - length
        first = network >> self.plan.low
        last = first + run - 1
        if any((each.first, each.last) == (first, last) for each in self._large):
            return
        target = self._around(first).large(run)
        if target is not None and not any(first <= block <= last for block in self.moved):
            self._large.append(Large(first, last, target, FreeBlocks(target, target + run, target, target + run)))

    def _around(self, block: int) -> FreeBlocks:
        """Where this block moves to: the room of the smallest prefix that it is in."""
        return next((each.area for each in reversed(self._large) if each.first <= block <= each.last), self._area)

    def _shared(self, first: int, last: int) -> bool:
        """Whether something in this range is everybody's."""
        return any(first <= each <= last for each in self.plan.everybody)

    def _mixed(self, first: int, last: int) -> bool:
        """Whether a part of this range stays."""
        return any(first <= high and low <= last for low, high in self.plan.kept)

    def _place(self, address: int) -> int:
        return self._target(address >> self.plan.low) << self.plan.low | address & self.plan.mask

    def _target(self, block: int) -> int:
        if block not in self.moved:
            self.moved[block] = self._around(block).block(self._taken)
        return self.moved[block]
