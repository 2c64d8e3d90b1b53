"""k8s/ and overlays/: what the files say, and what the API server and the linters say of them."""

from __future__ import annotations

import copy
import functools
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from netdoctor.modules import env_file
from tests.conftest import LAB, ROOT, Lab

Object = dict[str, Any]

K8S, LINT = ROOT / "k8s", ROOT / "scripts/lint-manifests"
FOLDERS = ("k8s", "overlays/lab", "overlays/host-network")
NAMESPACE = "litellm"
# the hand-over note's table: NodePort, replicas, mode, models
MODULES: dict[str, tuple[int, int, str, list[str]]] = {
    "llm": (30100, 2, "chat", ["gpt-4.1", "deepseek", "qwen", "llama", "gpt-oss"]),
    "vision": (30200, 1, "chat", ["gpt-4-vision", "llava", "bakllava", "vision-general"]),
    "audio": (30300, 1, "audio_transcription", ["whisper", "whisper-large", "speech-to-text"]),
    "image-gen": (30400, 1, "image_generation", ["dall-e-3", "stable-diffusion", "image-gen"]),
    "embeddings": (30500, 1, "embedding", ["text-embedding-ada-002", "nomic-embed-text", "all-minilm"]),
}
WORKLOADS = [*(f"litellm-{module}" for module in MODULES), "postgres", "prometheus"]
MINUTES_TO_MIGRATE = 5
POSTGRES_SLOTS, RESERVED = 200, 3


def variable(module: str) -> str:
    return module.upper().replace("-", "_")


def documents(path: Path) -> list[Object]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@functools.cache
def sources() -> dict[str, list[Object]]:
    return {path.name: documents(path) for path in sorted(K8S.glob("*.yaml"))}


def objects(kind: str) -> list[Object]:
    return [o for found in sources().values() for o in found if o["kind"] == kind]


def one(kind: str, name: str) -> Object:
    (found,) = [o for o in objects(kind) if o["metadata"]["name"] == name]
    return found


def workload(name: str) -> Object:
    return one("StatefulSet" if name == "postgres" else "Deployment", name)


def pod(name: str) -> Object:
    spec: Object = workload(name)["spec"]["template"]["spec"]
    return spec


def containers(name: str) -> list[Object]:
    return [*pod(name).get("initContainers", []), *pod(name)["containers"]]


def environment(container: Object) -> dict[str, Any]:
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in container.get("env", [])}


def labels_of(name: str) -> dict[str, str]:
    app = "litellm" if name.startswith("litellm-") else name
    found = {"app.kubernetes.io/name": app, "app.kubernetes.io/part-of": "litellm-modules"}
    return found | ({"app.kubernetes.io/component": name.removeprefix("litellm-")} if app == "litellm" else {})


def secret_keys() -> set[tuple[str, str]]:
    """Name and key of every Secret that a pod reads."""
    found = set()
    for name in WORKLOADS:
        for container in containers(name):
            for value in environment(container).values():
                if isinstance(value, dict):
                    found.add((value["secretKeyRef"]["name"], value["secretKeyRef"]["key"]))
        for volume in pod(name).get("volumes", []):
            for item in volume.get("secret", {}).get("items", []):
                found.add((volume["secret"]["secretName"], item["key"]))
    return found


def config(module: str) -> Object:
    loaded: Object = yaml.safe_load(one("ConfigMap", f"litellm-{module}")["data"]["config.yaml"])
    return loaded


# the files


def test_twenty_two_files_named_as_in_the_note() -> None:
    parts = ("configmap", "deployment", "service")
    wanted = {f"litellm-{module}-{part}.yaml" for module in MODULES for part in parts}
    wanted |= {f"postgres-{part}.yaml" for part in ("configmap", "statefulset", "service")}
    wanted |= {f"prometheus-{part}.yaml" for part in parts}
    assert set(sources()) == wanted | {"kustomization.yaml"}
    assert len(sources()) == 22
    (kustomization,) = sources()["kustomization.yaml"]
    assert sorted(kustomization["resources"]) == sorted(wanted)
    assert kustomization["namespace"] == NAMESPACE


