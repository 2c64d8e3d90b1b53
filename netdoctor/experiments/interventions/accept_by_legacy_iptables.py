"""The rule of legacy iptables whose counter moved is away, or its policy accepts, or pods pass before either."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import Intervention, Situation
from netdoctor.experiments.pod_accepts import instead_of_legacy
from netdoctor.system.host import Host
from netdoctor.system.rule_removal import legacy_arguments, without_legacy_rule
from netdoctor.twin.build import LEGACY_LOCK

NAME, CAUSE = "accept-by-legacy-iptables", "packets-dropped-by-rule"


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for the rule or policy that counted the packet."""
    legacy = situation.legacy
    arguments = legacy_arguments(legacy)
    if not arguments:
        return
    says = f"a rule of legacy iptables drops: {legacy}"
    if found := instead_of_legacy(situation.state, situation.cluster, legacy, situation.walk.last):
        make = partial(found.change.rehearse, Host())
        yield Intervention(NAME, CAUSE, says, found.says, make, by_hand=found.by_hand, changes=(found.change,))
        return
    make = partial(_run, ["iptables-legacy", *arguments])
    change = f"iptables-legacy {legacy} is removed"
    yield Intervention(NAME, CAUSE, says, change, make, by_hand=without_legacy_rule(legacy))


def _run(argv: list[str]) -> None:
    Host().run(["env", f"XTABLES_LOCKFILE={LEGACY_LOCK}", *argv])
