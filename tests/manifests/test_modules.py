"""What each module is made of, as its files say."""

from __future__ import annotations

import json
import re

import pytest

from tests.manifests.sources import (
    MINUTES_TO_MIGRATE,
    MODULES,
    assert_dns,
    config,
    containers,
    environment,
    labels_of,
    one,
    pod,
    variable,
    workload,
)


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
