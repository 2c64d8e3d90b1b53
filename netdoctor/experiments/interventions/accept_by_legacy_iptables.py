"""The rule of legacy iptables whose counter moved is away, or its policy accepts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import Intervention, Situation
from netdoctor.system.host import Host
from netdoctor.twin.build import LEGACY_LOCK


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for the rule or policy that counted the packet."""
    if not situation.legacy:
        return
    table, _, rule = situation.legacy.partition(" ")
    if rule.startswith("policy "):
        chain = rule.rpartition(" ")[2]
        arguments = ["-P", chain, "ACCEPT"]
    else:
        arguments = ["-D", *shlex.split(rule)[1:]]
    yield Intervention(
        "accept-by-legacy-iptables",
        "packets-dropped-by-rule",
        f"a rule of legacy iptables drops: {situation.legacy}",
        f"without iptables-legacy {situation.legacy}",
        partial(_run, ["iptables-legacy", "-t", table, *arguments]),
    )


def _run(argv: list[str]) -> None:
    Host().run(["env", f"XTABLES_LOCKFILE={LEGACY_LOCK}", *argv])
