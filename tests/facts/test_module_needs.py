"""What the gate reads for the modules: literal text and objects in, facts out."""

from __future__ import annotations

from typing import Any

import pytest

from netdoctor.facts.cluster.services import Service, ServicePort, Services
from netdoctor.facts.cluster.workloads import Workload, Workloads
from netdoctor.facts.gateways.database_login import DatabaseLogins, Login, of_modules
from netdoctor.facts.gateways.gateway_objects import ModuleObjects
from netdoctor.facts.gateways.gateways import Image, Modules
from netdoctor.facts.gateways.images import normal, policy_of, server_of
from netdoctor.facts.gateways.listeners import parse
from netdoctor.facts.gateways.litellm_config import Model, endpoint, proxy_of
from netdoctor.facts.gateways.postgres_servers import PostgresServers, comes_later
from netdoctor.facts.gateways.scope import Scope
from netdoctor.facts.traffic.new_pod import HASH, NEVER, manifest, place
from netdoctor.facts.traffic.policy_answers import described
from netdoctor.facts.traffic.providers import spellings
from netdoctor.facts.traffic.vantage import NEW, VantagePoint
from netdoctor.redact import HIDDEN, redact
from netdoctor.system.read_secrets import remember_value
from tests.builders import services, workloads
from tests.gateways.module_builders import NO_MODULES, gateway, modules


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("postgres", "docker.io/library/postgres:latest"),
        ("postgres:16", "docker.io/library/postgres:16"),
        ("prom/prometheus:v3", "docker.io/prom/prometheus:v3"),
        ("docker.io/library/postgres:16", "docker.io/library/postgres:16"),
        ("index.docker.io/library/postgres:16", "docker.io/library/postgres:16"),
        ("ghcr.io/berriai/litellm", "ghcr.io/berriai/litellm:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("localhost/app:1", "localhost/app:1"),
        ("postgres:16@sha256:ab", "docker.io/library/postgres@sha256:ab"),
    ],
)
def test_names_of_images(name: str, full: str) -> None:
    assert normal(name) == full
    assert normal(full) == full


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://user:canary-9f@proxy.corp:3128"}, "proxy.corp:3128"),
        ({"https_proxy": "http://proxy.corp:3128", "HTTPS_PROXY": "http://other:1"}, "proxy.corp:3128"),
        ({"HTTP_PROXY": "http://proxy.corp:3128"}, ""),  # for the other scheme
        ({"ALL_PROXY": "http://proxy.corp:3128"}, "proxy.corp:3128"),
        ({"HTTPS_PROXY": "http://proxy.corp:3128", "NO_PROXY": "localhost, .example.com"}, ""),
        ({"HTTPS_PROXY": "http://proxy.corp:3128", "no_proxy": "api.example.com:443"}, ""),
        ({"HTTPS_PROXY": "http://proxy.corp:3128", "NO_PROXY": "*"}, ""),
        ({"HTTPS_PROXY": "http://proxy.corp:3128", "NO_PROXY": "example.org"}, "proxy.corp:3128"),
        ({"HTTPS_PROXY": "nonsense"}, ""),
    ],
)
def test_the_proxy_that_a_provider_is_called_through(environment: dict[str, str], proxy: str) -> None:
    assert proxy_of("https://api.example.com/v1", environment) == proxy
    model = Model("gpt", "chat", "api.example.com:443", proxy)
    assert modules(gateway(models=(model,))).providers == {proxy or "api.example.com:443": ("llm",)}


def test_registries_and_policies() -> None:
    assert server_of(normal("postgres")) == "registry-1.docker.io:443"
    assert server_of(normal("localhost:5000/app")) == "localhost:5000"
    assert policy_of(Image("postgres", "", ())) == "Always"
    assert policy_of(Image("postgres:16", "", ())) == "IfNotPresent"
    assert policy_of(Image("postgres", "Never", ())) == "Never"


def test_listening_sockets() -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    line = "   0: {}:0FA0 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0000 100\n"
    text = head + line.format("00000000", "0A", 11) + line.format("0100007F", "01", 12)
    text += line.format("00000000000000000000000000000000", "0A", 13)
    assert parse(text) == {"11": 4000, "13": 4000}
    assert parse("rubbish\n\n: : :") == {}


