"""Secrets planted all over a real node, and no command lets one out: healthy, broken, without an API server."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.conftest import ROOT, Lab

CANARIES = {
    place: f"cAnary{number}x9q7w5/z3+{place[:4]}"
    for number, place in enumerate(
        ("secret", "tenant", "environment", "token", "envfile", "corefile", "conflist", "waiting", "plugin", "litellm")
    )
}
PODS = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: tenant}}
---
apiVersion: v1
kind: Secret
metadata: {{name: postgres, namespace: default}}
stringData: {{password: "{CANARIES["secret"]}", url: "postgresql://app:{CANARIES["secret"]}@postgres:5432/app"}}
---
apiVersion: v1
kind: Secret
metadata: {{name: keys, namespace: tenant}}
stringData: {{whatever: "{CANARIES["tenant"]}"}}
---
apiVersion: v1
kind: Pod
metadata: {{name: leaky, namespace: default}}
spec:
  containers:
  - name: main
    image: IMAGE
    imagePullPolicy: Never
    command: ["/no\\nCAUSE forged token={CANARIES["waiting"]}"]
    env: [{{name: DATABASE_URL, value: "postgresql://app:{CANARIES["environment"]}@postgres:5432/app"}}]
"""
CONFIG = """
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:9", insecure-skip-tls-verify: true}}]
users: [{name: u, user: USER}]
"""
USERS = {
    "token": json.dumps({"token": f"{CANARIES['token']}\n:x"}),
    "plugin": json.dumps({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh", "interactiveMode": "Never",
        "args": ["-c", f"echo 'denied for {CANARIES['plugin']}' >&2; exit 1"],
    }}),
}  # fmt: skip
COMMANDS = (
    "check", "check -o json --report /tmp/out/report.json", "gate -k /tmp/co/k8s", "gate -o json",
    "record /tmp/out/facts.json", "status", "status -o json", "trace host node 10250 --svg /tmp/out/way.svg",
    "fix --dry-run", "fix --dry-run -o json", "undo --list", "undo --list -o json",
)  # fmt: skip
WITHOUT_API = ("check -o json --report /tmp/out/report.json", "gate", "record -", "status -o json", "fix --dry-run")


@pytest.fixture(scope="module")
def node(lab: Lab) -> Lab:
    lab.reset(modules=False)
    image = lab.must("kubectl get pod client -o jsonpath='{.spec.containers[0].image}'")
    lab.must(f"kubectl apply -f - <<'END'\n{PODS.replace('IMAGE', image)}END")
    more = f"x.invalid:53 {{\\n route53 x.invalid:Z1 {{\\n  aws_access_key A1 {CANARIES['corefile']}\\n }}\\n}}\\n"
    change = f"import json, sys; o = json.load(sys.stdin); o['data']['Corefile'] += '{more}'; print(json.dumps(o))"
    get, put = "kubectl -n kube-system get cm coredns -o json", "kubectl apply -f -"
    lab.must(f'{get} | /opt/netdoctor/bin/python -c "{change}" | {put}')
    lab.must(f"""sed -i '0,/"type"/s##"apiToken": "{CANARIES["conflist"]}", "type"#' /etc/cni/net.d/1-k8s.conflist""")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(ROOT / "k8s", "k8s")
    lab.must(
        f"mkdir -p /tmp/co /tmp/out; echo {base64.b64encode(packed.getvalue()).decode()} | base64 -d | tar xzC /tmp/co"
    )
    lab.must(
        f"cd /tmp/co/k8s && sed 's#=.*#={CANARIES['envfile']}#' .env.example > .env && chmod 600 .env; "
        f"for f in $(grep -rl model_list .); do printf '    api_key: \"sk-{CANARIES['litellm']}' >> $f; done"
    )
    for name, user in USERS.items():
        lab.must(f"umask 077; cat > /root/{name}.conf <<'END'\n{CONFIG.replace('USER', user)}END")
    return lab


def forms(secret: str) -> Iterator[str]:
    yield secret
    yield secret[:12]
    yield quote(secret, safe="")
    for before in range(3):
        text = base64.b64encode(b"\0" * before + secret.encode()).decode().rstrip("=")
        yield text[(0, 2, 3)[before] : -1]


def found_in(node: Lab, commands: tuple[str, ...], kubeconfig: str = "") -> list[tuple[str, str, str]]:
    """Which canaries each command lets out, and where."""
    keys = node.must("grep -o 'client-key-data: .*' /etc/kubernetes/admin.conf").split()[1]
    secrets = {**CANARIES, "client key": keys[200:240]}
    option = f" --kubeconfig {kubeconfig}" if kubeconfig else ""
    found = []
    for command in commands:
        done = node.exec(
            f"cd /tmp/co; netdoctor {command}{option if 'undo' not in command else ''}; echo status $? >&2"
        )
        said = done.stdout + done.stderr + node.must("cat /tmp/out/* 2>/dev/null; rm -f /tmp/out/*; true")
        assert "Traceback" not in said
        assert "status 2\n" not in said, said
        if "-o json" in command:
            json.loads(done.stdout)
        assert not any(line.startswith("CAUSE forged") for line in said.splitlines())
        found += [
            (command, place, next(line for line in said.splitlines() if form in line)[:200])
            for place, secret in secrets.items() for form in forms(secret) if form in said
        ]  # fmt: skip
    return found


@pytest.mark.lab
def test_a_healthy_node(node: Lab) -> None:
    assert found_in(node, COMMANDS) == []


@pytest.mark.lab
def test_a_broken_node(node: Lab) -> None:
    node.must("sysctl -w net.ipv4.ip_forward=0")
    try:
        assert found_in(node, (COMMANDS[0], "fix --dry-run", "record -")) == []
    finally:
        node.must("sysctl -w net.ipv4.ip_forward=1")


@pytest.mark.lab
@pytest.mark.parametrize("user", USERS)
def test_no_api_server(node: Lab, user: str) -> None:
    assert found_in(node, WITHOUT_API, f"/root/{user}.conf") == []
