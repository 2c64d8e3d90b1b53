"""The gate on a real node that has the modules' Postgres: each fault closes it, and healed it is open again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Lab
from tests.schemas import valid

PLACE, NAMESPACE = "/opt/modules", "litellm"
CANARY, WRONG = "canary-5f1d", "canary-wrong-7731"
ENVIRONMENT = "".join(
    [f"POSTGRES_PASSWORD=p{CANARY}\\n"]
    + [f"{m}_MASTER_KEY=sk-{m.lower()}-{CANARY}\\n" for m in ("LLM", "VISION", "AUDIO", "IMAGE_GEN", "EMBEDDINGS")]
    + [f"LITELLM_SALT_KEY=s{CANARY}\\n", "PROVIDER_BASE=http://example.com:8080/v1\\n", f"PROVIDER_KEY=k{CANARY}\\n"]
)
SAVE, RESTORE = "cp k8s/.env /tmp/env", "cp /tmp/env k8s/.env"
PSQL = "kubectl -n litellm exec postgres-0 -- psql -qh /tmp -U litellm -d postgres -c"
POSTGRES_UP = (
    "kubectl -n litellm scale statefulset postgres --replicas=1",
    "kubectl -n litellm rollout status statefulset postgres --timeout=60s",
)
HOLD = """import psycopg, sys, time
held = []
try:
    for _ in range(int(sys.argv[1])):
        held.append(psycopg.connect(host=sys.argv[2], user='litellm', password=sys.argv[3], dbname='litellm'))
except psycopg.OperationalError:
    pass
print('held', len(held), flush=True)
time.sleep(120)
"""


def hold(connections: int) -> str:
    """Shell lines that take so many connections of Postgres and keep them in the background."""
    return (
        "ip=$(kubectl -n litellm get service postgres -o jsonpath='{.spec.clusterIP}'); rm -f /tmp/held; "
        f"setsid /opt/netdoctor/bin/python /tmp/hold.py {connections} $ip p{CANARY} >/tmp/held 2>&1 & "
        "echo $! >/tmp/holder; "
        "for i in $(seq 100); do grep -q held /tmp/held && break; sleep 0.2; done; cat /tmp/held"
    )


def overlay(name: str, *lines: str) -> str:
    """Shell lines that make overlays/NAME upon the lab's."""
    text = "\\n".join(["kind: Kustomization", "resources: [../lab]", *lines])
    return f"mkdir -p overlays/{name} && printf '{text}\\n' > overlays/{name}/kustomization.yaml"


@dataclass(frozen=True)
class State:
    """How to break what, and what the gate has to say of it."""

    name: str
    verdict: str
    causes: tuple[str, ...] = ()  # the first of these comes first
    says: str = ""
    breaks: tuple[str, ...] = ()
    heals: tuple[str, ...] = ()
    outside: tuple[str, str] = ("", "")
    folder: str = "overlays/lab"
    need: str = ""  # one that is not met


