"""No reverse-path check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, sysctl_command, write

STRICT, LOOSE = "1", "2"
KEY = re.compile(r"ipv4/conf/([^/]+)/rp_filter")


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all interfaces that check."""
    found = {
        match[1]: value
        for key, value in situation.state.node.sysctls.items()
        if (match := KEY.fullmatch(key)) and value != "0" and match[1] not in ("default", "lo")
    }
    if found:
        names = ", ".join(f"net.ipv4.conf.{name}.rp_filter = {value}" for name, value in list(found.items())[:3])
        yield Intervention(
            "loosen-reverse-path-filter",
            UNNAMED,
            f"the reverse-path check drops packets that arrive where no route leads to their sender ({names})",
            "rp_filter is 0 everywhere",
            partial(_set, tuple(found)),
            by_hand=sysctl_command([f"ipv4/conf/{name}/rp_filter" for name in _strict(found)], LOOSE),
        )


def _strict(found: Mapping[str, str]) -> list[str]:
    """The interfaces to loosen; `all` alone where it is strict, because the greater of both values counts."""
    strict = [name for name, value in found.items() if value == STRICT]
    return ["all"] if "all" in strict else strict


def _set(names: tuple[str, ...]) -> None:
    for name in (*names, "all"):
        write(f"ipv4/conf/{name}/rp_filter", "0")
