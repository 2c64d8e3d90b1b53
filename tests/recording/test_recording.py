"""A recording is judged elsewhere as the machine was judged itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from netdoctor.diagnosis.check import look
from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.diagnosis.runner import run
from netdoctor.errors import BadInput
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.node.links import Links
from netdoctor.facts.traffic.vantage import VantagePoints
from netdoctor.recording.file import from_json, to_json, wanted
from netdoctor.system.foreign_json import MOST_VALUES, decode
from netdoctor.system.kube_api import KubeApi
from tests.builders import (
    DOWN,
    OLD_POD,
    REJECTED,
    SILENT,
    dns_answers,
    firewalld,
    points,
    reach,
    sysctls,
    upstream_answers,
)
from tests.conftest import ROOT
from tests.worlds import catalogue, healthy, unread, world

WORLDS = {
    "healthy": world(),
    "forwarding is off": world(sysctls("0"), upstream_answers(pods=SILENT), dns_answers(outside=SILENT)),
    "firewalld": world(firewalld("10.244.0.9/32"), reach(old=REJECTED)),
    "no API server": world(unread={**DOWN, **unread(Links)}),
}


def nameless(thing: object) -> str:
    """In words, with the node's name as a recording has it."""
    return re.sub(r"\bn1\b", "node-1", repr(thing))


@pytest.mark.parametrize("name", list(WORLDS))
def test_the_same_judgement_from_the_file(name: str) -> None:
    facts = WORLDS[name]
    text = to_json(facts)
    again = from_json(text, catalogue())
    here, there = run(catalogue(), facts), run(catalogue(), again)

    def said(results: dict[str, object]) -> dict[str, object]:
        return {k: nameless((r.outcome, r.reason, r.findings)) for k, r in results.items()}  # type: ignore[attr-defined]

    assert said(dict(here)) == said(dict(there))
    assert nameless(diagnose(catalogue(), here)) == nameless(diagnose(catalogue(), there))
    assert json.loads(to_json(again))["facts"] == json.loads(text)["facts"]


def test_every_fact_that_a_probe_asks_for_survives_the_file() -> None:
    facts = healthy()
    missing = {kind.__name__ for kind in wanted(catalogue()) if kind not in facts}
    assert missing == {
        "Host",
        "NodeNetwork",
        "ClusterAddresses",
        "Nodes",
    }  # of twins: tests/twin has those
    again = from_json(to_json(world()), catalogue()).known()
    for kind, value in facts.items():
        if kind in again and kind is not KubeApi:
            kept = replace(value, ends=()) if isinstance(value, Translated) else value  # of them, what is stale is kept
            assert nameless(again[kind]) == nameless(kept)


def test_a_look_at_a_recording() -> None:
    seen = look(catalogue(), from_json(to_json(WORLDS["firewalld"]), catalogue()))
    report = seen.report()
    assert report.exit_code == 1
    assert (report.node, OLD_POD in report.vantage_points) == ("node-1", True)


