"""Which requests go through a proxy: as curl, Go and Python read the variables, where any of them excludes a host."""

from __future__ import annotations

import pytest

from netdoctor.facts.cluster.kubelet_proxy import KubeletProxy
from netdoctor.facts.gateways.gateway_objects import Object
from netdoctor.facts.gateways.named_hosts import NamedHost
from netdoctor.facts.gateways.pod_environments import Proxied, _proxied, _uses_the_api
from netdoctor.facts.node.proxy_variables import proxy_for

PROXY = "http://somebody:secret@proxy.corp:3128/"


@pytest.mark.parametrize(
    ("host", "no_proxy", "excluded"),
    [
        ("vault.default.svc.cluster.local", "", False),
        ("vault.default.svc.cluster.local", ".cluster.local", True),
        ("vault.default.svc.cluster.local", "cluster.local", True),
        ("vault.default.svc.cluster.local.", "*.cluster.local", True),
        ("vault.default.svc", ".svc:8200", True),
        ("vault", ".svc,.cluster.local,10.96.0.0/12", False),
        ("vault", "localhost, VAULT", True),
        ("notvault", "vault", False),
        ("10.96.0.1", "10.96.0.0/12", True),
        ("10.96.0.1", "10.96.0.1:443", True),
        ("10.96.0.1", "10.244.0.0/16 192.0.2.0/24", False),
        ("10.96.0.1", "fd00::/8,999.0.0.0/8,/", False),
        ("fd00::1", "fd00::/8", True),
        ("vault", "*", True),
        ("localhost", "", True),
    ],
)
def test_what_no_proxy_excludes(host: str, no_proxy: str, excluded: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        variables = {"HTTP_PROXY": PROXY, name: no_proxy}
        assert proxy_for("http", host, variables) == ("" if excluded else "proxy.corp:3128")


@pytest.mark.parametrize(
    ("variables", "scheme", "proxy"),
    [
        ({}, "https", ""),
        ({"https_proxy": "proxy.corp:8080"}, "https", "proxy.corp:8080"),
        ({"https_proxy": "https://proxy.corp"}, "https", "proxy.corp:443"),
        ({"ALL_PROXY": "socks5://[fd00::1]"}, "http", "fd00::1:1080"),
        ({"HTTP_PROXY": PROXY}, "https", ""),
        ({"HTTP_PROXY": PROXY}, "postgresql", ""),
        ({"HTTP_PROXY": "http://[x"}, "http", ""),
        ({"HTTP_PROXY": "http://a$b"}, "http", ""),
    ],
)
def test_which_proxy(variables: dict[str, str], scheme: str, proxy: str) -> None:
    assert proxy_for(scheme, "example.com", variables) == proxy


def test_the_kubelet() -> None:
    assert KubeletProxy.of("https://10.77.0.2:8443", {"HTTPS_PROXY": PROXY}) == KubeletProxy(
        "proxy.corp:3128", "10.77.0.2"
    )
    excluded = {"HTTPS_PROXY": PROXY, "NO_PROXY": "10.77.0.0/24"}
    assert KubeletProxy.of("https://10.77.0.2:8443", excluded).proxy == ""


def container(**variables: str) -> Object:
    return {"name": "app", "env": [{"name": name, "value": value} for name, value in variables.items()]}


def test_what_a_container_asks_through_a_proxy() -> None:
    vault = NamedHost("app", "VAULT_ADDR", "vault", 8200, scheme="http")
    database = NamedHost("app", "DATABASE_URL", "postgres", 5432, scheme="postgresql")
    found = list(_proxied(container(HTTP_PROXY=PROXY, HTTPS_PROXY=PROXY), (vault, database), "10.96.0.1"))
    assert found == [
        Proxied("app", "VAULT_ADDR", "vault", "proxy.corp:3128"),
        Proxied("app", "", "10.96.0.1", "proxy.corp:3128"),
    ]
    right = container(HTTP_PROXY=PROXY, HTTPS_PROXY=PROXY, NO_PROXY="vault,10.96.0.0/12")
    assert list(_proxied(right, (vault, database), "10.96.0.1")) == []
    assert list(_proxied(container(), (vault,), "10.96.0.1")) == []


def test_who_asks_the_api_server() -> None:
    assert _uses_the_api({"serviceAccountName": "operator"})
    assert not _uses_the_api({"serviceAccountName": "default"})
    assert not _uses_the_api({"serviceAccountName": "operator", "automountServiceAccountToken": False})
