"""What variables name: which host, what cannot be taken apart, and nothing else of their values."""

from __future__ import annotations

from typing import Any

import pytest

from netdoctor.facts.gateways.gateway_objects import environment_of
from netdoctor.facts.gateways.litellm_config import database_problem_of, login_of
from netdoctor.facts.gateways.named_hosts import UNESCAPED, named_host, url_problem
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments, where_to_edit
from netdoctor.system.kube_api import ApiError, KubeApi
from tests.builders import services, this_node

SECRET = "Zx9qWv7p"


@pytest.mark.parametrize(
    ("variable", "value", "host", "port"),
    [
        ("DATABASE_URL", f"postgresql://u:{SECRET}@postgres:5433/db", "postgres", 5433),
        ("DATABASE_URL", "postgres://u@DB.data.svc/db", "db.data.svc", 5432),
        ("REDIS_URL", "redis://cache", "cache", 6379),
        ("PGHOST", "postgres", "postgres", 5432),
        ("DB_HOST", "db:3307", "db", 3307),
        ("DATABASE_URL", "postgresql://u:p%40ss%23@[::1]/db", "::1", 5432),
    ],
)
def test_a_host_and_a_port(variable: str, value: str, host: str, port: int) -> None:
    named = named_host("app", variable, value)
    assert named is not None
    assert (named.host, named.port, named.problem) == (host, port, "")
    assert named.is_database
    assert SECRET not in str(named)


@pytest.mark.parametrize(
    "value",
    [
        f"postgresql://u:a/{SECRET}#c]d@postgres:5432/db", f"postgresql://u:12#{SECRET}@postgres/db",
        f"postgresql://u:a?{SECRET}@postgres/db", f"postgresql://u:{SECRET}]x@postgres/db",
    ],
)  # fmt: skip
def test_a_password_that_is_not_encoded_is_told_and_not_shown(value: str) -> None:
    named = named_host("app", "DATABASE_URL", value)
    assert named is not None
    assert (named.host, named.problem) == ("", UNESCAPED)
    assert SECRET not in str(named)
    assert database_problem_of({"DATABASE_URL": value}) == UNESCAPED
    assert login_of({"DATABASE_URL": value}) is None
    assert named_host("app", "HOOK_URL", value) is None


@pytest.mark.parametrize(
    "value",
    [
        "postgresql:///db?host=/var/run/postgresql", "sqlite:///data.db", "postgresql://u:p@a:5432,b:5432/db",
        "postgresql://host:5432/db?user=me@corp", "postgresql://u:p@ss@host/db", "postgresql://$(USER):$(PASS)@db/x",
        "postgresql://u:p%23%2F@host/db",
    ],
)  # fmt: skip
def test_odd_urls_that_are_right_have_no_problem(value: str) -> None:
    assert url_problem(value) == ""
    named = named_host("app", "DATABASE_URL", value)
    assert named is None or not named.problem


def test_a_port_that_is_none_and_what_is_no_url() -> None:
    assert url_problem("postgresql://u:p@host:port/db") == "its host or port is not one"
    assert database_problem_of({"DATABASE_URL": "postgres:5432"}) == "it is not a URL"
    assert database_problem_of({}) == ""


def test_a_variable_gets_the_others_that_it_refers_to() -> None:
    container = {"env": [
        {"name": "P", "value": "a#b"}, {"name": "H", "value": "pg"}, {"name": "OTHER", "value": "$$(P) $(NONE)"},
        {"name": "DATABASE_URL", "value": "postgresql://u:$(P)@$(H)/db"},
    ]}  # fmt: skip
    found = environment_of(container, lambda _kind, _name: {})
    assert found["DATABASE_URL"] == "postgresql://u:a#b@pg/db"
    assert found["OTHER"] == "$$(P) $(NONE)"
    assert database_problem_of(found) == UNESCAPED


class Answering(KubeApi):
    """An API server with these pods and Secrets."""

    def __init__(self, pods: list[dict[str, Any]], objects: dict[str, Any]) -> None:
        self.pods, self.objects, self.asked = pods, objects, list[str]()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        self.asked.append(path)
        if path == "/api/v1/pods":
            assert query == {"fieldSelector": "spec.nodeName=n1"}
            return {"items": self.pods}
        if path not in self.objects:
            raise ApiError("x", 404, "not found")
        found: dict[str, Any] = self.objects[path]
        return found


def a_pod(*env: dict[str, Any], namespace: str = "ai", **spec: Any) -> dict[str, Any]:
    container = {"name": "app", "env": list(env), **spec}
    meta = {"namespace": namespace, "name": "app-1", "uid": "u1"}
    return {"metadata": meta, "spec": {"containers": [container]}, "status": {"phase": "Running"}}


