"""A node's network state in a recording, and back: messages packed and in base64, the rest as it is."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

from netdoctor.errors import BadInput
from netdoctor.system.foreign_text import to_address
from netdoctor.twin.settings import is_of_a_namespace
from netdoctor.twin.state import MESSAGES, Listener, NetworkState, State
from netdoctor.twin.trust import check, in_words
from netdoctor.twin.wire.nftables import NftObject

LARGEST = 96 << 20  # bytes of all messages of a recording, unpacked
APIECE = 64  # bytes that each of them takes in memory besides
# what reading anything else than a state may raise
DAMAGED = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    OverflowError,
    struct.error,
    zlib.error,
    AttributeError,
    RecursionError,
)


def recorded(state: State) -> dict[str, Any]:
    """A state as JSON."""
    return {
        "left_out": list(state.left_out),
        "namespaces": [_recorded(each) for each in (state.node, *state.pods)],
    }


def replayed(stored: Any) -> State:
    """What `recorded` gave. Raises BadInput for anything else."""
    try:
        room = Room(LARGEST)
        namespaces = [_replayed(each, room) for each in stored["namespaces"]]
        check(namespaces)
        own, not_set = _only_settings_of_a_namespace(namespaces)
        return State(own[0], tuple(own[1:]), tuple(str(name) for name in stored["left_out"]), not_set)
    except DAMAGED as error:
        raise BadInput(f"the recording's network state is damaged: {in_words(error)}") from error


def _only_settings_of_a_namespace(states: list[NetworkState]) -> tuple[list[NetworkState], tuple[str, ...]]:
    """The states without other settings, and the names of those."""
    others = {key for state in states for key in state.sysctls if not is_of_a_namespace(key)}
    own = [
        replace(state, sysctls={key: value for key, value in state.sysctls.items() if key not in others})
        for state in states
    ]
    return own, tuple(sorted(others))


def _recorded(state: NetworkState) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": state.name,
        "address": state.address,
        "nfacct": list(state.nfacct),
        "ipsets": state.ipsets,
        "legacy": state.legacy,
        "legacy6": state.legacy6,
        "sysctls": dict(state.sysctls),
        "listeners": [asdict(listener) for listener in state.listeners],
        "programs": list(state.all_programs),
    }
    for name in MESSAGES:
        plain[name] = packed(getattr(state, name))
    plain["nftables"] = packed(bytes([each.kind, each.family]) + each.body for each in state.nftables)
    return plain


class Room:
    """Bytes that a recording may still take in memory."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, size: int) -> None:
        """Raises ValueError where there is not so much left."""
        self.left -= size
        if self.left < 0:
            raise ValueError("it is too large")


def _replayed(stored: Any, room: Room) -> NetworkState:
    plain: dict[str, Any] = {name: stored[name] for name in ("name", "address", "ipsets", "legacy", "legacy6")}
    if not all(isinstance(value, str) for value in plain.values()):
        raise TypeError
    messages: dict[str, Any] = {name: tuple(unpacked(stored[name], room)) for name in MESSAGES}
    return NetworkState(
        **plain,
        **messages,
        nftables=tuple(NftObject(part[0], part[1], part[2:]) for part in unpacked(stored["nftables"], room)),
        nfacct=tuple(str(name) for name in stored["nfacct"]),
        sysctls={str(key): str(value) for key, value in stored["sysctls"].items()},
        listeners=tuple(
            Listener(str(x["protocol"]), str(to_address(x["address"])), int(x["port"])) for x in stored["listeners"]
        ),
        programs=tuple(str(name) for name in stored["programs"]),
    )


def packed(parts: Iterable[bytes]) -> str:
    """Each part with its length before it, compressed, as text."""
    data = b"".join(struct.pack("!I", len(part)) + part for part in parts)
    return base64.b64encode(zlib.compress(data, 6)).decode()


def unpacked(stored: str, room: Room) -> Iterator[bytes]:
    """The parts that `packed` put together. Raises ValueError, zlib.error."""
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(stored, validate=True), room.left + 1)
    room.take(len(data))
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValueError("cut short, or too large")
    offset = 0
    while offset < len(data):
        (length,) = struct.unpack_from("!I", data, offset)
        if not length or offset + 4 + length > len(data):
            raise ValueError("cut short")
        room.take(APIECE)
        yield data[offset + 4 : offset + 4 + length]
        offset += 4 + length


def size_of(state: State) -> int:
    """Bytes of a recording of it."""
    return len(json.dumps(recorded(state)))