def test_each_file_holds_what_its_name_says() -> None:
    for name, found in sources().items():
        if name != "kustomization.yaml":
            module, _, part = name.removesuffix(".yaml").rpartition("-")
            assert found[0]["kind"].lower() == part
            assert found[0]["metadata"]["name"] == ("postgres-init" if name == "postgres-configmap.yaml" else module)


def test_every_object_has_its_labels_and_no_namespace_of_its_own() -> None:
    for name, found in sources().items():
        for o in found:
            if o["kind"] != "Kustomization":
                assert o["metadata"]["labels"] == labels_of(name.rpartition("-")[0]), name
                assert "namespace" not in o["metadata"], name
    for name in WORKLOADS:
        spec = workload(name)["spec"]
        assert spec["template"]["metadata"]["labels"] == labels_of(name)
        assert spec["selector"]["matchLabels"].items() <= labels_of(name).items()


# keys


def test_git_ignores_the_keys() -> None:
    ignored = subprocess.run(["git", "check-ignore", "-q", "k8s/.env"], cwd=ROOT, check=False, timeout=10)
    if ignored.returncode == 128:
        pytest.skip("this is no checkout of git")
    assert ignored.returncode == 0
    listed = subprocess.run(
        ["git", "ls-files", "k8s", "overlays"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=10
    ).stdout.split()
    assert "k8s/.env.example" in listed
    assert not [name for name in listed if name.endswith(".env")]


def test_the_example_names_every_key_in_use_and_holds_none(checkout: Path) -> None:
    (checkout / "k8s/.env").unlink()
    (example,) = env_file.find(str(checkout / "overlays/lab"))
    assert not example.exists
    assert {("litellm-secrets", key) for key in example.values} == secret_keys()
    assert {key: value for key, value in example.values.items() if value} == {
        "PROVIDER_BASE": "https://api.openai.com/v1"
    }
    assert set(example.to_make) == set(example.values) - {"PROVIDER_BASE", "PROVIDER_KEY"}
    assert example.to_ask == ("PROVIDER_KEY",)


def test_every_key_of_the_example_has_its_words() -> None:
    lines = (K8S / ".env.example").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if "=" in line and not line.startswith("#"):
            assert before.startswith("# "), line


def test_no_manifest_holds_a_key() -> None:
    for path in [*K8S.rglob("*.yaml"), *(ROOT / "overlays").rglob("*.yaml")]:
        assert not re.search(r"sk-[a-z0-9]", path.read_text()), path
    for name in WORKLOADS:
        for container in containers(name):
            for key, value in environment(container).items():
                assert isinstance(value, dict) == (re.search(r"KEY|PASSWORD|PROVIDER", key) is not None), key


def test_the_keys_come_from_one_generated_secret_with_a_hash_in_its_name() -> None:
    (kustomization,) = sources()["kustomization.yaml"]
    (generator,) = kustomization["secretGenerator"]
    assert (generator["name"], generator["envs"]) == ("litellm-secrets", [".env"])
    assert not generator["options"].get("disableNameSuffixHash")
    assert "generatorOptions" not in kustomization
    assert not objects("Secret")


# the gateways


@pytest.mark.parametrize("module", MODULES)
class TestModule:
    def test_its_models_are_the_notes(self, module: str) -> None:
        _, _, mode, models = MODULES[module]
        listed = config(module)["model_list"]
        assert [entry["model_name"] for entry in listed] == models
        for entry in listed:
            assert entry.get("model_info", {}).get("mode", "chat") == mode
            assert entry["litellm_params"] == {
                "model": f"openai/{entry['model_name']}",
                "api_base": "os.environ/PROVIDER_BASE",
                "api_key": "os.environ/PROVIDER_KEY",
            }

    def test_what_its_config_takes_from_the_environment_is_there(self, module: str) -> None:
        names = re.findall(r"os\.environ/(\w+)", json.dumps(config(module)))
        assert {"LITELLM_MASTER_KEY", "PROVIDER_BASE", "PROVIDER_KEY"} == set(names)
        assert set(names) <= set(environment(containers(f"litellm-{module}")[1]))
        assert config(module)["general_settings"]["master_key"] == "os.environ/LITELLM_MASTER_KEY"
        assert config(module)["litellm_settings"]["callbacks"] == ["prometheus"]

    def test_it_has_a_master_key_of_its_own(self, module: str) -> None:
        found = environment(containers(f"litellm-{module}")[1])["LITELLM_MASTER_KEY"]
        assert found == {"secretKeyRef": {"name": "litellm-secrets", "key": f"{variable(module)}_MASTER_KEY"}}

    def test_its_node_port_leads_to_its_port(self, module: str) -> None:
        service = one("Service", f"litellm-{module}")["spec"]
        assert service["type"] == "NodePort"
        (port,) = service["ports"]
        assert (port["nodePort"], port["port"]) == (MODULES[module][0], 4000)
        main = pod(f"litellm-{module}")["containers"][0]
        assert {"name": port["targetPort"], "containerPort": 4000} in main["ports"]
        assert main["args"] == ["--config", "/etc/litellm/config.yaml", "--port", "4000"]
        labels = labels_of(f"litellm-{module}")
        assert service["selector"].items() <= labels.items()
        assert service["selector"]["app.kubernetes.io/component"] == module

    def test_its_replicas_and_how_they_are_replaced(self, module: str) -> None:
        spec = workload(f"litellm-{module}")["spec"]
        assert spec["replicas"] == MODULES[module][1]
        assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}

    def test_it_waits_for_and_uses_a_database_of_its_own(self, module: str) -> None:
        wait, main = containers(f"litellm-{module}")
        name = f"litellm_{module.replace('-', '_')}"
        password = {"secretKeyRef": {"name": "litellm-secrets", "key": "POSTGRES_PASSWORD"}}
        asks, uses = environment(wait), environment(main)
        assert (asks["PGHOST"], asks["PGDATABASE"], asks["PGPASSWORD"]) == ("postgres", name, password)
        assert uses["DATABASE_HOST"] == "postgres:5432"
        assert (uses["DATABASE_NAME"], uses["DATABASE_PASSWORD"]) == (name, password)
        assert asks["PGUSER"] == uses["DATABASE_USERNAME"] == environment(containers("postgres")[0])["POSTGRES_USER"]
        assert f"create database {name};" in one("ConfigMap", "postgres-init")["data"]["databases.sql"]

    def test_its_probes_ask_what_needs_no_key(self, module: str) -> None:
        main = pod(f"litellm-{module}")["containers"][0]
        paths = {kind: main[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
        assert paths == {
            "startup": "/health/readiness",
            "readiness": "/health/readiness",
            "liveness": "/health/liveliness",
        }
        startup = main["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= MINUTES_TO_MIGRATE * 60
        assert main["readinessProbe"]["timeoutSeconds"] > 4  # its own look at the database takes up to 4 s

    def test_its_policy_lets_through_what_it_needs(self, module: str) -> None:
        policy = one("NetworkPolicy", f"litellm-{module}")["spec"]
        assert policy["podSelector"]["matchLabels"] == {
            key: value for key, value in labels_of(f"litellm-{module}").items() if not key.endswith("part-of")
        }
        assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": 4000}]}]
        dns, postgres, provider = policy["egress"]
        assert_dns(dns)
        assert postgres == {
            "to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "postgres"}}}],
            "ports": [{"protocol": "TCP", "port": 5432}],
        }
        assert provider["ports"] == [{"protocol": "TCP"}]
        blocks = {peer["ipBlock"]["cidr"]: peer["ipBlock"]["except"] for peer in provider["to"]}
        assert blocks.keys() == {"0.0.0.0/0", "::/0"}
        assert "169.254.0.0/16" in blocks["0.0.0.0/0"]


def assert_dns(rule: Object) -> None:
    assert {(p["protocol"], p["port"]) for p in rule["ports"]} == {("UDP", 53), ("TCP", 53)}
    assert {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    } in rule["to"]


# every pod


@pytest.mark.parametrize("name", WORKLOADS)
class TestPod:
    def test_it_is_locked_down(self, name: str) -> None:
        spec = pod(name)
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["terminationGracePeriodSeconds"] >= 30
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(name):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }

    def test_its_images_are_pinned(self, name: str) -> None:
        for container in containers(name):
            assert re.fullmatch(r"[a-z.]+/[a-z/_-]+:v?\d+(\.\d+)+", container["image"]), container["image"]
            assert container["imagePullPolicy"] == "IfNotPresent"

    def test_its_resources_have_bounds(self, name: str) -> None:
        for container in containers(name):
            for bound in ("requests", "limits"):
                assert container["resources"][bound].keys() == {"cpu", "memory"}
        for volume in pod(name).get("volumes", []):
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"], volume

    def test_every_probe_has_its_time_limit(self, name: str) -> None:
        main = pod(name)["containers"][0]
        for kind in ("startup", "readiness", "liveness"):
            assert main[f"{kind}Probe"].keys() >= {"periodSeconds", "timeoutSeconds", "failureThreshold"}
            assert main[f"{kind}Probe"]["timeoutSeconds"] > 1

    def test_every_mounted_volume_and_named_port_exists(self, name: str) -> None:
        volumes = {v["name"] for v in pod(name).get("volumes", [])}
        volumes |= {v["metadata"]["name"] for v in workload(name)["spec"].get("volumeClaimTemplates", [])}
        for container in containers(name):
            assert {m["name"] for m in container.get("volumeMounts", [])} <= volumes
            ports = {p["name"] for p in container.get("ports", [])}
            asked = [v["httpGet"]["port"] for k, v in container.items() if k.endswith("Probe") and "httpGet" in v]
            assert set(asked) <= ports

    def test_a_policy_of_its_own_covers_both_directions(self, name: str) -> None:
        policy = one("NetworkPolicy", name)["spec"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert policy["podSelector"]["matchLabels"].items() <= labels_of(name).items()


# what they share


@pytest.mark.parametrize("name", [name for name in WORKLOADS if name != "postgres"])
def test_a_new_config_gets_a_new_name(name: str) -> None:
    found = one("ConfigMap", name)
    assert found["metadata"]["annotations"] == {"internal.config.kubernetes.io/needsHashSuffix": "enabled"}
    assert found["immutable"]


def test_another_list_of_databases_restarts_nothing() -> None:
    assert "annotations" not in one("ConfigMap", "postgres-init")["metadata"]


def test_postgres_has_slots_for_every_replica_and_a_rolling_update_of_all() -> None:
    pods = sum(replicas + 1 for _, replicas, _, _ in MODULES.values())
    pools = {config(module)["general_settings"]["database_connection_pool_limit"] for module in MODULES}
    assert f"max_connections={POSTGRES_SLOTS}" in containers("postgres")[0]["args"]
    assert pods * max(pools) <= POSTGRES_SLOTS - RESERVED


def test_postgres_is_open_to_the_gateways_alone() -> None:
    policy = one("NetworkPolicy", "postgres")["spec"]
    assert policy["ingress"] == [
        {
            "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "litellm"}}}],
            "ports": [{"protocol": "TCP", "port": 5432}],
        }
    ]
    assert "egress" not in policy  # none; an empty list would be a difference at every deployment
    service = one("Service", "postgres")["spec"]
    assert (service["type"], service["ports"][0]["port"]) == ("ClusterIP", 5432)


def test_postgres_counts_as_ready_over_tcp_only() -> None:
    (main,) = containers("postgres")
    for kind in ("startup", "readiness", "liveness"):
        assert main[f"{kind}Probe"]["exec"]["command"] == ["pg_isready", "-q", "-h", "127.0.0.1"]
    assert environment(main)["PGDATA"].startswith("/var/lib/postgresql/data/")


def test_prometheus_scrapes_all_five_with_their_keys() -> None:
    jobs = yaml.safe_load(one("ConfigMap", "prometheus")["data"]["prometheus.yml"])["scrape_configs"]
    assert [job["job_name"] for job in jobs] == [f"litellm-{module}" for module in MODULES]
    mounts = {m["name"]: m["mountPath"] for m in containers("prometheus")[0]["volumeMounts"]}
    (keys,) = [v["secret"] for v in pod("prometheus")["volumes"] if "secret" in v]
    files = {f"{mounts['keys']}/{item['path']}": item["key"] for item in keys["items"]}
    for job, module in zip(jobs, MODULES, strict=True):
        assert job["metrics_path"] == "/metrics/"
        assert files[job["authorization"]["credentials_file"]] == f"{variable(module)}_MASTER_KEY"
        if MODULES[module][1] > 1:
            ((record,),) = [d["names"] for d in job["dns_sd_configs"]]
            port, protocol, service = record.split(".")
            replicas = one("Service", service)["spec"]
            assert replicas["clusterIP"] == "None"
            assert (f"_{replicas['ports'][0]['name']}", "_tcp") == (port, protocol)
            assert replicas["selector"] == one("Service", f"litellm-{module}")["spec"]["selector"]
        else:
            assert job["static_configs"] == [{"targets": [f"litellm-{module}:4000"], "labels": {"module": module}}]


def test_prometheus_is_open_to_its_namespace_alone() -> None:
    policy = one("NetworkPolicy", "prometheus")["spec"]
    assert policy["ingress"] == [{"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 9090}]}]
    dns, gateways = policy["egress"]
    assert_dns(dns)
    assert gateways["to"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "litellm"}}}]
    assert gateways["ports"] == [{"protocol": "TCP", "port": 4000}]
    assert one("Service", "prometheus")["spec"]["type"] == "ClusterIP"


def test_a_drain_takes_one_replica_of_llm_at_a_time() -> None:
    (budget,) = objects("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels_of("litellm-llm").items()
    assert budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == "llm"


# what kustomize makes of them


def kubectl() -> str:
    found = shutil.which("kubectl")
    if not found:
        pytest.skip("no kubectl on PATH; the lab's tests build the manifests with theirs")
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the manifests with keys that belong to nobody."""
    for folder in ("k8s", "overlays"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns(".env"))
    text = (K8S / ".env.example").read_text()
    (tmp_path / "k8s/.env").write_text(re.sub(r"^([A-Z_]+)=$", r"\1=nobodys", text, flags=re.MULTILINE))
    return tmp_path


def built(folder: Path) -> str:
    done = subprocess.run(
        [kubectl(), "kustomize", str(folder)], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def pod_specs(text: str) -> Iterator[tuple[Object, Object]]:
    for o in yaml.safe_load_all(text):
        if o["kind"] in ("Deployment", "StatefulSet"):
            yield o, o["spec"]["template"]["spec"]


def config_names(text: str) -> dict[str, str]:
    """Each workload's ConfigMap and Secret, as its pod names them."""
    found = {}
    for o, spec in pod_specs(text):
        names = [v.get("configMap", {}).get("name") for v in spec.get("volumes", [])]
        secrets = set(re.findall(r"litellm-secrets[\w-]*", json.dumps(spec)))
        found[o["metadata"]["name"]] = " ".join(sorted({*filter(None, names), *secrets}))
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_kustomize_builds_it_without_a_word(folder: str, checkout: Path) -> None:
    found = list(yaml.safe_load_all(built(checkout / folder)))
    assert {o["metadata"].get("namespace", NAMESPACE) for o in found} == {NAMESPACE}
    assert {o["metadata"]["name"] for o in found if o["kind"] in ("Deployment", "StatefulSet")} == set(WORKLOADS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_a_pod_reads_is_built_with_it(folder: str, checkout: Path) -> None:
    text = built(checkout / folder)
    there = {o["metadata"]["name"] for o in yaml.safe_load_all(text) if o["kind"] in ("ConfigMap", "Secret")}
    assert set(" ".join(config_names(text).values()).split()) == there


def test_a_change_rolls_the_pods_that_it_concerns(checkout: Path) -> None:
    before = config_names(built(checkout / "overlays/lab"))
    file = checkout / "k8s/litellm-audio-configmap.yaml"
    file.write_text(file.read_text().replace("whisper-large", "whisper-huge"))
    after = config_names(built(checkout / "overlays/lab"))
    assert {name for name in before if before[name] != after[name]} == {"litellm-audio"}
    keys = checkout / "k8s/.env"
    keys.write_text(keys.read_text().replace("LLM_MASTER_KEY=nobodys", "LLM_MASTER_KEY=somebodys"))
    rolled = config_names(built(checkout / "overlays/lab"))
    assert {name for name in after if after[name] != rolled[name]} == set(WORKLOADS)


def test_the_host_network_overlay_gives_each_gateway_a_port(checkout: Path) -> None:
    ports = {}
    for o, spec in pod_specs(built(checkout / "overlays/host-network")):
        name = o["metadata"]["name"]
        assert spec.get("hostNetwork", False) == name.startswith("litellm-")
        if name.startswith("litellm-"):
            assert spec["dnsPolicy"] == "ClusterFirstWithHostNet"
            assert o["spec"]["replicas"] == 1
            assert o["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
            main = spec["containers"][0]
            ports[name] = main["ports"][0]["containerPort"]
            assert main["args"][-2:] == ["--port", str(ports[name])]
    assert sorted(ports.values()) == [4100, 4200, 4300, 4400, 4500]  # 4000 taken: LiteLLM would pick one at random


def test_the_host_network_overlay_has_no_policy_that_would_not_hold(checkout: Path) -> None:
    found = {
        o["metadata"]["name"]: o["spec"]
        for o in yaml.safe_load_all(built(checkout / "overlays/host-network"))
        if o["kind"] == "NetworkPolicy"
    }
    assert found.keys() == {"postgres", "prometheus"}
    assert "from" not in found["postgres"]["ingress"][0]


def test_the_lab_overlay_takes_the_labs_images_and_no_database(checkout: Path) -> None:
    text = built(checkout / "overlays/lab")
    for o, spec in pod_specs(text):
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["image"].startswith("lab.local/")
        if o["metadata"]["name"].startswith("litellm-"):
            assert not [name for name in environment(spec["containers"][0]) if name.startswith("DATABASE_")]
            assert spec["initContainers"][0]["name"] == "wait-for-postgres"
            assert spec["containers"][0]["readinessProbe"]["periodSeconds"] == 1
    (volume,) = [o for o in yaml.safe_load_all(text) if o["kind"] == "PersistentVolume"]
    assert volume["spec"]["claimRef"] == {"namespace": NAMESPACE, "name": "data-postgres-0"}


# what the API server and the linters say


@pytest.fixture(scope="module")
def server(lab: Lab) -> Lab:
    """A node with the modules' namespace, which Pod Security restricts."""
    lab.reset()
    lab.must(f"kubectl create namespace {NAMESPACE}")
    for mode in ("enforce", "warn"):
        lab.must(f"kubectl label namespace {NAMESPACE} pod-security.kubernetes.io/{mode}=restricted")
    lab.must(
        f"for i in $(seq 100); do kubectl -n {NAMESPACE} get serviceaccount default && exit; sleep 0.1; done; exit 1"
    )
    return lab


def ask(server: Lab, text: str, *verb: str) -> subprocess.CompletedProcess[str]:
    argv = [str(LAB), "kubectl", "--name", server.name, *verb, "--dry-run=server", "-f", "-"]
    return subprocess.run(argv, input=text, check=False, capture_output=True, text=True, timeout=60)


def apply(server: Lab, text: str, verb: str) -> subprocess.CompletedProcess[str]:
    argv = [str(LAB), "kubectl", "--name", server.name, verb, "--server-side", "-f", "-"]
    return subprocess.run(argv, input=text, check=False, capture_output=True, text=True, timeout=60)


def as_pods(text: str) -> str:
    """A pod of each workload, as its controller would make it."""
    pods = []
    for o, spec in pod_specs(text):
        own = copy.deepcopy(spec)
        for claim in o["spec"].get("volumeClaimTemplates", []):
            own["volumes"].append({"name": claim["metadata"]["name"], "emptyDir": {}})
        meta = {"name": o["metadata"]["name"], "namespace": NAMESPACE}
        pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": own})
    return yaml.safe_dump_all(pods)


@pytest.mark.lab
class TestOnTheServer:
    @pytest.mark.parametrize("folder", FOLDERS)
    def test_it_takes_every_object(self, server: Lab, checkout: Path, folder: str) -> None:
        text = built(checkout / folder)
        answer = ask(server, text, "apply", "--server-side")
        assert answer.returncode == 0, answer.stderr
        assert len(answer.stdout.splitlines()) == len(list(yaml.safe_load_all(text)))
        assert ("would violate PodSecurity" in answer.stderr) == (folder == "overlays/host-network")

    @pytest.mark.parametrize("folder", FOLDERS)
    def test_the_same_again_is_no_difference(self, server: Lab, checkout: Path, folder: str) -> None:
        text = built(checkout / folder)
        server.must(f"kubectl -n {NAMESPACE} delete networkpolicies,services --all")
        assert apply(server, text, "apply").returncode == 0
        again = apply(server, text, "diff")
        assert (again.returncode, again.stdout) == (0, "")

    def test_it_refuses_a_field_that_does_not_exist(self, server: Lab, checkout: Path) -> None:
        text = built(checkout / "k8s").replace("  replicas: 2", "  replicaz: 2")
        answer = ask(server, text, "apply", "--server-side")
        assert answer.returncode
        assert "replicaz" in answer.stderr

    @pytest.mark.parametrize("folder", ["k8s", "overlays/lab"])
    def test_restricted_pod_security_admits_every_pod(self, server: Lab, checkout: Path, folder: str) -> None:
        answer = ask(server, as_pods(built(checkout / folder)), "create")
        assert (answer.returncode, answer.stderr) == (0, "")
        assert len(answer.stdout.splitlines()) == len(WORKLOADS)

    def test_restricted_pod_security_refuses_the_nodes_network(self, server: Lab, checkout: Path) -> None:
        answer = ask(server, as_pods(built(checkout / "overlays/host-network")), "create")
        assert answer.stderr.count("hostNetwork=true") == len(MODULES)

    def test_the_linters_find_nothing(self, server: Lab) -> None:
        done = subprocess.run(
            [str(LINT), "--lab", server.name], check=False, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stdout + done.stderr
        counts = re.findall(r"kubeconform (\d+) valid, checkov (\d+) passed", done.stdout)
        assert len(counts) == len(FOLDERS)
        assert all(int(valid) > 20 and int(passed) > 500 for valid, passed in counts)

    def test_the_linters_find_what_is_wrong(self, server: Lab, checkout: Path) -> None:
        file = checkout / "k8s/litellm-vision-deployment.yaml"
        text = file.read_text().replace("revisionHistoryLimit", "revisionHistoryLimits")
        file.write_text(text.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"))
        done = subprocess.run(
            [str(LINT), "--lab", server.name, "--root", str(checkout)],
            check=False, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 1
        assert re.search(r"kubeconform: Deployment/litellm-vision: .*revisionHistoryLimits", done.stdout)
        assert re.search(r"checkov: CKV_K8S_20 .*litellm-vision", done.stdout)