def collected(pod: dict[str, Any], objects: dict[str, Any] | None = None) -> tuple[PodEnvironment, ...]:
    return PodEnvironments.collect(Answering([pod], objects or {}), this_node(), services()).items


def of_secret(name: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}


def test_the_url_of_a_database_is_read_from_its_secret_and_no_other_value_is() -> None:
    secret = {"/api/v1/namespaces/ai/secrets/db": {
        "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"url": f"postgresql://u:{SECRET}@postgres/db"},
    }}  # fmt: skip
    (found,) = collected(a_pod(of_secret("DATABASE_URL")), secret)
    assert [(named.host, named.port) for named in found.hosts] == [("postgres", 5432)]
    assert SECRET not in str(found)
    assert collected(a_pod(of_secret("CACHE_URL")), secret) == ()
    assert collected(a_pod(of_secret("DATABASE_URL"), namespace="kube-system"), secret) == ()
    assert collected(a_pod(of_secret("DATABASE_URL"))) == ()


def test_hosts_outside_of_the_cluster_and_where_a_program_listens_are_not_told() -> None:
    for name, value in (
        ("API_URL", "https://api.example.com"), ("LISTEN_ADDR", "127.0.0.1:8080"), ("HOST", "localhost"),
        ("SMTP_HOST", "mail"), ("NOTE", "postgres"), ("PGHOST", "postgres.corp.example"),
        ("PGHOST", "postgres.example"),
    ):  # fmt: skip
        assert collected(a_pod({"name": name, "value": value})) == (), name
    (found,) = collected(a_pod({"name": "DATABASE_URL", "value": "postgresql://u@localhost/db"}))
    assert found.hosts[0].is_itself
    (found,) = collected(a_pod({"name": "CACHE_HOST", "value": "postgres.default"}))
    assert found.hosts[0].service("ai") == ("default", "postgres")


def test_ports_that_a_container_uses_and_does_not_set() -> None:
    url = {"name": "URL", "value": "tcp://db:$(POSTGRES_PORT)"}
    (found,) = collected(a_pod(url, command=["sh", "-c", "serve --port ${WEB_PORT}"]))
    assert found.refers_to == (("app", "POSTGRES_PORT"), ("app", "WEB_PORT"))
    assert collected(a_pod(url, {"name": "POSTGRES_PORT", "value": "5432"})) == ()
    assert collected(a_pod(url, envFrom=[{"configMapRef": {"name": "ports"}}])) == ()


def test_a_pod_that_has_ended_uses_nothing() -> None:
    pod = a_pod({"name": "PGHOST", "value": "localhost"})
    assert len(collected(pod)) == 1
    assert collected({**pod, "status": {"phase": "Succeeded"}}) == ()


@pytest.mark.parametrize(
    ("owner", "typed"),
    [
        ("ReplicaSet/app-7d9", "kubectl -n ai edit deployment/app"),
        ("StatefulSet/app", "kubectl -n ai edit statefulset/app"),
        ("", "kubectl -n ai get pod/app-1 -o yaml"),
    ],
)
def test_where_to_edit_it(owner: str, typed: str) -> None:
    assert where_to_edit(PodEnvironment("ai", "app-1", "u", False, True, True, (), (), owner)) == (typed,)


@pytest.mark.parametrize(
    ("spec", "uses"),
    [
        ({"hostNetwork": True}, True),
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirst"}, True),
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, False),
        ({"dnsPolicy": "Default"}, True),
        ({"dnsPolicy": "None"}, False),
        ({"dnsPolicy": "Default; reboot"}, False),
        ({}, False),
    ],
)
def test_who_asks_the_resolvers_of_the_node(spec: dict[str, Any], uses: bool) -> None:
    pod = a_pod({"name": "DATABASE_URL", "value": "postgresql://u@postgres.default.svc/db"})
    pod["spec"] |= spec
    (found,) = collected(pod)
    assert found.uses_node_resolvers is uses
    assert found.dns_policy in ("", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")


def test_a_name_that_a_pod_has_in_its_own_hosts_file_is_not_asked_for() -> None:
    pod = a_pod({"name": "DATABASE_URL", "value": "postgresql://u@postgres.default.svc/db"})
    pod["spec"]["hostAliases"] = [{"ip": "10.96.0.50", "hostnames": ["db", "postgres.default.svc"]}, {"ip": "::1"}]
    assert collected(pod) == ()