def test_the_full_name_is_asked_first() -> None:
    point = VantagePoint("test pod", NEW, "", "", search=("litellm.svc.cluster.local", "svc.cluster.local"))
    assert spellings("ollama", point) == (
        "ollama.", "ollama.litellm.svc.cluster.local.", "ollama.svc.cluster.local.",
    )  # fmt: skip
    assert spellings("example.com.", point) == ("example.com.",)
    assert spellings("192.0.2.7", point) == ()


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("LLM_MASTER_KEY", "sk-1", "sk-1"),
        ("POSTGRES_PASSWORD", "short", "short"),
        ("PROVIDER_KEY", "none", ""),
        ("POSTGRES_USER", "litellm", ""),
        ("PROVIDER_BASE", "http://example.com:8080/v1", ""),
        ("DATABASE_URL", "postgresql://u:p%40ss@h/d", "p@ss"),
        ("PROVIDER_BASE", "http://user:canary-9f@example.com/v1", "canary-9f"),
        ("whatever", "0123456789abcdef0123", "0123456789abcdef0123"),
    ],
)
def test_what_of_a_secret_is_hidden(name: str, value: str, hidden: str) -> None:
    remember_value(name, value)
    assert (HIDDEN in redact(f"it said {value} there")) is bool(hidden)
    assert not hidden or hidden not in redact(f"it said {hidden} there")


@pytest.mark.parametrize(
    ("url", "where"),
    [("http://user:canary-9f@example.com:8080/v1", "example.com:8080"), ("https://example.com/v1", "example.com:443"),
     ("nonsense", ""), ("http://[::1", ""), ("https://x:99999", ""), ("ftp://example.com", "")],
)  # fmt: skip
def test_of_a_providers_url_host_and_port_are_kept(url: str, where: str) -> None:
    assert endpoint(url) == where


