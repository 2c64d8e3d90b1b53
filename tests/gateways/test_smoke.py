"""The smoke test's judgement of what a gateway answers."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from netdoctor.facts.gateways.gateways import Gateway
from netdoctor.facts.gateways.litellm_config import Model
from netdoctor.gateways.scraping import targets
from netdoctor.gateways.smoke import HEALTH, MODELS, OWN, READINESS, REPLICAS, WRONG_KEY, Served, Target, serve
from netdoctor.system.kube_api import KubeApi
from tests.gateways.gateway_stub import KEY, Stub, gateway

MODELS_SERVED = (Model("gpt-4.1", "chat", "example.com:443"), Model("qwen", "chat", "example.com:443"))


def module(name: str = "llm", models: tuple[Model, ...] = MODELS_SERVED) -> Gateway:
    return Gateway(name, "litellm", f"deployment/litellm-{name}", 1, {}, False, 4000, f"litellm-{name}", 30100,
                   models, None, 5)  # fmt: skip


def smoke(stub: Stub, gateway: Gateway | None = None, replicas: tuple[str, ...] = (), images: bool = False) -> Served:
    (served,) = serve([Target(gateway or module(), stub.url, KEY, replicas)], images=images, settle=0)
    return served


def test_a_gateway_that_serves() -> None:
    with gateway() as stub, gateway() as replica:
        served = smoke(stub, replicas=(replica.url,))
    assert served.ok, served
    assert [s.name for s in served.steps] == [READINESS, MODELS, WRONG_KEY, OWN, REPLICAS, HEALTH]
    assert len(stub.connections) == len(stub.paths)  # nothing is asked twice over one connection
    assert replica.paths == ["/v1/chat/completions"]
    assert KEY not in repr(served)


CONNECTION = "litellm.InternalServerError: InternalServerError: OpenAIException - Connection error."
BROKEN: list[tuple[str, Mapping[str, tuple[int, Any]], str, str]] = [
    ("not ready", {"/health/readiness": (503, {"status": "healthy", "db": "disconnected"})}, READINESS, "503"),
    ("a model less", {"/v1/models": (200, {"data": [{"id": "qwen"}]})}, MODELS, "does not list gpt-4.1"),
    ("a model more", {"/v1/models": (200, {"data": [{"id": m} for m in ("gpt-4.1", "qwen", "x")]})}, MODELS, "lists x"),
    ("own key refused", {"/v1/models": (401, {"error": {"message": "no"}})}, MODELS, "own key is refused"),
    ("no JSON", {"/v1/models": (200, b"<html>")}, MODELS, "does not list"),
    ("provider away", {"/v1/chat/completions": (500, {"error": {"message": CONNECTION}})}, OWN,
     "does not reach its provider at example.com:443"),
    ("provider's key", {"/v1/chat/completions": (500, {"error": {"message": "Missing credentials."}})}, OWN,
     "refuses its key"),
    ("an empty answer", {"/v1/chat/completions": (200, {})}, OWN, "without choices"),
    ("all unhealthy", {"/health": (200, {"healthy_count": 0, "unhealthy_endpoints": [{"model": "m", "error": "e"}]})},
     HEALTH, "1 of 1 unhealthy"),
]  # fmt: skip


@pytest.mark.parametrize("case", BROKEN, ids=lambda c: c[0])
def test_what_is_wrong_is_told(case: tuple[str, Mapping[str, tuple[int, Any]], str, str]) -> None:
    _, different, step, says = case
    with gateway(different) as stub:
        served = smoke(stub)
    assert not served.ok
    assert [s.name for s in served.failed] == [step]
    assert says in served.failed[0].observed


def test_a_gateway_that_takes_any_key_is_no_gateway_that_serves() -> None:
    with gateway(any_key=True) as stub:
        served = smoke(stub)
    assert [s.observed for s in served.failed] == ["a wrong key is accepted"]


def test_one_unhealthy_model_of_two_is_a_warning() -> None:
    body = {"healthy_count": 1, "unhealthy_endpoints": [{"model": "m", "error": "Connection error.\nstack trace: x"}]}
    with gateway({"/health": (200, body)}) as stub:
        served = smoke(stub)
    assert served.ok
    health = served.steps[-1]
    assert health.warning
    assert health.observed == "/health: 1 of 2 unhealthy, first m: Connection error."


def test_one_dead_replica_is_told_though_the_service_answers() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{s.getsockname()[1]}"
        with gateway() as stub:
            served = smoke(stub, replicas=(stub.url, dead))
    assert [s.name for s in served.failed] == [REPLICAS]
    assert "connection refused" in served.failed[0].observed


def test_each_module_is_asked_at_its_own_endpoint() -> None:
    for name, mode, path in (
        ("audio", "audio_transcription", "/v1/audio/transcriptions"),
        ("embeddings", "embedding", "/v1/embeddings"),
        ("image-gen", "image_generation", "/v1/images/generations"),
        ("vision", "chat", "/v1/chat/completions"),
    ):
        models = (Model("gpt-4.1", mode, ""), Model("qwen", mode, ""))
        with gateway() as stub:
            served = smoke(stub, module(name, models), images=True)
        assert served.ok, served
        assert path in stub.paths
        if name == "vision":
            assert b"data:image/png" in stub.bodies[path]
        if name == "audio":
            assert b"RIFF" in stub.bodies[path]


def test_no_picture_is_asked_for_unless_it_is_wanted() -> None:
    with gateway() as stub:
        served = smoke(stub, module("image-gen", (Model("gpt-4.1", "image_generation", ""), MODELS_SERVED[1])))
    assert served.ok
    assert not served.asked
    assert "/v1/images/generations" not in stub.paths
    assert "/health" not in stub.paths  # it would make a picture with each model


def test_nobody_there_is_one_step_and_no_traceback() -> None:
    served = smoke(Stub("http://127.0.0.1:1"))
    assert [s.observed for s in served.steps] == ["it is not ready: connection refused"]


@pytest.mark.parametrize("wrong", [None, 3, "x", [None], {"a": None}, [[]]])
def test_an_answer_of_another_form_is_no_traceback(wrong: Any) -> None:
    answers: dict[str, tuple[int, Any]] = {
        "/health/readiness": (200, {"db": wrong}), "/v1/models": (200, {"data": wrong}),
        "/v1/chat/completions": (500, {"error": wrong}),
        "/health": (200, {"healthy_count": wrong, "unhealthy_endpoints": wrong}),
    }  # fmt: skip
    with gateway(answers) as stub:
        assert not smoke(stub).ok


@pytest.mark.parametrize("wrong", [None, 3, "x", [], {"module": []}])
def test_a_prometheus_of_another_form_is_no_traceback(wrong: Any) -> None:
    class Prometheus(KubeApi):
        def __init__(self) -> None:
            """Nothing to connect to."""

        def get(self, path: str, **query: str) -> dict[str, Any]:
            return {"data": {"activeTargets": [wrong, {"labels": wrong, "lastError": wrong, "health": "up"}]}}

    assert all(isinstance(target.module, str) for target in targets(Prometheus(), "litellm"))
