"""What holds for every pod of k8s/, and for Postgres and Prometheus."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.manifests.sources import (
    MODULES,
    POSTGRES_SLOTS,
    RESERVED,
    WORKLOADS,
    assert_dns,
    config,
    containers,
    environment,
    labels_of,
    objects,
    one,
    pod,
    variable,
    workload,
)


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
