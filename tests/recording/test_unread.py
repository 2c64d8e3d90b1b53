"""Why a fact could not be read survives a recording, and is told of one that was made before it was written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.diagnosis.runner import run
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.this_node import NotANode, ThisNode
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.recording.file import from_json, to_json
from netdoctor.recording.unread import replayed, stored
from netdoctor.system.kube_api import ApiError, KubeApi
from tests.builders import DOWN
from tests.gateways.module_builders import NO_MODULES
from tests.worlds import catalogue, world

SERVER = "API server https://192.0.2.10:8443"
FORBIDDEN = ApiError(f"{SERVER} GET /version", 403, "version is forbidden")
UNCONNECTED = CannotRead("test pod", "no network within 4 s: its phase is Pending", Why.NO_NETWORK)
UNREAD: dict[str, dict[type, CannotRead]] = {
    "no modules": {Modules: NO_MODULES},
    "no network": {NewPod: UNCONNECTED},
    "no pod": {NewPod: CannotRead("test pod", "the node has no pause image, and nothing is pulled")},
    "no answer": DOWN,
    "refused": {KubeApi: FORBIDDEN},
    "no kubeconfig": {KubeApi: CannotRead("kubeconfig", "none that can be read: /etc/kubernetes/admin.conf")},
}


def without_why(recording: str) -> str:
    """The recording as an earlier netdoctor made it."""
    told = json.loads(recording)
    for entry in told["facts"].values():
        entry.get("cannot_read", {}).pop("why", None)
    return json.dumps(told)


@pytest.mark.parametrize("name", list(UNREAD))
def test_an_old_recording_is_judged_as_the_machine_was(name: str) -> None:
    facts = world(unread=UNREAD[name])
    now = to_json(facts)
    before = without_why(now)
    assert before != json.dumps(json.loads(now))

    def judged(given: Any) -> str:
        results = run(catalogue(), given)
        said = {probe: (each.outcome, each.reason, each.findings) for probe, each in results.items()}
        return repr((said, diagnose(catalogue(), results))).replace("n1", "node-1")

    live = judged(facts)
    assert judged(from_json(now, catalogue())) == live
    assert judged(from_json(before, catalogue())) == live


@pytest.mark.parametrize("why", list(Why))
def test_each_word_comes_back(why: Why) -> None:
    again = replayed(json.loads(json.dumps(stored(CannotRead("somewhere", "for a reason", why)))))
    assert (again.source, again.reason, again.why) == ("somewhere", "for a reason", why)


@pytest.mark.parametrize("why", ["eaten-by-a-grue", "", None, ["absent"], 3])
def test_a_word_that_nobody_knows_here_is_a_failure(why: object) -> None:
    assert replayed({"source": "x", "reason": "y", "why": why}).why is Why.FAILED


def test_the_words_of_another_source_are_nothing_of_its_own() -> None:
    assert replayed({"source": "elsewhere", "reason": "no network"}).why is Why.FAILED
    assert replayed({"source": f"{SERVER} GET /version", "reason": "403 forbidden"}).why is Why.FAILED
    assert replayed({"source": SERVER, "reason": "GET /version did not answer in JSON"}).why is Why.NO_ANSWER


def test_a_machine_that_is_no_node_stays_nameless() -> None:
    told = to_json(world(unread={ThisNode: NotANode("accounting-7")}))
    assert "has an address of this machine" in told
    assert "accounting-7" not in told


def test_what_a_recording_does_not_hold_is_not_held_by_its_copy() -> None:
    short = json.loads(to_json(world()))
    del short["facts"]["Links"]
    facts = from_json(json.dumps(short), catalogue())
    run(catalogue(), facts)
    assert json.loads(to_json(facts))["facts"].keys() == short["facts"].keys()