STATES = [
    State("healthy", "open"),
    State("Postgres down", "closed", ("postgres-without-endpoints",), "statefulset/postgres is scaled to 0",
          ("kubectl -n litellm scale statefulset postgres --replicas=0",
           "kubectl -n litellm wait --for=delete pod/postgres-0 --timeout=60s"), POSTGRES_UP),
    State("password wrong", "closed", ("postgres-login-refused",), "(SQLSTATE 28P01)",
          (SAVE, f"sed -i 's/^POSTGRES_PASSWORD=.*/POSTGRES_PASSWORD={WRONG}/' k8s/.env"), (RESTORE,)),
    State("database missing", "closed", ("postgres-login-refused",),
          'for audio: FATAL: database "litellm_audio" does not exist (SQLSTATE 3D000)',
          (f"{PSQL} 'drop database litellm_audio with (force)'",), (f"{PSQL} 'create database litellm_audio'",)),
    State("too few slots", "closed", ("database-slots-exhausted",), "free connections for the modules, which may open",
          (hold(180),), ("kill $(cat /tmp/holder); sleep 1",), need="Postgres has free connections"),
    State("slots exhausted", "closed", ("database-slots-exhausted",), "has no free connection",
          (hold(220),), ("kill $(cat /tmp/holder); sleep 1",), need="Postgres accepts the login"),
    State("provider dead", "closed", ("provider-unreachable",),
          "example.com:8080, the provider of llm, vision, audio, image-gen, embeddings, does not accept connections",
          outside=("ip address del 93.184.215.14/32 dev lo", "ip address add 93.184.215.14/32 dev lo")),
    State("provider's name unknown", "closed", ("provider-name-unresolved",), "nowhere.example.com, the provider of",
          (SAVE, "sed -i 's#^PROVIDER_BASE=.*#PROVIDER_BASE=http://nowhere.example.com/v1#' k8s/.env"), (RESTORE,)),
    State("host's port taken", "closed", ("host-port-taken",), "port 4000 of the host, for module audio, is taken by",
          ("setsid /opt/netdoctor/bin/python -m http.server 4000 >/dev/null 2>&1 & echo $! > /tmp/taker; sleep 1",
           overlay("hosted", "patches:", "- target: {kind: Deployment, name: litellm-audio}",
                   '  patch: "- {op: add, path: /spec/template/spec/hostNetwork, value: true}"')),
          ("kill $(cat /tmp/taker); rm -r overlays/hosted",), folder="overlays/hosted"),
    State("DNS upstreams dead", "closed", ("coredns-upstream-dead",), "8.8.8.8",
          outside=("ip address del 8.8.8.8/32 dev lo; ip address del 1.1.1.1/32 dev lo",
                   "ip address add 8.8.8.8/32 dev lo; ip address add 1.1.1.1/32 dev lo")),
    State("NodePort taken", "closed", ("node-port-taken",),
          "NodePort 30300 of module audio belongs to Service default/thief",
          ("kubectl create service nodeport thief --tcp=80:80 --node-port=30300",), ("kubectl delete service thief",)),
    State("secret empty", "closed", ("secret-key-missing",), "key PROVIDER_KEY of Secret litellm/litellm-secrets-",
          (SAVE, "sed -i 's/^PROVIDER_KEY=.*/PROVIDER_KEY=/' k8s/.env"), (RESTORE,)),
    State("secret missing", "closed", ("secret-key-missing",), "is missing",
          (SAVE, "sed -i '/^PROVIDER_KEY/d' k8s/.env"), (RESTORE,)),
    State(".env missing", "closed", (), "k8s/.env is missing: netdoctor deploy makes one, or copy .env.example",
          (SAVE, "rm k8s/.env"), (RESTORE,), need="the required keys of Secrets exist"),
    State("image missing", "closed", ("image-not-obtainable",),
          "image lab.local/litellm:0.0.0 for litellm-audio, litellm-embeddings, litellm-image-gen, litellm-llm, "
          "litellm-vision is not available: it is not on the node, and lab.local does not resolve on the host",
          (overlay("imageless", "images: [{name: lab.local/litellm, newTag: 0.0.0}]"),), ("rm -r overlays/imageless",),
          folder="overlays/imageless"),
    State("NetworkPolicy without DNS", "closed", ("policy-isolates-modules",), "read from the objects",
          (overlay("mute", "patches:", "- target: {kind: NetworkPolicy, name: litellm-llm}",
                   '  patch: "- {op: replace, path: /spec/egress, value: []}"'),), ("rm -r overlays/mute",),
          folder="overlays/mute"),
    State("the note", "closed", ("bridge-netfilter-disabled", "firewalld-rejects-pods"), "",
          ("firewall-cmd -q --reload", "sysctl -qw net.bridge.bridge-nf-call-iptables=0", "sleep 2"),
          ("netdoctor fix --yes",)),
    State("API server dead", "not verified", ("api-server-unreachable",), "the API server does not answer",
          ("mv /etc/kubernetes/manifests/kube-apiserver.yaml /etc/kubernetes/kube-apiserver.yaml",
           "while curl -sk -o /dev/null --max-time 1 https://10.77.0.2:8443/livez; do sleep 0.3; done"),
          ("mv /etc/kubernetes/kube-apiserver.yaml /etc/kubernetes/manifests/kube-apiserver.yaml",)),
]  # fmt: skip


