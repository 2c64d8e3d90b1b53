"""A queue or filter of traffic control, or an IPsec policy, is not there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from netdoctor.experiments.interventions import Intervention, Situation
from netdoctor.shell import command
from netdoctor.twin import packet_programs
from netdoctor.twin.twin import NODE


def propose(situation: Situation) -> Iterator[Intervention]:
    """One for each that the node or the flow's pod has and a copy has too."""
    for place in dict.fromkeys((NODE, situation.flow.source)):
        for program in situation.state.by_name[place].copied_programs:
            form, values = program.by_hand
            what = program.says if place == NODE else f"{program.says} in {place}"
            yield Intervention(
                "remove-packet-programs",
                "packets-taken-by-program",
                f"{what} drops pod traffic",
                f"{what} is removed",
                partial(packet_programs.remove, program),
                where=place,
                by_hand=command(form, *values) if place == NODE else (),  # a pod's namespace has no name to type
            )
