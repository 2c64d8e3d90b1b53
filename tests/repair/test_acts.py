"""What somebody did is repaired by what repairs its effects, and is then not said to be left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netdoctor import Area, Change, Finding, probe, remedy
from netdoctor.changes.file import WriteFile
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.diagnosis.check import look
from netdoctor.facts import Facts
from netdoctor.model import Remedy
from netdoctor.repair.plan import plan


@probe(area=Area.NODE, healthy="nothing was flushed", explains=("rules-gone", "zone-gone"), act=True)
def rules_flushed() -> Iterator[Finding]:
    yield Finding("somebody has flushed the rules", ())


@probe(area=Area.NODE, healthy="the rules are there")
def rules_gone() -> Iterator[Finding]:
    yield Finding("the rules are gone", ())


@probe(area=Area.NODE, healthy="the zone is there")
def zone_gone() -> Iterator[Finding]:
    yield Finding("the zone is gone", ())


@remedy(fixes="rules-gone")
def write_rules(findings: tuple[Finding, ...]) -> Iterator[Change]:
    yield WriteFile("/etc/rules", "accept\n", None)


@remedy(fixes="zone-gone")
def write_zone(findings: tuple[Finding, ...]) -> Iterator[Change]:
    yield WriteFile("/etc/zone", "trusted\n", None)


@pytest.mark.parametrize(
    ("remedies", "left"),
    [
        ((write_rules, write_zone), []),
        ((write_rules,), ["rules-flushed"]),
        ((), ["rules-flushed", "zone-gone", "rules-gone"]),
    ],
)
def test_an_act_is_left_where_an_effect_of_it_gets_no_step(remedies: tuple[Remedy, ...], left: list[str]) -> None:
    known = {each.name: each for each in (rules_flushed, rules_gone, zone_gone)}
    catalogue = Catalogue.of(known, {each.name: each for each in remedies})
    made = plan(catalogue, look(catalogue, Facts({}, live=False), experiments=False))
    assert [each.probe for each in made.not_repairable] == left
