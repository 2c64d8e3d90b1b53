"""How system pods ended last, and which line of their logs tells why."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.last_ends import COREDNS, KUBE_PROXY, LastEnds, telling_line
from netdoctor.facts.cluster.workloads import ContainerEnd, Pod, Pods, pod_of
from netdoctor.system.clock import utc
from tests.builders import COREDNS as DNS_ADDRESS
from tests.builders import pod, services, this_node

LOOP = '.:53\nCoreDNS-1.14.2\n[FATAL] plugin/loop: Loop (127.0.0.1:5 -> :53) detected for zone ".", see https://x\n'
CANARY = "canary0f1e2d3c4b5a"
DOWN = ContainerEnd("main", 1, "Error", "2026-01-01T00:00:00Z", False, 7)


class Api:
    """An API server that has these logs, by pod and by whether the previous run's is asked for."""

    def __init__(self, logs: dict[tuple[str, bool], str]) -> None:
        self.logs, self.asked = logs, list[str]()

    def text(self, path: str, **query: str) -> str:
        assert (query["tailLines"], query["limitBytes"]) == ("60", "32768")
        name = path.split("/")[6]
        self.asked.append(name)
        key = (name, query["previous"] == "true")
        if key not in self.logs:
            raise CannotRead("API server", "previous terminated container not found")
        return self.logs[key]


def coredns(*ends: ContainerEnd, ready: bool = False) -> Pod:
    return pod("coredns-1", "kube-system", DNS_ADDRESS, {"k8s-app": "kube-dns"}, ends=ends, ready=ready)


def daemon(name: str, namespace: str = "kube-system", **changed: Any) -> Pod:
    built = pod(f"{name}-1", namespace, "192.0.2.10", {}, ends=(DOWN,), ready=False, owner=f"DaemonSet/{name}")
    return replace(built, **changed)


def collected(api: Api, *known: Pod) -> LastEnds:
    return LastEnds.collect(api, Pods(known), services(), this_node())  # type: ignore[arg-type]


