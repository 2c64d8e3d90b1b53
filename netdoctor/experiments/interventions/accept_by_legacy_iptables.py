"""The rule of legacy iptables whose counter moved is away, or its policy accepts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import Intervention, Situation
from netdoctor.system.host import Host
from netdoctor.system.rule_removal import legacy_arguments, without_legacy_rule
from netdoctor.twin.build import LEGACY_LOCK


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for the rule or policy that counted the packet."""
    arguments = legacy_arguments(situation.legacy)
    if not arguments:
        return
    yield Intervention(
        "accept-by-legacy-iptables",
        "packets-dropped-by-rule",
        f"a rule of legacy iptables drops: {situation.legacy}",
        f"without iptables-legacy {situation.legacy}",
        partial(_run, ["iptables-legacy", *arguments]),
        by_hand=without_legacy_rule(situation.legacy),
    )


def _run(argv: list[str]) -> None:
    Host().run(["env", f"XTABLES_LOCKFILE={LEGACY_LOCK}", *argv])