def workload(name: str, database: str, password: str = "canary-pw-1") -> dict[str, Any]:
    environment = {"PGHOST": "postgres", "PGUSER": "litellm", "PGDATABASE": database, "PGPASSWORD": password}
    container = {"name": "litellm", "env": [{"name": k, "value": v} for k, v in environment.items() if v]}
    labels = {"app.kubernetes.io/name": "litellm", "app.kubernetes.io/component": name}
    return {
        "kind": "Deployment", "metadata": {"name": f"litellm-{name}", "namespace": "litellm"},
        "spec": {"template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}},
    }  # fmt: skip


POSTGRES_SERVICE = {
    "kind": "Service", "metadata": {"name": "postgres", "namespace": "litellm"},
    "spec": {"selector": {"app": "pg"}, "ports": [{"port": 5432}]},
}  # fmt: skip
POSTGRES_SET = {
    "kind": "StatefulSet", "metadata": {"name": "postgres", "namespace": "litellm"},
    "spec": {"template": {"metadata": {"labels": {"app": "pg"}}, "spec": {"containers": [
        {"name": "postgres", "ports": [{"name": "pg", "containerPort": 5432}]}]}}},
}  # fmt: skip
IN_CLUSTER = Service(
    "litellm", "postgres", "ClusterIP", "10.96.0.77", (ServicePort("", "TCP", 5432, 0),), {"app": "pg"}
)


def objects(*more: dict[str, Any], deployed: bool = False) -> ModuleObjects:
    gateways = (workload("llm", "litellm_llm"), workload("audio", "litellm_audio"))
    return ModuleObjects((*gateways, *more), "k8s", deployed=deployed, unread={})


def servers_of(known: ModuleObjects, found: Services, *, only: bool = True) -> PostgresServers:
    described_modules = Modules.collect(known, NO_MODULES)
    return PostgresServers.collect(found, workloads(), known, described_modules, Scope(only))


def test_the_gate_asks_for_the_modules_postgres_alone() -> None:
    known = objects(POSTGRES_SERVICE, POSTGRES_SET)
    both = Services((*services().items, IN_CLUSTER), "https://x")
    gate, check = servers_of(known, both), servers_of(known, both, only=False)
    assert [(s.name, s.modules) for s in gate.items] == []
    assert gate.later == ("litellm/postgres",)  # its workload is yet to come
    assert [s.name for s in check.items] == ["default/postgres", "litellm/postgres"]
    running = Workloads((Workload("StatefulSet", "litellm", "postgres", 1, 1, {"app": "pg"}),))
    there = PostgresServers.collect(both, running, known, Modules.collect(known, NO_MODULES), Scope(True))
    assert [(s.name, s.address, s.modules) for s in there.items] == [
        ("litellm/postgres", "10.96.0.77", ("llm", "audio"))
    ]


def test_a_database_elsewhere_is_asked_by_its_name() -> None:
    known = ModuleObjects(
        [workload("llm", "x") | {"spec": {"template": {"spec": {"containers": [
            {"name": "litellm", "env": [{"name": "DATABASE_URL", "value": "postgresql://u:p@db.example.com:6432/x"}]}
        ]}}}}], "k8s", deployed=False, unread={},
    )  # fmt: skip
    (server,) = servers_of(known, services()).items
    assert (server.name, server.address, server.port) == ("db.example.com", "", 6432)
    assert server.host("cluster.local") == "db.example.com."


@pytest.mark.parametrize(
    ("name", "number", "asked"),
    [
        ("", 5432, 5432), ("db", 5432, 5432), ("postgres", 6432, 6432), ("postgresql", 15432, 15432),
        ("tcp-postgresql", 6432, 6432), ("postgres-metrics", 9187, 0), ("postgres-http", 8008, 0),
        ("metrics-postgres", 9187, 0), ("http", 80, 0),
    ],
)  # fmt: skip
def test_a_port_is_postgres_by_its_number_or_its_whole_name(name: str, number: int, asked: int) -> None:
    metrics = ServicePort("postgres-metrics", "TCP", 9187, 0)
    own = Service("data", "own", "ClusterIP", "10.96.0.78", (metrics, ServicePort(name, "TCP", number, 0)), {})
    found = PostgresServers.collect(Services((own,), ""), NO_MODULES, NO_MODULES, NO_MODULES, Scope(False))
    assert [server.port for server in found.items] == ([asked] if asked else [])


def test_without_modules_every_postgres_is_asked() -> None:
    found = PostgresServers.collect(services(), workloads(), NO_MODULES, NO_MODULES, Scope(True))
    assert [s.name for s in found.items] == ["default/postgres"]


def test_what_the_deployment_brings() -> None:
    assert comes_later("litellm/postgres", services(), workloads(), objects(POSTGRES_SERVICE))
    assert not comes_later("litellm/postgres", services(), workloads(), objects(POSTGRES_SERVICE, deployed=True))
    assert not comes_later("litellm/postgres", services(), workloads(), objects())
    both = Services((*services().items, IN_CLUSTER), "https://x")
    assert comes_later("litellm/postgres", both, workloads(), objects(POSTGRES_SERVICE, POSTGRES_SET))


def test_modules_that_log_in_alike_do_it_once() -> None:
    known = objects(POSTGRES_SERVICE)
    running = Workloads((Workload("StatefulSet", "litellm", "postgres", 1, 1, {"app": "pg"}),))
    both = Services((*services().items, IN_CLUSTER), "https://x")
    servers = PostgresServers.collect(both, running, known, Modules.collect(known, NO_MODULES), Scope(True))
    logins = of_modules(servers, known)["litellm/postgres"]
    assert {login.database: login.modules for login in logins} == {
        "litellm_llm": ("llm",), "litellm_audio": ("audio",),
    }  # fmt: skip
    assert "canary-pw-1" not in repr(DatabaseLogins({"litellm/postgres": logins}, "a test").at)
    assert logins[0] == Login("litellm", "canary-pw-1", "litellm_llm", "prefer", ("llm",))


def test_postgres_that_is_yet_to_come_has_its_labels() -> None:
    (found,) = described(objects(POSTGRES_SERVICE, POSTGRES_SET), "litellm", "postgres")
    assert (found.labels, found.ports) == ({"app": "pg"}, (("pg", "TCP", 5432),))


class TestTheTestPod:
    def test_it_looks_like_the_first_module(self) -> None:
        known = modules(gateway(labels={"app": "llm", HASH: "abc"}))
        assert place(services(), known) == ("litellm", "deployment/litellm-llm", {"app": "llm"})

    def test_before_the_namespace_is_made(self) -> None:
        assert place(services(), modules(namespace_exists=False)) == ("default", "", {})

    def test_no_daemon_set_adopts_it(self) -> None:
        assert place(services(), modules(gateway(workload="daemonset/litellm-llm"))) == ("litellm", "", {})

    def test_it_ends_by_itself_whatever_becomes_of_netdoctor(self) -> None:
        made: Any = manifest("netdoctor-1", "n1", "pause:1", {})
        assert 0 < made["spec"]["activeDeadlineSeconds"] <= 60
        assert made["spec"]["restartPolicy"] == "Never"

    def test_it_is_never_ready(self) -> None:
        made: Any = manifest("netdoctor-1", "n1", "pause:1", {"app": "llm", "app.kubernetes.io/managed-by": "helm"})
        assert made["spec"]["readinessGates"] == [{"conditionType": NEVER}]
        assert made["metadata"]["labels"] == {"app": "llm", "app.kubernetes.io/managed-by": "netdoctor"}
