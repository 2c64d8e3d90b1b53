"""Recordings and texts as nobody writes them, made of real ones: strategies of hypothesis."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from netdoctor.twin.recorded_state import Room, packed, unpacked
from netdoctor.twin.state import MESSAGES

LETTERS = st.text(max_size=40)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    (
        None, True, False, 0, -1, 1, 65536, 2**31, 2**32, 2**63, -(2**63), 10**19, 0.0, -1.5, 1e308, "", " ", "0", "-1",
        "²", "١", "1_000", "None", "::", "::1%a\nb", "fe80::1%eth0", "1.2.3.4", "1.2.3.4/33", "0.0.0.0/0", "10.0.0.1-9",
        "a/b", "/", "%", "\0", "\n", "\x1b[2J", "\u202e", "𝟙", "�", "=", ":", "[", "]", "{}", "*", "-A", "timeout", [],
        {}, [[]], [{}], {"a": None}, ["a", 1], "a" * 5000,
    )
)  # fmt: skip
JUNK = st.one_of(ODD, LETTERS, st.integers(), st.binary(max_size=24).map(lambda raw: raw.decode("latin-1")))
PLACES = st.floats(0, 1, exclude_max=True)
EDITS = st.lists(
    st.tuples(PLACES, st.sampled_from(("set", "drop", "twice", "swap", "cut", "bytes", "name")), PLACES, JUNK),
    min_size=1,
    max_size=6,
)
Edit = tuple[float, str, float, Any]
BYTES = st.lists(
    st.tuples(PLACES, st.sampled_from(("put", "cut", "insert", "repeat", "number", "swap")), PLACES, JUNK),
    min_size=1,
    max_size=6,
)


def changed(whole: Any, edits: list[Edit]) -> Any:
    """A copy of this JSON with these edits; what lies in deep places is changed as often as what lies on top."""
    found = copy.deepcopy(whole)
    for place, what, second, junk in edits:
        slots = list(_slots(found))
        if not slots:
            break
        box, key = slots[int(place * len(slots))]
        other_box, other_key = slots[int(second * len(slots))]
        _edit(box, key, what, second, junk, other_box[other_key])
    return found


def _edit(box: Any, key: Any, what: str, second: float, junk: Any, other: Any) -> None:
    held = box[key]
    if what == "drop":
        del box[key]
    elif what == "twice" and isinstance(box, list):
        box.insert(key, copy.deepcopy(held))
    elif what == "swap":
        box[key] = copy.deepcopy(other)
    elif what == "cut" and isinstance(held, (str, list)):
        box[key] = held[: int(second * len(held))]
    elif what == "bytes" and isinstance(held, str):
        box[key] = damaged(held, [(second, "put", second, junk)])
    elif what == "name" and isinstance(box, dict):
        box[str(junk)] = box.pop(key)
    else:
        box[key] = junk


def _slots(value: Any) -> list[tuple[Any, Any]]:
    """Every place in it that holds something: the box, and the index or name."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        box = waiting.pop()
        names = range(len(box)) if isinstance(box, list) else list(box)
        for name in names:
            found.append((box, name))
            if isinstance(box[name], (list, dict)) and box[name]:
                waiting.append(box[name])
    return found


def damaged(text: str, edits: list[Edit]) -> str:
    """The text with these edits, each at a place of it."""
    for place, what, second, junk in edits:
        start, end = sorted((int(place * (len(text) + 1)), int(second * (len(text) + 1))))
        end = min(end, start + 40)
        word = str(junk)
        if what == "put":
            text = text[:start] + word + text[start + len(word) :]
        elif what == "cut":
            text = text[:start] + text[end:]
        elif what == "insert":
            text = text[:start] + word + text[start:]
        elif what == "repeat":
            text = text[:end] + text[start:end] * 3 + text[end:]
        elif what == "number":
            digit = next((place for place in range(start, len(text)) if text[place].isdigit()), start)
            text = text[:digit] + word + text[digit + 1 :]
        else:
            text = text[end:] + text[start:end] + text[:start]
    return text


def with_damaged_messages(recording: Any, kind: str, edits: list[Edit]) -> Any:
    """The recording with these edits in the kernel's own messages of one kind, which are packed in it."""
    found = copy.deepcopy(recording)
    for namespace in found["facts"]["NodeNetwork"]["fact"]["namespaces"]:
        parts = list(unpacked(namespace[kind], Room(1 << 26)))
        for place, what, second, junk in edits:
            if parts:
                which = int(place * len(parts))
                parts[which] = _bytes(parts[which], what, second, str(junk).encode(errors="replace"))
        namespace[kind] = packed(part for part in parts if part)
    return found


def _bytes(data: bytes, what: str, second: float, junk: bytes) -> bytes:
    start = int(second * (len(data) + 1))
    edits: dict[str, Callable[[], bytes]] = {
        "put": lambda: data[:start] + junk + data[start + len(junk) :],
        "cut": lambda: data[:start],
        "insert": lambda: data[:start] + junk + data[start:],
        "repeat": lambda: data * 3,
        "number": lambda: data[:start] + b"\xff\xff\xff\xff" + data[start + 4 :],
        "swap": lambda: data[start:] + data[:start],
    }
    return edits.get(what, edits["number"])()


PACKED = st.sampled_from((*MESSAGES, "nftables"))
