"""Every interface forwards, where forwarding as a whole is on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import UNNAMED, Intervention, Situation, write


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for all interfaces of the flow's family that do not forward."""
    family = "ipv6" if ":" in situation.flow.destination else "ipv4"
    whole = "ipv6/conf/all/forwarding" if family == "ipv6" else "ipv4/ip_forward"
    sysctls = situation.state.node.sysctls
    if family == "ipv4" and sysctls.get(whole) != "1":
        return  # the remedy enable-ip-forward
    own = [
        key for key, value in sysctls.items() if re.fullmatch(rf"{family}/conf/[^/]+/forwarding", key) and value == "0"
    ]
    off = [key for key in own if key.split("/")[2] not in ("default", "lo", "all")]
    if family == "ipv6" and sysctls.get(whole) == "0":
        off = [whole, *off]
    if off:
        names = ", ".join(f"net.{key.replace('/', '.')}" for key in off[:3])
        yield Intervention(
            "forward-at-every-interface", UNNAMED, f"{names} is 0: what comes in there is not forwarded",
            f"{names} is 1", partial(_set, tuple(off)),
        )  # fmt: skip


def _set(keys: tuple[str, ...]) -> None:
    for key in keys:
        write(key, "1")
