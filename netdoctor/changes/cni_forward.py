"""The jump from FORWARD to the rules that the CNI's plugin `firewall` has written for each pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdoctor.changes._iptables import restore, saved
from netdoctor.errors import Drifted
from netdoctor.facts.node.iptables import Ruleset
from netdoctor.system.host import Host

CHAIN = "CNI-FORWARD"
# as the plugin writes it, first in FORWARD (containernetworking/plugins, plugins/meta/firewall/iptables.go)
JUMP = f'FORWARD -m comment --comment "CNI firewall plugin rules" -j {CHAIN}'


def is_missing(rules: Ruleset) -> bool:
    """Whether the plugin's rules are there, and nothing leads to them."""
    leads = any(f"-j {CHAIN}" in rule for rule in rules.rules("filter", "FORWARD"))
    return rules.has_chain("filter", CHAIN) and not leads


@dataclass(frozen=True, slots=True)
class RestoreCniForward:
    """Lead FORWARD to the CNI's rules again, as its plugin would with the next pod."""

    until_boot: ClassVar[bool] = True
    kind: ClassVar[str] = "cni-forward"

    def describe(self) -> str:
        """One line: what will be different."""
        return f"lead FORWARD to {CHAIN} again, as the CNI does with each pod; nothing restarts"

    def diff(self) -> str:
        """The rule."""
        return f"+-A {JUMP}"

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The rule."""
        return (("rule{s} in FORWARD", JUMP),)

    def check(self, host: Host) -> None:
        """Raise Drifted where something leads there by now, or the chain is gone. Raises CannotRead."""
        if not is_missing(saved(host, "filter")):
            raise Drifted(f"FORWARD leads to {CHAIN} by now, or there is no such chain any more")

    def apply(self, host: Host) -> None:
        """Write it before all others, where the plugin has it. Raises CannotRead."""
        if is_missing(saved(host, "filter")):
            restore(host, "filter", [f"-I {JUMP}"])

    def rehearse(self, host: Host) -> None:
        """Write it in the copy. Raises CannotRead."""
        self.apply(host)

    def undo(self, host: Host) -> None:
        """Delete it. Raises Drifted where it is there more than once, CannotRead."""
        there = saved(host, "filter").rules("filter", "FORWARD").count(f"-A {JUMP}")
        if there > 1:
            raise Drifted(f"somebody has written the jump to {CHAIN} once more since")
        if there:
            restore(host, "filter", [f"-D {JUMP}"])
