"""Why pods do not get ready, from the texts that the kubelet, libpq, Prisma and LiteLLM really write."""

from __future__ import annotations

from typing import Any

import pytest

from netdoctor.gateways.pod_failure import Failure, first_cause, why
from netdoctor.program_messages.message import Kind

PSQL = 'psql: error: could not translate host name "postgres" to address: Temporary failure in name resolution'
FATAL = 'psql: error: connection to server at "postgres" (10.99.1.2), port 5432 failed: FATAL:  '
P1001 = (
    "\x1b[1;31mLiteLLM Proxy: Database migration cannot proceed. Manual intervention required.\x1b[0m\n\n"
    "Prisma error:\nError: P1001: Can't reach database server at `postgres:5432`\n"
)
SCANNER = 'while scanning for the next token\nfound character that cannot start any token\n  in "x", line 3'


def pod(
    state: dict[str, Any],
    last: dict[str, Any] | None = None,
    *,
    init: bool = False,
    name: str = "litellm-llm-5d9-abcde",
) -> Any:
    container = {"name": "wait-for-postgres" if init else "litellm", "image": "x:1", "ready": False, "state": state}
    if last:
        container["lastState"] = last
    return {
        "metadata": {"name": name},
        "status": {"initContainerStatuses" if init else "containerStatuses": [container]},
    }


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def ended(status: int, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": status, "reason": reason}}


def unhealthy(message: str) -> list[dict[str, str]]:
    return [{"type": "Warning", "reason": "Unhealthy", "message": message}]


BACK_OFF = waiting("CrashLoopBackOff", "back-off 10s restarting failed container")
RUNNING: dict[str, Any] = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
CASES: list[tuple[str, Any, str, list[dict[str, str]], Kind, str]] = [
    (
        "no such image",
        pod(waiting("ErrImageNeverPull", 'Container image "x:1" is not present')),
        "",
        [],
        Kind.IMAGE,
        "not present",
    ),
    ("image pull", pod(waiting("ImagePullBackOff", "no such host")), "", [], Kind.IMAGE, "no such host"),
    (
        "secret",
        pod(waiting("CreateContainerConfigError", 'secret "litellm-secrets" not found')),
        "",
        [],
        Kind.CONFIG,
        'secret "litellm-secrets" not found',
    ),
    ("memory", pod(BACK_OFF, ended(137, "OOMKilled")), "", [], Kind.OOM, "out of memory"),
    (
        "no key",
        pod(BACK_OFF, ended(3)),
        "LiteLLM proxy refused to start: no master key is set, so",
        [],
        Kind.KEY,
        "no master key",
    ),
    (
        "known key",
        pod(BACK_OFF, ended(3)),
        "the master key is a publicly known default.",
        [],
        Kind.KEY,
        "well-known default key",
    ),
    (
        "config",
        pod(BACK_OFF, ended(1)),
        "Exception: Config file not found: /nonexistent.yaml",
        [],
        Kind.GATEWAY_CONFIG,
        "/nonexistent.yaml",
    ),
    ("yaml", pod(BACK_OFF, ended(1)), SCANNER, [], Kind.GATEWAY_CONFIG, "not YAML"),
    ("P1001", pod(BACK_OFF, ended(2)), P1001, [], Kind.NETWORK, "Postgres at postgres:5432"),
    ("waits for a name", pod(RUNNING, init=True), PSQL, [], Kind.NETWORK, "postgres does not resolve"),
    ("gave up on a name", pod(ended(1), init=True), PSQL, [], Kind.NETWORK, "postgres does not resolve"),
    (
        "refused",
        pod(RUNNING, init=True),
        FATAL.replace("FATAL:  ", "Connection refused\n\tIs the server"),
        [],
        Kind.NETWORK,
        "postgres: Connection refused",
    ),
    (
        "password",
        pod(RUNNING, init=True),
        FATAL + 'password authentication failed for user "litellm"',
        [],
        Kind.DATABASE,
        "refuses the password",
    ),
    (
        "database",
        pod(RUNNING, init=True),
        FATAL + 'database "litellm_llm" does not exist',
        [],
        Kind.DATABASE,
        "database litellm_llm does not exist",
    ),
    (
        "slots",
        pod(RUNNING, init=True),
        FATAL + "sorry, too many clients already",
        [],
        Kind.DATABASE,
        "no connection slot",
    ),
    (
        "path",
        pod(RUNNING),
        "",
        unhealthy("Readiness probe failed: HTTP probe failed with statuscode: 404"),
        Kind.PROBE,
        "path is wrong",
    ),
    (
        "503",
        pod(RUNNING),
        "",
        unhealthy("Startup probe failed: HTTP probe failed with statuscode: 503"),
        Kind.PROBE,
        "gets 503",
    ),
    (
        "killed by its probe",
        pod(BACK_OFF, ended(137)),
        "",
        unhealthy("Liveness probe failed: HTTP probe failed with statuscode: 401"),
        Kind.PROBE,
        "gets 401",
    ),
    ("unknown", pod(BACK_OFF, ended(1)), "boom\nlast words", [], Kind.CRASH, "exit status 1: last words"),
    (
        "starting",
        pod(RUNNING),
        "",
        unhealthy('Startup probe failed: Get "http://x": connect: connection refused'),
        Kind.STARTING,
        "",
    ),
    ("creating", pod(waiting("ContainerCreating")), "", [], Kind.STARTING, ""),
    (
        "mount",
        pod(waiting("ContainerCreating")),
        "",
        [{"type": "Warning", "message": 'MountVolume.SetUp failed for volume "config"'}],
        Kind.CONFIG,
        "MountVolume",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0])
def test_case(case: tuple[str, Any, str, list[dict[str, str]], Kind, str]) -> None:
    _, the_pod, log, events, kind, says = case
    found = why(the_pod, lambda container, previous: log, events)
    assert found.kind is kind, found
    assert says in found.sentence
    assert "\n" not in found.sentence
    assert "\x1b" not in found.sentence


def test_a_pod_that_cannot_be_scheduled() -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: Insufficient cpu."}
    found = why({"metadata": {"name": "x"}, "status": {"conditions": [condition]}}, lambda *_: "", [])
    assert found.kind is Kind.NOT_SCHEDULED
    assert "Insufficient cpu" in found.sentence


def test_no_secret_of_a_log_is_told() -> None:
    found = why(pod(BACK_OFF, ended(1)), lambda *_: "postgresql://litellm:canary-91ab@postgres/x failed", [])
    assert "canary-91ab" not in found.sentence


def test_the_previous_run_is_read_when_the_container_waits_for_its_next() -> None:
    asked: list[tuple[str, bool]] = []
    why(pod(BACK_OFF, ended(1)), lambda container, previous: asked.append((container, previous)) or "", [])  # type: ignore[func-returns-value]
    assert asked == [("litellm", True)]


def test_the_database_comes_before_those_that_wait_for_it() -> None:
    waits = [Failure(f"litellm-{n}", Kind.NETWORK, "it waits for Postgres", False) for n in ("llm", "audio")]
    postgres = Failure("postgres-0", Kind.IMAGE, "the image cannot be had", True)
    assert first_cause([*waits, postgres]) is postgres
    assert first_cause([Failure("x", Kind.STARTING, "it is starting", False)]) is None
    key = Failure("litellm-vision", Kind.KEY, "no key", True)
    assert first_cause([Failure("litellm-llm", Kind.CRASH, "?", False), key]) is key


def test_a_network_that_the_cni_refuses_is_told_by_what_it_means() -> None:
    said = 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "0f": '
    said += 'plugin type="bridge" failed (add): failed to find plugin "host-local" in path [/opt/cni/bin]'
    found = why(pod(waiting("ContainerCreating")), lambda *_: "", [{"type": "Warning", "message": said}])
    assert found.kind is Kind.NETWORK
    assert "the program of the CNI plugin host-local is not in /opt/cni/bin" in found.sentence
