"""The verdict from results, and its words: on facts built by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from netdoctor.diagnosis.diagnose import diagnose
from netdoctor.diagnosis.gate import NEEDS, Gate, Need, Verdict, ask, judge
from netdoctor.diagnosis.runner import run
from netdoctor.errors import BadInput, CannotRead, NetdoctorError
from netdoctor.facts import Facts
from netdoctor.facts.cluster.this_node import NO_NODE, ThisNode
from netdoctor.facts.gateways.kustomization import MISSING_ENV, EnvMissing, Kustomization
from netdoctor.facts.traffic.postgres import TCP, Postgres
from netdoctor.output.gate_json import gate_document
from netdoctor.output.gate_text import render
from netdoctor.output.json_text import as_data, json_text
from tests.builders import DOWN, REFUSED, SILENT, postgres, reach, services, slices, sysctls, workloads
from tests.conftest import ROOT
from tests.gateways.module_builders import images, modules, policy_answers, provider, servers
from tests.worlds import catalogue, world

DEPLOYABLE = (modules(), provider(), servers("llm"), postgres(used=5), images(present=True), policy_answers())
NETWORK_ONLY = 14  # needs of a node without modules


def gate(*changed: object, facts: Facts | None = None, unbuilt: NetdoctorError | None = None) -> Gate:
    facts = facts or world(*changed)
    results = run(catalogue(), facts)
    return judge(results, diagnose(catalogue(), results), facts.known(), 1.0, unbuilt)


def met(judged: Gate) -> dict[str, str]:
    return {need.name: need.met for need in judged.needs}


def test_every_need_is_asked_by_a_probe() -> None:
    assert set(NEEDS) <= set(catalogue().probes)


def test_without_modules_the_network_is_judged() -> None:
    judged = gate()
    assert (judged.verdict, len(judged.needs), judged.modules, judged.source) == (Verdict.OPEN, NETWORK_ONLY, (), "")
    assert judged.asked_from == "test pod default/netdoctor-1"


def test_with_modules_all_of_it() -> None:
    judged = gate(*DEPLOYABLE)
    assert (judged.verdict, judged.reason, judged.modules) == (Verdict.OPEN, "", ("llm",))
    assert set(met(judged).values()) == {"yes"}
    assert {
        "Postgres accepts the login",
        "the required keys of Secrets exist",
        "the providers accept connections",
    } <= met(judged).keys()
    assert "the ports of the host are free" not in met(judged)  # nobody wants one


def test_the_cause_of_what_is_missed_comes_first() -> None:
    judged = gate(*DEPLOYABLE, provider(REFUSED))
    assert judged.verdict is Verdict.CLOSED
    assert [d.cause.probe for d in judged.causes] == ["provider-unreachable"]
    assert judged.reason.startswith("example.com:8080, the provider of llm")


def test_a_warning_does_not_close_it() -> None:
    assert gate(*DEPLOYABLE, policy_answers("TCP")).verdict is Verdict.OPEN
    assert gate(*DEPLOYABLE, policy_answers("TCP", "UDP")).verdict is Verdict.CLOSED


def test_postgres_that_comes_with_the_deployment() -> None:
    later = Postgres((), (), "", (), ("litellm/postgres",))
    judged = gate(*DEPLOYABLE, servers(later=("litellm/postgres",)), later)
    assert judged.verdict is Verdict.OPEN
    assert [name for name, state in met(judged).items() if state == "later"] == [
        "the name of Postgres resolves", "Postgres accepts connections", "Postgres speaks its protocol",
        "Postgres accepts the login", "Postgres has free connections", "Postgres answers a query",
    ]  # fmt: skip
    assert "  + Postgres accepts the login: Service litellm/postgres comes with the deployment" in render(judged)


def test_modules_without_a_database_need_no_postgres() -> None:
    judged = gate(*DEPLOYABLE, servers(later=("x",)), Postgres((), (), ""))
    assert judged.verdict is Verdict.OPEN
    assert "Postgres accepts the login" not in met(judged)


def test_no_postgres_and_no_modules_closes_it() -> None:
    judged = gate(postgres(services=False), services("postgres"), slices("default/postgres"), workloads())
    assert (judged.verdict, met(judged)["Postgres accepts the login"]) == (Verdict.CLOSED, "no")


def test_what_could_not_be_asked_is_not_verified() -> None:
    judged = gate(facts=world(*DEPLOYABLE, unread=DOWN))
    assert judged.verdict is Verdict.NOT_VERIFIED
    assert judged.reason == "the API server does not answer: connection refused"
    assert met(judged)["the NodePorts are free"] == "unknown"


def test_keys_that_are_not_there_yet_close_it_and_the_network_is_asked_all_the_same() -> None:
    judged = gate(*DEPLOYABLE, unbuilt=EnvMissing("k8s"))
    assert judged.verdict is Verdict.CLOSED
    assert judged.reason == "k8s/.env is missing: netdoctor deploy makes one, or copy .env.example"
    assert [need.name for need in judged.needs].count("the required keys of Secrets exist") == 1
    assert render(judged)[-1] == f"CAUSE  {judged.reason}"


def test_manifests_that_nobody_could_read_are_not_verified() -> None:
    judged = gate(unbuilt=BadInput("kubectl: neither kubectl nor minikube is installed"))
    assert (judged.verdict, judged.reason) == (
        Verdict.NOT_VERIFIED, "kubectl: neither kubectl nor minikube is installed",
    )  # fmt: skip


def test_in_words() -> None:
    lines = render(gate(*DEPLOYABLE, sysctls(bridge_nf_call="0"), reach(cluster_ip=SILENT)))
    assert lines[0] == "gate: CLOSED"
    assert lines[1] == "  tested from test pod default/netdoctor-1"
    assert lines[2] == "  for llm in namespace litellm, as described in k8s"
    assert any(line.startswith("  ✗ ") and "connections to ClusterIPs are not accepted" in line for line in lines)
    assert not any("ClusterIPs answer" in line for line in lines), "what fails is said once"
    assert lines[-2].startswith("CAUSE  net.bridge.bridge-nf-call-iptables is 0")
    assert lines[-1] == "  fix    sudo netdoctor fix --dry-run"


@pytest.mark.parametrize("judged", [gate(*DEPLOYABLE), gate(*DEPLOYABLE, provider(REFUSED)), gate()])
def test_as_json(judged: Gate) -> None:
    told = json.loads(json_text(as_data(gate_document(judged, "/root/.kube/config"))))
    assert list(told) == ["verdict", "reason", "needs", "causes", "source", "namespace", "modules", "asked_from",
                          "seconds", "kubeconfig", "schema_version"]  # fmt: skip
    assert told["schema_version"] == 2
    assert {need["met"] for need in told["needs"]} <= {"yes", "no", "unknown", "later"}


def test_kustomize_s_words_for_a_missing_file() -> None:
    said = (
        "error: loading KV pairs: env source files: [.env]: evalsymlink failure on '/a/k8s/.env' : lstat /a/k8s/.env: "
        "no such file or directory"
    )
    found = MISSING_ENV.search(said)
    assert found
    assert found[1] == "/a/k8s/.env"


BAD = {"no such folder": "/nonexistent", "empty name": "", "a folder without one": "/", "a file": "/etc/hostname"}


@pytest.mark.parametrize("kind", list(BAD))
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_kustomization_that_is_none(kind: str, form: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from netdoctor.cli import main; main()", "gate", "-k", BAD[kind], "-o", form],
        check=False, capture_output=True, text=True, timeout=30, cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "KUBECONFIG": "/nonexistent", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "kustomization.yaml" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert form == "text" or "kustomization.yaml" in json.loads(done.stdout)["error"]


def test_manifests_without_a_gateway_open_no_gate() -> None:
    config = {"kind": "ConfigMap", "metadata": {"name": "litellm-llm"}}
    with pytest.raises(BadInput, match="k8s has no workload of LiteLLM"):
        ask(Kustomization("k8s", (config,)))


def test_a_reason_that_several_share_is_told_once() -> None:
    needs = (Need("first", "yes", ""), *(Need(name, "unknown", "no pods") for name in "abc"), Need("d", "unknown", "x"))
    lines = render(replace(gate(), verdict=Verdict.NOT_VERIFIED, reason="no pods", needs=needs))
    assert lines[2] == "  no gateway modules: only what every pod needs was tested"
    assert lines[3:] == [
        "  ✓ first", "  ? 3 needs could not be checked: no pods", "    a, b, c", "  ? d: not tested: x",
        "COULD NOT TELL  no pods",
    ]  # fmt: skip


def test_needs_that_wait_for_another_stand_together_with_its_fault() -> None:
    lines = render(gate(*DEPLOYABLE, postgres(TCP, "refused")))
    place = lines.index("  ? 4 needs could not be checked: Postgres does not accept connections")
    assert lines[place + 1].lstrip().startswith("Postgres speaks its protocol, Postgres accepts the login, ")


def test_without_node_and_cluster_it_is_said_once() -> None:
    why = CannotRead("this node", NO_NODE.format(nodes="kubeconfig: none that can be read: /a"))
    lines = render(gate(facts=world(unread={ThisNode: why})))
    assert sum("none that can be read" in line for line in lines) == 1
    assert "CANNOT CHECK  this is not a Kubernetes node, or not one that netdoctor can read" in lines
    assert any(line.endswith("needs could not be checked") for line in lines)
