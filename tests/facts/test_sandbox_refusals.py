"""Which pods the CNI refuses, in the words of the kubelet, containerd 2.2 and the plugins."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.workloads import Pod, Pods
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusals, refusal_of
from netdoctor.program_messages.sandbox import AGENTS, agent_of, plugins_words
from netdoctor.system.clock import utc
from tests.builders import pod, this_node
from tests.worlds import healthy

KUBELET = ("Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "
           f'"{"0f" * 32}": ')  # fmt: skip
OLD_KUBELET = ('(combined from similar events): Failed create pod sandbox: rpc error: code = Unknown desc = failed to '
               'set up sandbox container "abc" network for pod "x": ')  # fmt: skip
FULL = 'plugin type="bridge" failed (add): failed to allocate for range 0: no IP addresses available in range set: '
UNKNOWN = 'plugin type="bridge" failed (add): something else'
CAUSES = {
    f"{FULL}10.60.28.1-10.60.28.254": "cni-addresses-exhausted",
    'failed (add): failed to find plugin "host-local" in path [/opt/cni/bin]': "cni-config-unusable",
    'failed to find plugin "loopback" in path [/opt/cni/bin/ /opt/loopback/bin]': "cni-config-unusable",
    "netplugin failed with no error message: fork/exec /opt/cni/bin/bridge: permission denied": "cni-config-unusable",
    'could not add IP address to "cni0": permission denied': "cni-address-family-disabled",
    'failed to add IP addr {Version:6 Interface:0xc Address:{IP:fd00::5 Mask:ff}} to "eth0": permission denied':
        "cni-address-family-disabled",
    "open /proc/sys/net/ipv6/conf/eth0/accept_dad: no such file or directory": "cni-address-family-disabled",
    'container veth name provided (eth0) already exists': "cni-interface-exists",
    'container veth name ("eth0") peer provided ("vethc6f8657b") already exists': "cni-interface-exists",
    "stat /var/lib/calico/nodename: no such file or directory: check that": "cni-agent-missing",
    "loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file or directory": "cni-agent-missing",
    "unable to connect to Cilium agent: failed to create cilium agent client after 30": "cni-agent-missing",
    'Post "http://127.0.0.1:6784/ip/713": dial tcp 127.0.0.1:6784: connect: connection refused': "cni-agent-missing",
    "dial tcp 127.0.0.1:50051: connect: connection refused": "cni-agent-missing",
    "dial unix /var/run/antrea/cni.sock: connect: no such file or directory": "cni-agent-missing",
    "dial unix /run/multus/multus.sock: connect: connection refused": "cni-agent-missing",
    '"cni0" already has an IP address different from 10.244.1.1/24': "",
    UNKNOWN: "",
}  # fmt: skip


@pytest.mark.parametrize("message", CAUSES)
def test_each_message_has_its_cause(message: str) -> None:
    assert refusal_of("shop", "cart", KUBELET + message).cause == CAUSES[message]


@pytest.mark.parametrize("before", [KUBELET, OLD_KUBELET, ""])
def test_the_plugins_words_are_what_is_told(before: str) -> None:
    assert plugins_words(before + UNKNOWN) == UNKNOWN
    assert refusal_of("shop", "cart", before + UNKNOWN).said == UNKNOWN


def test_whose_agent_it_is() -> None:
    assert agent_of("open /run/flannel/subnet.env: no such file or directory") == "flannel"
    assert agent_of(UNKNOWN) == ""
    assert "Calico" in AGENTS


class Api:
    """An API server that has these events, and counts how often it is asked."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events, self.asked = events, 0

    def get(self, path: str, **query: str) -> dict[str, Any]:
        assert (path, query["fieldSelector"]) == ("/api/v1/events", "reason=FailedCreatePodSandBox")
        self.asked += 1
        return {"items": list(self.events)}


def event(message: str, uid: str = "uid-cart", seconds: float = 5, count: int = 1) -> dict[str, Any]:
    at = utc(time.time() - seconds)
    return {"involvedObject": {"uid": uid}, "message": message, "lastTimestamp": at, "count": count}


WAITING = pod("cart", "shop", "10.244.0.7", {}, addresses=(), phase="Pending", ready=False)
NEW_POD = healthy()[NewPod]


def collected(api: Api, *known: Pod, new_pod: object = NEW_POD) -> SandboxRefusals:
    return SandboxRefusals.collect(api, Pods(known), this_node(), new_pod)  # type: ignore[arg-type]


def test_the_test_pods_refusal_needs_no_question() -> None:
    api = Api()
    reason = CannotRead("test pod", f"no network: {FULL}10.0.0.1-10.0.0.2", Why.NO_NETWORK)
    (found,) = collected(api, new_pod=reason).items
    assert (found.is_test_pod, found.cause, api.asked) == (True, "cni-addresses-exhausted", 0)


@pytest.mark.parametrize(
    "events",
    [[{"seconds": 20}, {}], [{"count": 17}]],
    ids=["two events", "one event that came again"],
)
def test_a_pod_that_was_refused_more_than_once_is_told(events: list[dict[str, Any]]) -> None:
    # made now: what the whole file's collection made would be old by the end of a long run
    (found,) = collected(Api(*(event(KUBELET + UNKNOWN, **each) for each in events)), WAITING).items
    assert (found.name, found.said) == ("pod shop/cart", UNKNOWN)


@pytest.mark.parametrize(
    "events",
    [[event(UNKNOWN)], [event(UNKNOWN, count=9, seconds=900)], [event(UNKNOWN, uid="uid-of-another", count=9)]],
    ids=["once", "long ago", "of a pod that does not wait"],
)
def test_others_are_not(events: list[dict[str, Any]]) -> None:
    assert collected(Api(*events), WAITING).items == ()


@pytest.mark.parametrize(
    "other",
    [
        replace(WAITING, node="n2"), replace(WAITING, addresses=("10.244.0.7",)), replace(WAITING, host_network=True),
        replace(WAITING, phase="Running"), replace(WAITING, leaving=True),
    ],
)  # fmt: skip
def test_nothing_is_asked_where_no_pod_of_this_node_waits(other: Pod) -> None:
    api = Api(event(UNKNOWN, count=9))
    assert collected(api, other).items == ()
    assert api.asked == 0


def test_a_recording_keeps_no_words_that_are_not_known() -> None:
    canary = "canary0f1e2d3c4b5a"
    found = SandboxRefusals((refusal_of("a", "b", canary), refusal_of("a", "c", f"{canary} {FULL}10.0.0.1-10.0.0.2")))
    assert canary in repr(found)
    kept = found.without_unknown_words()
    assert canary not in repr(kept)
    assert [each.cause for each in kept.items] == ["cni-addresses-exhausted"]