GOOD = json.loads(to_json(world()))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a netdoctor recording"),
        ("[]", "not a netdoctor recording"),
        ("{}", "it has no 'schema_version'"),
        ('{"schema_version": 1}', "it has no 'facts'"),
        ('{"schema_version": 1, "facts": 3}', "not a netdoctor recording"),
        ('{"schema_version": 99, "facts": {}}', "version 99"),
        ('{"schema_version": 1, "facts": {}}', "without any fact"),
        ('{"schema_version": 1, "facts": {"Telepathy": {"fact": {}}}}', "without any fact"),
        ("[" * 100_000, "not a netdoctor recording"),
        ('{"schema_version": 1, "facts": {"Sysctls": 3}}', "Sysctls has no fact in it"),
        ('{"schema_version": 1, "facts": {"Sysctls": {"cannot_read": 3}}}', "Sysctls has no fact in it"),
        ('{"schema_version": 1, "facts": {"Sysctls": {"fact": {"values": 3}}}}', "Sysctls.values"),
        ('{"schema_version": 1, "facts": {"Sysctls": {}}}', "Sysctls has no fact in it"),
    ],
)
def test_damaged(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        from_json(text, catalogue())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", [b"[],", b"{},", b"1,"])
def test_more_values_than_a_node_has_are_not_taken_apart(part: bytes) -> None:
    """They take many times their size of memory: they are counted first, so that no other mistake is met."""
    with pytest.raises(BadInput, match=rf"values in it, and no more than {MOST_VALUES} are read"):
        decode(b"no JSON" + part * MOST_VALUES + part)


@pytest.mark.parametrize("name", sorted(k.__name__ for k in wanted(catalogue()) if k.__name__ in GOOD["facts"]))
def test_wrong_types_in_any_fact(name: str) -> None:
    wrongs: tuple[object, ...] = (
        None,
        3,
        "text",
        [],
        {"fact": None},
        {"fact": []},
        {"fact": {"odd": 1}},
        {"answered": {}},
    )
    for wrong in wrongs:
        damaged = {"schema_version": 1, "facts": {**GOOD["facts"], name: wrong}}
        with pytest.raises(BadInput, match=name):
            from_json(json.dumps(damaged), catalogue())


def test_facts_of_a_newer_netdoctor_are_passed_over() -> None:
    text = json.dumps({"schema_version": 1, "facts": {**GOOD["facts"], "Telepathy": {"fact": {}}}})
    facts = from_json(text, catalogue())
    assert "Telepathy" not in {kind.__name__ for kind in facts.known()}
    (said,) = [notice for notice in look(catalogue(), facts).report().notices if "does not know" in notice]
    assert said.endswith(": Telepathy")


@pytest.mark.parametrize("name", ["\n! HEALTHY", "x" * 50, "a b", "\u202e"])
def test_what_is_no_name_of_a_fact_is_not_repeated(name: str) -> None:
    text = json.dumps({"schema_version": 1, "facts": {**GOOD["facts"], name: {"fact": {}}}})
    (said,) = [n for n in look(catalogue(), from_json(text, catalogue())).report().notices if "does not know" in n]
    assert said.endswith(": 1 more")


@pytest.mark.parametrize("path", sorted((ROOT / "tests/recordings").glob("*.json")), ids=lambda path: path.stem)
def test_every_recording_is_of_facts_that_are_known(path: Path) -> None:
    report = look(catalogue(), from_json(path.read_text(), catalogue()), only=["ip-forward-disabled"]).report()
    assert not [notice for notice in report.notices if "does not know" in notice]


@pytest.mark.parametrize(
    "words", ["test pod: not made, for it would change the node: x", "test pod: it would change the node: x",
              "it would change the node: x"],
)  # fmt: skip
def test_why_there_is_no_test_pod_reads_the_same_in_an_older_recording(words: str) -> None:
    facts = world(replace(points(), no_new_pod=words))
    seen = look(catalogue(), from_json(to_json(facts), catalogue()))
    assert "no test pod was made: it would change the node: x" in seen.report().notices


@pytest.mark.parametrize("before", ["", "test pod: ", "test pod: not made, for ", "not made, because "])
def test_a_recording_of_before_says_why_there_is_no_test_pod(before: str) -> None:
    text = (ROOT / "tests/recordings/ip-forward-zero.json").read_text()
    now = '"no_new_pod": "it would change'
    assert now in text
    known = from_json(text.replace(now, f'"no_new_pod": "{before}it would change'), catalogue()).known()[VantagePoints]
    assert isinstance(known, VantagePoints)
    assert known.no_new_pod.startswith("it would change the node: ip_forward is 0, and the CNI sets it to 1")


@pytest.mark.parametrize("data", [b"", b" \n"])
def test_an_empty_file_is_called_empty(data: bytes) -> None:
    with pytest.raises(BadInput, match="it is empty"):
        decode(data)
