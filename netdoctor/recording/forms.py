"""What the fields of recorded facts have to look like, by their names: types alone let an address be any text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from netdoctor.system.foreign_text import is_address, is_network

LONGEST = 4 << 20  # characters of one text; a ConfigMap has 1 MB
LARGEST = 1 << 63
MOST_SECONDS = 1e9


def _is_empty_or(form: Callable[[str], bool], text: str) -> bool:
    return not text or form(text)


ADDRESS = partial(_is_empty_or, is_address)
SCOPED = partial(is_address, scoped=True)
FORMS: dict[str, tuple[Callable[[str], bool], str]] = {
    "address": (ADDRESS, "address"),
    "pod_address": (ADDRESS, "address"),
    "destination": (ADDRESS, "address"),
    "cluster_ip": (lambda text: text == "None" or ADDRESS(text), "address"),
    "addresses": (SCOPED, "address"),
    "nameservers": (SCOPED, "address"),
    "cidrs": (is_network, "network"),
    "pod_cidrs": (is_network, "network"),
}
PORTS = frozenset(("port", "node_port", "container_port"))


def wrong(value: Any, where: str) -> Iterator[str]:
    """What is not as it has to be in a fact and all that it holds, in words."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from wrong(item, where)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from wrong(key, where)
            yield from wrong(item, where)
    elif is_dataclass(value):
        for field in fields(value):
            held = getattr(value, field.name)
            inside = f"{where}.{field.name}"
            yield from wrong(held, inside)
            yield from _of_form(field.name, held, inside)
    elif reason := _wrong_alone(value):
        yield f"{where}: {reason}"


def _wrong_alone(value: Any) -> str:
    if isinstance(value, str) and len(value) > LONGEST:
        return f"a text of {len(value)} characters"
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        return "not a 64-bit number"
    if isinstance(value, float) and not 0 <= value <= MOST_SECONDS:
        return f"{value!r:.20} is not a length of time"
    return ""


def _of_form(name: str, held: Any, where: str) -> Iterator[str]:
    if name in FORMS:
        fits, form = FORMS[name]
        for text in held if isinstance(held, tuple) else (held,):
            if isinstance(text, str) and not fits(text):
                yield f"{where}: it holds something that is not a {form}"
    elif name in PORTS and isinstance(held, int) and not 0 <= held <= 65535:
        yield f"{where}: {held} is not a port"
