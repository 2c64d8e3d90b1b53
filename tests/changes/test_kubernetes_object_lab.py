"""The patch of an object on a real API server: what it tests, what it leaves, and how exact its undo is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Lab

pytestmark = pytest.mark.lab
# what a controller or the API server itself writes
OF_ITSELF = ("resourceVersion", "generation", "managedFields")
PROGRAM = """
import json, subprocess
from netdoctor.changes.kubernetes_object import PatchObject
from netdoctor.errors import Drifted
from netdoctor.system.host import Host

def kubectl(verb, *more):
    return subprocess.run(["kubectl", verb, "service", "echo", *more], check=True, capture_output=True).stdout

def now():
    return json.loads(kubectl("get", "-o", "json", "--show-managed-fields"))

def theirs(patch):
    kubectl("patch", "-p", json.dumps(patch))

def told(act):
    try:
        act(Host())
        return ""
    except Drifted as error:
        return str(error)

fields = [("/spec/selector", {"app": "nobody"}), ("/spec/ports/0/targetPort", 9999)]
ports = now()["spec"]["ports"]
beside = [("/spec/ports/0/port", ports[0]["port"]), ("/spec/ports/0/protocol", "TCP")]
change = PatchObject.planned(Host(), "Service", "default", "echo", fields, beside=beside)
before = now()
found = {"before": before, "check": told(change.check)}
change.apply(Host())
found["made"] = now()
found["again"] = told(change.apply)
theirs({"metadata": {"annotations": {"theirs": "1"}}})
theirs({"metadata": {"annotations": {"theirs": None}}})
found["undone"] = told(change.undo)
found["after"] = now()
change.apply(Host())
theirs({"spec": {"selector": {"app": "theirs"}}})
found["drift"] = told(change.undo)
found["kept"] = now()
theirs({"spec": {"selector": {"app": "nobody"}}})
change.undo(Host())
print(json.dumps(found))
"""


def stable(obj: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in obj["metadata"].items() if key not in OF_ITSELF}
    return {**obj, "metadata": meta}


def test_a_service_is_changed_and_set_back(lab: Lab) -> None:
    lab.reset()
    found = json.loads(lab.python(PROGRAM))
    made = found["made"]["spec"]
    assert (made["selector"], made["ports"][0]["targetPort"]) == ({"app": "nobody"}, 9999)
    assert made["ports"][0]["nodePort"] == found["before"]["spec"]["ports"][0]["nodePort"]
    assert "netdoctor" in [each["manager"] for each in found["made"]["metadata"]["managedFields"]]
    assert (found["check"], found["undone"]) == ("", "")
    assert "has changed at this moment: the API server says" in found["again"]
    assert stable(found["after"]) == stable(found["before"])
    assert 'spec.selector of Service default/echo is {"app": "theirs"}' in found["drift"]
    assert found["kept"]["spec"]["selector"] == {"app": "theirs"}