class Node:
    """The node, with everything that the gate has written on it."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.written = lab, ""

    def must(self, command: str) -> str:
        return self.lab.must(f"cd {PLACE} && {{ {command}\n}}")

    def gate(self, folder: str = "overlays/lab", *, text: bool = False) -> tuple[int, Any]:
        form = "" if text else "-o json"
        done = self.lab.exec(f"cd {PLACE} && netdoctor gate -k {folder} {form}")
        assert "Traceback" not in done.stderr, done.stderr
        self.written += done.stdout + done.stderr
        return done.returncode, done.stdout if text else valid("gate", done.stdout)

    def opens(self, within: float = 120) -> None:
        end = time.monotonic() + within
        while True:
            status, gate = self.gate()
            if status == 0:
                return
            assert time.monotonic() < end, story(gate)
            time.sleep(1)


def story(gate: dict[str, Any]) -> str:
    """What a failed assertion should show."""
    lines = [f"{need['met']} {need['name']}: {need['reason']}" for need in gate["needs"] if need["met"] != "yes"]
    lines += [f"because: {cause['probe']}: {cause['says']}" for cause in gate["causes"]]
    return "\n".join([gate["verdict"], gate["reason"], *lines])


@pytest.fixture(scope="module")
def empty(lab: Lab) -> Node:
    """The manifests with their keys, and nothing of them in the cluster."""
    lab.reset("2.3", modules=True)
    node = Node(lab)
    node.must(f"printf '{ENVIRONMENT}' > k8s/.env && cat > /tmp/hold.py <<'END'\n{HOLD}END")
    return node


@pytest.fixture(scope="module")
def node(empty: Node) -> Iterator[Node]:
    """Postgres of the modules deployed, with its Secret and its volume."""
    empty.must("kubectl create namespace litellm && kubectl kustomize overlays/lab > /tmp/all.yaml")
    chosen = "kind in ('Secret', 'PersistentVolume') or name.startswith('postgres') and kind != 'NetworkPolicy'"
    empty.must(
        "/opt/netdoctor/bin/python -c \"import yaml\nfor d in yaml.safe_load_all(open('/tmp/all.yaml')):\n"
        f"    kind, name = d['kind'], d['metadata']['name']\n    if {chosen}: print('---'); print(yaml.dump(d))\" "
        "> /tmp/postgres.yaml && kubectl apply --server-side -f /tmp/postgres.yaml"
    )
    empty.must(POSTGRES_UP[1])
    empty.opens()
    yield empty
    assert CANARY not in empty.written
    assert WRONG not in empty.written


@pytest.mark.lab
def test_a_first_deployment_brings_its_postgres(empty: Node) -> None:
    status, gate = empty.gate()
    assert status == 0, story(gate)
    later = {need["name"]: need["reason"] for need in gate["needs"] if need["met"] == "later"}
    assert later["Postgres accepts the login"] == "Service litellm/postgres comes with the deployment"
    assert "Postgres has free connections" in later
    assert gate["asked_from"].startswith("test pod default/netdoctor-")


@pytest.mark.lab
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_state(state: State, node: Node) -> None:
    try:
        for line in state.breaks:
            node.must(line)
        if state.outside[0]:
            assert node.lab.outside(state.outside[0]).returncode == 0
        status, gate = node.gate(state.folder)
        _, text = node.gate(state.folder, text=True)
    finally:
        if state.outside[1]:
            node.lab.outside(state.outside[1])
        for line in state.heals:
            node.must(line)
    assert gate["schema_version"] == 2
    assert gate["verdict"] == state.verdict, story(gate)
    assert status == {"open": 0, "closed": 1, "not verified": 3}[state.verdict]
    assert text.startswith(f"gate: {state.verdict.upper()}")
    probes = [cause["probe"] for cause in gate["causes"]]
    assert sorted(probes) == sorted(state.causes), story(gate)
    assert state.says in f"{gate['reason']} {gate['causes']} {gate['needs']}", story(gate)
    assert state.says in text.replace("\n", " ") or not state.says
    assert gate["reason"] or state.verdict == "open"
    if state.need:
        assert next(n["met"] for n in gate["needs"] if n["name"] == state.need) == "no", story(gate)
    if state.verdict == "open":
        assert f"tested from test pod {NAMESPACE}/netdoctor-" in text
        assert "with the labels of deployment/litellm-llm" in text
        assert {need["met"] for need in gate["needs"]} == {"yes"}
    node.opens()


@pytest.mark.lab
def test_the_test_pod_is_no_endpoint_and_nobody_adopts_it(node: Node) -> None:
    node.must(
        "/opt/netdoctor/bin/python -c \"import yaml\nfor d in yaml.safe_load_all(open('/tmp/all.yaml')):\n"
        "    if d['metadata']['name'].startswith('litellm-llm') and d['kind'] != 'NetworkPolicy': "
        "print('---'); print(yaml.dump(d))\" > /tmp/llm.yaml && kubectl apply --server-side -f /tmp/llm.yaml"
    )
    try:
        seen = json.loads(node.must(f"/opt/netdoctor/bin/python - <<'END'\n{WATCH_POD}END"))
    finally:
        node.must("kubectl delete -f /tmp/llm.yaml --wait=false")
    assert "True" in seen["containers"], "its container never became ready: nothing was shown"
    assert seen["ready"] == ["False"]
    assert seen["endpoint"] == [False]
    assert seen["owners"] == []
    assert seen["left"] == [], "the test pod is still there"


# hold a test pod for as long as its container takes to become ready, and look at what picks it
WATCH_POD = """import json, subprocess, time
from netdoctor.facts import Facts
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.gateways.kustomization import Kustomization

