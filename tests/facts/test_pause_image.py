"""The test pod's image: found whatever it is called and however many images the node has, and not needed at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.workloads import Node
from netdoctor.facts.traffic.new_pod import manifest, refusal
from netdoctor.facts.traffic.pause_image import NO_IMAGE, image_of_test_pod, is_pause
from netdoctor.system.host import Host


def node(*images: str) -> Node:
    return Node("n1", (), (), True, "", images)


@dataclass(frozen=True, slots=True)
class RuntimeHost(Host):
    """A host whose runtime lists these images; none where it cannot be asked."""

    images: str | None = None

    def run(self, argv: Sequence[str], timeout: float = 3.0, stdin: str | None = None) -> str:
        if self.images is None:
            raise CannotRead(argv[0], "it does not answer")
        return self.images


@pytest.mark.parametrize(
    "name",
    [
        "registry.k8s.io/pause:3.10",
        "registry.k8s.io/pause@sha256:ee6521f290b2168b6e0935a181d4cff9be1ac3f505666ef0e3c98fae8199917a",
        "docker.io/rancher/mirrored-pause:3.6",
        "localhost:5000/kubernetes/pause:3.9@sha256:ee65",
        "k8s.gcr.io/pause-amd64:3.1",
        "pause",
    ],
)
def test_it_is_known_by_the_last_part_of_its_name(name: str) -> None:
    assert is_pause(name)
    assert image_of_test_pod(RuntimeHost(), node("docker.io/library/postgres:16", name)) == name


@pytest.mark.parametrize("name", ["docker.io/me/pausemenu:1", "pause.example.com/app:1", "me/pause/app:1", "a/b:pause"])
def test_others_are_none(name: str) -> None:
    assert not is_pause(name)


def test_the_runtime_knows_what_the_node_does_not_list() -> None:
    host = RuntimeHost(images="docker.io/library/postgres:16\nregistry.k8s.io/pause:3.10\n")
    assert image_of_test_pod(host, node("docker.io/library/postgres:16")) == "registry.k8s.io/pause:3.10"


@pytest.mark.parametrize("images", [None, "docker.io/library/postgres:16\n"])
def test_without_any_the_pod_waits_for_an_image_in_its_sandbox(images: str | None) -> None:
    image = image_of_test_pod(RuntimeHost(images=images), node("docker.io/library/postgres:16"))
    made: Any = manifest("netdoctor-1", "n1", image, {})
    (container,) = made["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == (NO_IMAGE, "Never")


class Events:
    """An API server with these events."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = list(events)

    def get(self, _path: str, **_query: str) -> dict[str, Any]:
        return {"items": self.events}


def test_the_missing_image_is_not_taken_for_a_missing_network() -> None:
    image = {
        "type": "Warning", "reason": "ErrImageNeverPull", "message": "is not present with pull policy of Never",
        "involvedObject": {"kind": "Pod", "name": "netdoctor-1", "fieldPath": "spec.containers{pause}"},
    }  # fmt: skip
    sandbox = {
        "type": "Warning", "reason": "FailedCreatePodSandBox", "message": "cni plugin not initialized",
        "involvedObject": {"kind": "Pod", "name": "netdoctor-1"},
    }  # fmt: skip
    events: Any = Events(image)
    assert refusal(events, "default", "netdoctor-1") == ""
    events = Events(sandbox, image)
    assert refusal(events, "default", "netdoctor-1") == "cni plugin not initialized"
