"""The hand-over note's story in one run: a broken node, a gate that stays closed, a repair, and five that serve.

The times of its steps are printed (pytest -s).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Lab
from tests.schemas import valid

MODULES = ("llm", "vision", "audio", "image-gen", "embeddings")
CANARIES = ("canary-provider-3c9e",)
ENVIRONMENT = f"PROVIDER_BASE=http://example.com:8080/v1\\nPROVIDER_KEY={CANARIES[0]}\\n"
BREAK = ("firewall-cmd -q --reload", "sysctl -qw net.bridge.bridge-nf-call-iptables=0")
DEPLOY = "cd /opt/modules && netdoctor deploy -k overlays/lab"


class Story:
    """A lab whose every output is searched for secrets, and whose steps are timed."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.begin, self.written = lab, time.monotonic(), ""

    def tell(self, words: str) -> None:
        print(f"[{time.monotonic() - self.begin:6.1f} s] {words}", flush=True)

    def run(self, command: str, timeout: float = 300) -> tuple[int, str]:
        done = self.lab.exec(command, timeout)
        assert "Traceback" not in done.stderr, done.stderr
        self.written += done.stdout + done.stderr
        self.tell(f"{command.partition('&& ')[2] or command}: exit status {done.returncode}")
        return done.returncode, done.stdout + done.stderr

    def data(self, command: str) -> tuple[int, dict[str, Any]]:
        done = self.lab.exec(f"{command} -o json", 300)
        self.written += done.stdout + done.stderr
        self.tell(f"{command.partition('&& ')[2] or command}: exit status {done.returncode}")
        return done.returncode, valid("deploy" if "deploy" in command else command.split()[1], done.stdout)

    def until(self, what: str, ask: Callable[[], bool], within: float) -> None:
        end = time.monotonic() + within
        while not ask():
            assert time.monotonic() < end, f"{what}: not within {within:g} s\n{self.pods()}"
            time.sleep(1)
        self.tell(what)

    def pods(self) -> str:
        return self.lab.must("kubectl -n litellm get pods --no-headers")


@pytest.fixture
def story(lab: Lab) -> Story:
    lab.reset("2.3", modules=True)
    lab.must(f"printf '{ENVIRONMENT}' > /opt/modules/k8s/.env")
    return Story(lab)


@pytest.mark.lab
@pytest.mark.timeout(2400)
def test_the_story_of_the_note(story: Story) -> None:
    for line in BREAK:
        story.lab.must(line)
    time.sleep(2)
    story.tell("broken as in the note: firewalld forgot the pods, bridged packets bypass iptables")
    the_gate_refuses(story)
    deployed_all_the_same_the_pods_hang(story)
    repaired_all_modules_serve(story)
    the_repair_taken_back_they_fail_again(story)
    nothing_secret_was_written(story)


def the_gate_refuses(story: Story) -> None:
    status, said = story.run(DEPLOY)
    assert status == 1, said
    assert "gate: CLOSED" in said
    assert "nothing was deployed" in said
    assert "(firewalld-rejects-pods)" in said or "(bridge-netfilter-disabled)" in said
    assert story.lab.exec("kubectl get namespace litellm").returncode != 0


def deployed_all_the_same_the_pods_hang(story: Story) -> None:
    status, said = story.run(f"{DEPLOY} --force --timeout 45")
    assert status == 1, said
    assert "postgres does not resolve" in said
    assert "netdoctor check names what breaks the network" in said
    assert "1/1" in next(line for line in story.pods().splitlines() if line.startswith("postgres"))
    gateways = [line.split() for line in story.pods().splitlines() if line.startswith("litellm-")]
    assert len(gateways) == 6
    assert all(ready == "0/1" and "Init" in state for _, ready, state, *_ in gateways), gateways
    story.until("a pod of each module has given up once, as in the note", lambda: crashes(story) >= 5, 150)
    status, told = story.data("netdoctor status")
    assert status == 1
    assert all(m["ready"] == 0 for m in told["modules"])
    assert {"firewalld-rejects-pods", "bridge-netfilter-disabled"} <= {c["probe"] for c in told["causes"]}


def repaired_all_modules_serve(story: Story) -> None:
    status, said = story.run("netdoctor fix --yes")
    assert status == 0, said
    status, said = story.run("cd /opt/modules && netdoctor gate -k overlays/lab")
    assert status == 0, said

    status, whole = story.data(DEPLOY)
    assert status == 0, json.dumps(whole, indent=1)[-6000:]
    result = whole["result"]
    served = {s["module"]: {step["name"]: step for step in s["steps"]} for s in result["served"]}
    assert set(served) == set(MODULES)
    for module, steps in served.items():
        free = [] if module == "image-gen" else ["call", "replicas"]
        assert all(steps[name]["ok"] for name in ["readiness", "models", "wrong key", *free]), steps
    assert served["llm"]["replicas"]["observed"] == "2 replicas by address"
    assert {t["module"] for t in result["scraped"] if t["up"]} == set(MODULES)
    story.tell(f"where the time went: {result['seconds']}, until ready {result['rollout']['seconds']}")

    status, said = story.run(f"{DEPLOY} --images")
    assert status == 0, said
    assert "apply: nothing changes" in said
    assert "5 of 5 modules serve" in said
    assert re.search(r"✓ image-gen .*image \d", said), said


def the_repair_taken_back_they_fail_again(story: Story) -> None:
    lab = story.lab
    status, _ = story.run("netdoctor undo")
    assert status == 0
    story.until("a fresh pod fails again: the gate is closed", lambda: story.run("netdoctor gate")[0] == 1, 60)
    lab.must("kubectl -n litellm delete pod -l app.kubernetes.io/component=audio --wait=false --grace-period=1")
    lab.must("kubectl -n litellm delete pod -l app.kubernetes.io/name=prometheus --wait=false --grace-period=1")
    story.until("a module's new pod hangs", lambda: "Init:" in audio(story), 60)
    story.until("Prometheus, recreated, reaches none", lambda: up(lab) == 0, 120)


def nothing_secret_was_written(story: Story) -> None:
    lines = [line.partition("=") for line in story.lab.must("cat /opt/modules/k8s/.env").splitlines()]
    secrets = [value for name, _, value in lines if name.endswith(("_KEY", "_PASSWORD"))]
    assert len(secrets) >= 7
    assert CANARIES[0] in secrets
    journals = story.lab.must("cat /var/lib/netdoctor/runs/*")
    for secret in secrets:
        assert len(secret) > 8
        assert secret not in story.written + journals


def crashes(story: Story) -> int:
    """How many modules have a pod that was started again."""
    lines = [line.split() for line in story.pods().splitlines() if line.startswith("litellm-")]
    return len({name.rsplit("-", 2)[0] for name, _, _, restarts, *_ in lines if restarts != "0"})


def audio(story: Story) -> str:
    return "\n".join(line for line in story.pods().splitlines() if "audio" in line and "Terminating" not in line)


def up(lab: Lab) -> int:
    """How many targets Prometheus reaches; -1 while it does not answer. Without DNS it does not even find llm's."""
    path = "/api/v1/namespaces/litellm/services/prometheus:9090/proxy/api/v1/targets?state=active"
    done = lab.exec(f"kubectl get --raw '{path}'")
    if done.returncode:
        return -1
    found = json.loads(done.stdout)["data"]["activeTargets"]
    asked = [t for t in found if t["health"] != "unknown"]
    return sum(t["health"] == "up" for t in asked) if len(asked) >= len(MODULES) - 1 else -1