def get(*what):
    return json.loads(subprocess.run(["kubectl", "-n", "litellm", "get", *what, "-o", "json"], capture_output=True,
                                     check=True).stdout)

facts = Facts({Kustomization: Kustomization.build("overlays/lab")})
pod = facts.get(NewPod)
seen = {"containers": set(), "ready": set(), "endpoint": set(), "owners": set()}
# some seconds beyond the moment at which a Service could have taken it for its own
end = time.monotonic() + 60
while time.monotonic() < end:
    now = get("pod", pod.name)
    conditions = {c["type"]: c["status"] for c in now["status"].get("conditions", ())}
    if conditions.get("ContainersReady") == "True" and "True" not in seen["containers"]:
        end = time.monotonic() + 4
    seen["containers"].add(conditions.get("ContainersReady", ""))
    seen["ready"].add(conditions.get("Ready", "False"))
    seen["owners"] |= {o["name"] for o in now["metadata"].get("ownerReferences", ())}
    for part in get("endpointslices", "-l", "kubernetes.io/service-name=litellm-llm")["items"]:
        for endpoint in part.get("endpoints") or ():
            if endpoint["targetRef"]["name"] == pod.name:
                seen["endpoint"].add(endpoint["conditions"]["ready"])
facts.close()
left = [p["metadata"]["name"] for p in get("pods", "-l", "app.kubernetes.io/managed-by=netdoctor")["items"]
        if "deletionTimestamp" not in p["metadata"]]
print(json.dumps({**{k: sorted(v) for k, v in seen.items()}, "left": left}))
"""