class TestWhatIsRead:
    def test_a_log_is_classified(self) -> None:
        (end,) = collected(Api({("coredns-1", False): LOOP}), coredns(DOWN)).items
        assert (end.program, end.cause, end.exit_code, end.restarts) == (
            COREDNS, "coredns-forwards-to-itself", 1, 7,
        )  # fmt: skip
        assert end.said == 'plugin/loop: Loop (127.0.0.1:5 -> :53) detected for zone "."'

    def test_of_a_container_that_runs_again_the_previous_run_tells(self) -> None:
        api = Api({("coredns-1", True): LOOP, ("coredns-1", False): ".:53\n"})
        (end,) = collected(api, coredns(replace(DOWN, running=True))).items
        assert end.cause == "coredns-forwards-to-itself"

    def test_what_the_previous_run_said_counts_more_than_what_the_new_one_says(self) -> None:
        api = Api({("coredns-1", True): "panic: x\n", ("coredns-1", False): "[ERROR] not yet\n"})
        (end,) = collected(api, coredns(replace(DOWN, running=True))).items
        assert end.said == "panic: x"

    def test_kube_proxy_and_the_networks_agent_of_this_node_alone(self) -> None:
        known = (
            daemon("kube-proxy"), daemon("calico-node", "calico-system"), daemon("metrics-server"),
            daemon("kube-proxy", node="n2"), daemon("kube-proxy", "shop"), daemon("calico-node", "shop"),
            daemon("kube-proxy", owner="ReplicaSet/kube-proxy"), daemon("kube-flannel-ds", leaving=True),
        )  # fmt: skip
        api = Api({("kube-proxy-1", False): "F0101 12:00 server.go:1] no\n", ("calico-node-1", False): "x\n"})
        found = collected(api, *known)
        assert [(end.program, end.said) for end in found.items] == [
            (KUBE_PROXY, "F0101 12:00 server.go:1] no"), ("Calico", "x"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "healthy",
        [
            coredns(ready=True),
            coredns(replace(DOWN, running=True), ready=True),
            coredns(replace(DOWN, running=True, restarts=1, at=utc(time.time() - 1)), ready=True),
        ],
        ids=["never ended", "ended long ago", "ended once, a moment ago"],
    )
    def test_nothing_is_read_of_what_stays_up(self, healthy: Pod) -> None:
        api = Api({})
        assert collected(api, healthy).items == ()
        assert api.asked == []

    def test_what_is_ready_for_a_moment_between_two_ends_is_read(self) -> None:
        end = replace(DOWN, running=True, at=utc(time.time() - 1))
        assert len(collected(Api({("coredns-1", True): LOOP}), coredns(end, ready=True)).items) == 1

    def test_a_log_that_cannot_be_read_is_told(self) -> None:
        (end,) = collected(Api({}), coredns(DOWN)).items
        assert (end.said, end.exit_code) == ("", 1)
        assert "not found" in end.unread

    def test_what_the_kubelet_writes_in_place_of_a_log_is_not_the_programs_word(self) -> None:
        gone = 'failed to try resolving symlinks in path "/var/log/pods/x/3.log": lstat /var/log/pods/x: no such file'
        (end,) = collected(Api({("coredns-1", False): gone, ("coredns-1", True): LOOP}), coredns(DOWN)).items
        assert end.cause == "coredns-forwards-to-itself"
        (end,) = collected(Api({("coredns-1", False): gone}), coredns(DOWN)).items
        assert (end.said, end.unread) == ("", "the kubelet does not find it")

    def test_no_more_than_a_few_are_read(self) -> None:
        many = [replace(coredns(DOWN), name=f"coredns-{number}") for number in range(50)]
        api = Api({})
        assert len(collected(api, *many).items) == 6
        assert len(api.asked) == 12


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("starting\npanic: runtime error: x\n\ngoroutine 1 [running]:\nmain.main()\n", "panic: runtime error: x"),
        ("E0101 12:00 run.go:72] command failed\nI0101 12:01 bye\n", "E0101 12:00 run.go:72] command failed"),
        ("level=error msg=a\nlevel=fatal msg=b\nlevel=info msg=c\n", "level=fatal msg=b"),
        ("one\ntwo\n\n", "two"),
        (
            "flag provided but not defined: -x\nUsage of /coredns:\n  -conf string\n",
            "flag provided but not defined: -x",
        ),
        ("", ""),
        ("x\x1b[2J\x00y", "x\N{REPLACEMENT CHARACTER}y"),
    ],
)
def test_the_line_that_tells_most(log: str, line: str) -> None:
    assert telling_line(log.splitlines()) == line


def test_a_line_is_redacted_and_short() -> None:
    line = telling_line([f"FATAL password={CANARY} " + "long " * 500])
    assert CANARY not in line
    assert len(line) <= 240


def test_a_recording_keeps_no_line_that_is_not_known() -> None:
    api = Api({("coredns-1", False): LOOP + CANARY, ("kube-proxy-1", False): f"panic: {CANARY}"})
    found = collected(api, coredns(DOWN), daemon("kube-proxy"))
    assert CANARY in repr(found)
    kept = found.without_unknown_words()
    assert CANARY not in repr(kept)
    assert [end.cause for end in kept.items] == ["coredns-forwards-to-itself", ""]


def test_the_ends_of_a_pods_containers() -> None:
    def status(name: str, state: dict[str, Any], last: dict[str, Any], restarts: int) -> dict[str, Any]:
        return {"name": name, "state": state, "lastState": last, "restartCount": restarts}

    failed = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T00:00:00Z"}}
    done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    item = {
        "metadata": {"name": "p", "namespace": "n", "uid": "u"},
        "status": {
            "initContainerStatuses": [status("init", done, {}, 0)],
            "containerStatuses": [
                status("again", {"running": {}}, failed, 2), status("down", failed, done, 3),
                status("up", {"running": {}}, {}, 0),
            ],
        },
    }  # fmt: skip
    assert pod_of(item).ends == (
        ContainerEnd("again", 1, "Error", "2026-01-01T00:00:00Z", True, 2),
        ContainerEnd("down", 1, "Error", "2026-01-01T00:00:00Z", False, 3),
    )
