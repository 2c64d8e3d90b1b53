"""Manifests that a stranger wrote: what root reads for them, whom their passwords go to, and when they count at all."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.services import Service, ServicePort, Services
from netdoctor.facts.gateways.database_login import DatabaseLogins
from netdoctor.facts.gateways.gateway_objects import ModuleObjects
from netdoctor.facts.gateways.gateways import Modules
from netdoctor.facts.gateways.kustomization import Kustomization
from netdoctor.facts.gateways.postgres_servers import PostgresServers
from netdoctor.facts.gateways.scope import Scope
from netdoctor.system.kube_api import KubeApi
from tests.builders import workloads
from tests.cli.test_cli import netdoctor, one_sentence
from tests.system.test_kubeconfig import ApiServer, config, place, server

__all__ = ["place", "server"]  # fixtures
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which is what is protected")
STRANGER = 12345
NOWHERE = CannotRead("API server", "not asked")


class Cluster(KubeApi):
    """An API server that has every Secret, and keeps what was asked for."""

    def __init__(self, kind: str = "Opaque", pods: tuple[dict[str, Any], ...] = ()) -> None:
        self.server, self.version = "https://x", ""
        self.asked: list[str] = []
        self.kind, self.pods = kind, pods

    def find(self, path: str) -> dict[str, Any] | None:
        self.asked.append(path)
        value = base64.b64encode(b"canary-5b1e").decode()
        meta = {"namespace": path.split("/")[4], "name": path.rsplit("/", maxsplit=1)[-1]}
        return {"metadata": meta, "type": self.kind, "data": {"k": value, "POSTGRES_PASSWORD": value}}

    def get(self, path: str, **query: str) -> dict[str, Any]:
        self.asked.append(path)
        return {"items": list(self.pods)}


def gateway(namespace: str = "litellm", host: str = "postgres", **more: Any) -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": "own", "key": "k"}}
    container = {"name": "litellm", "env": [
        {"name": "DATABASE_HOST", "value": host}, {"name": "DATABASE_USERNAME", "value": "u"},
        {"name": "DATABASE_PASSWORD", "valueFrom": reference},
    ]}  # fmt: skip
    return {
        "kind": "Deployment", "metadata": {"name": "litellm-llm", "namespace": namespace},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [container], **more}}},
    }  # fmt: skip


def job(namespace: str) -> dict[str, Any]:
    """A workload beside the gateway."""
    return {**gateway(namespace), "metadata": {"name": "other", "namespace": namespace}}


def postgres(namespace: str = "litellm", **spec: Any) -> dict[str, Any]:
    whole = {"selector": {"app": "pg"}, "ports": [{"port": 5432}], **spec}
    return {"kind": "Service", "metadata": {"name": "postgres", "namespace": namespace}, "spec": whole}


def service(namespace: str, name: str = "postgres", port: int = 5432, **changed: Any) -> Service:
    ports = (ServicePort("", "TCP", port, 0),)
    about = {"cluster_ip": f"10.96.{ord(namespace[0])}.{len(name)}", "selector": {"app": "pg"}, **changed}
    return Service(namespace, name, "ClusterIP", about["cluster_ip"], ports, about["selector"])


class TestSecretsThatAreRead:
    def read(self, *objects: dict[str, Any], kind: str = "Opaque") -> tuple[list[str], ModuleObjects]:
        cluster = Cluster(kind)
        return cluster.asked, ModuleObjects.collect(cluster, Kustomization("k8s", objects))

    def test_of_its_own_namespace(self) -> None:
        asked, found = self.read(gateway())
        assert asked == ["/api/v1/namespaces/litellm/secrets/own"]
        assert not found.unread

    @pytest.mark.parametrize(
        "objects",
        [
            (gateway("kube-system"),),
            (gateway("kube-public"),),
            (gateway(), job("kube-system")),
            (gateway(), job("prod")),
        ],
    )
    def test_of_no_other(self, objects: tuple[dict[str, Any], ...]) -> None:
        asked, found = self.read(*objects)
        assert [path for path in asked if "/litellm/" not in path] == []
        assert len(found.unread) == 1

    @pytest.mark.parametrize("volume", [
        {"secret": {"secretName": "file"}}, {"projected": {"sources": [{"secret": {"name": "file"}}]}},
    ])  # fmt: skip
    def test_none_that_is_mounted_as_a_file(self, volume: dict[str, Any]) -> None:
        asked, _ = self.read(gateway(volumes=[{"name": "v", **volume}]))
        assert asked == ["/api/v1/namespaces/litellm/secrets/own"]

    @pytest.mark.parametrize("kind", [
        "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1",
        "kubernetes.io/tls",
    ])  # fmt: skip
    def test_no_token_of_the_cluster(self, kind: str) -> None:
        _, found = self.read(gateway(), kind=kind)
        assert "is not read for a module" in found.unread["Secret/litellm/own"]
        assert not [o for o in found.objects if o["kind"] == "Secret"]


def logins(*objects: dict[str, Any], services: tuple[Service, ...], pods: Any = ()) -> DatabaseLogins:
    cluster = Cluster(pods=pods)
    found = ModuleObjects.collect(cluster, Kustomization("k8s", objects))
    servers = PostgresServers.collect(
        Services(services, ""), workloads(), found, Modules.collect(found, NOWHERE), Scope(True)
    )
    # its workload runs already
    servers = PostgresServers(servers.items or PostgresServers.collect(
        Services(services, ""), NOWHERE, found, Modules.collect(found, NOWHERE), Scope(True)
    ).items, ())  # fmt: skip
    return DatabaseLogins.collect(servers, Services(services, ""), cluster, found)


class TestWhereAPasswordGoes:
    def test_to_the_service_of_the_manifests(self) -> None:
        found = logins(gateway(), postgres(), services=(service("litellm"),))
        assert [login.password for login in found.at["litellm/postgres"]] == ["canary-5b1e"]

    @pytest.mark.parametrize(
        ("host", "objects", "services"),
        [
            ("evil.example.com", (), ()),
            ("203.0.113.7", (), ()),
            ("postgres.prod", (), (service("prod"),)),
            ("postgres.prod", (postgres("prod"),), (service("prod"),)),
            ("postgres", (), (service("litellm"),)),
            ("postgres", (postgres(type="ExternalName", externalName="evil.example.com"),), (service("litellm"),)),
            ("postgres", (postgres(selector=None),), (service("litellm"),)),
            ("postgres", (postgres(),), (service("litellm", selector={}),)),
        ],
        ids=[
            "name",
            "address",
            "other-namespace",
            "own-copy-of-it",
            "not-theirs",
            "external",
            "no-selector",
            "no-pods",
        ],
    )
    def test_to_nobody_else(
        self, host: str, objects: tuple[dict[str, Any], ...], services: tuple[Service, ...]
    ) -> None:
        with pytest.raises(CannotRead, match="is not sent to"):
            logins(gateway(host=host), *objects, services=services)

    def test_whoever_has_a_database_elsewhere_names_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NETDOCTOR_DATABASE_URL", "postgresql://u:mine@db.example.com/x")
        found = logins(gateway(host="db.example.com"), services=())
        assert [login.password for login in found.at["db.example.com"]] == ["mine"]
        assert not found.withheld

    def test_manifests_get_no_password_of_another_pod(self) -> None:
        there = gateway()
        del there["spec"]["template"]["spec"]["containers"][0]["env"][2]
        pod = {"metadata": {"name": "p", "namespace": "litellm", "labels": {"app": "pg"}}, "spec": {"containers": [
            {"env": [{"name": "POSTGRES_PASSWORD", "value": "canary"}]}]}}  # fmt: skip
        with pytest.raises(CannotRead, match="is not set"):
            logins(there, postgres(), services=(service("litellm"),), pods=(pod,))


class TestDatabaseUrl:
    """NETDOCTOR_DATABASE_URL, in a cluster without modules."""

    def used(self, url: str, *services: Service, monkeypatch: pytest.MonkeyPatch) -> list[str] | str:
        monkeypatch.setenv("NETDOCTOR_DATABASE_URL", url)
        found = Services(services, "")
        servers = PostgresServers.collect(found, NOWHERE, NOWHERE, NOWHERE, Scope(False))
        try:
            return list(DatabaseLogins.collect(servers, found, Cluster(), NOWHERE).at)
        except CannotRead as error:
            return error.reason

    @pytest.mark.parametrize(
        ("host", "meant"),
        [
            ("postgres.prod", ["prod/postgres"]),
            ("postgres.prod.svc", ["prod/postgres"]),
            ("postgres.prod.svc.cluster.local", ["prod/postgres"]),
            ("postgres.prod.svc.cluster.local.", ["prod/postgres"]),
            ("10.96.112.8", ["prod/postgres"]),
            ("10.96.112.8:5432", ["prod/postgres"]),
            ("alone", ["prod/alone"]),
            ("postgres.prod.example.com", []), ("postgres.prod.svc.example.com", []), ("prod", []), ("None", []),
            ("", []),
            ("postgres.prod:6432", []), ("10.96.112.80", []), ("postgres.", []), ("other.prod", []), ("alone:6432", []),
        ],
    )  # fmt: skip
    def test_which_service_is_meant(self, host: str, meant: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        all_of_them = (service("prod"), service("evil"), service("prod", "alone"), service("evil", "x", cluster_ip=""))
        used = self.used(f"postgresql://u:canary@{host}/d", *all_of_them, monkeypatch=monkeypatch)
        assert used == meant or (isinstance(used, str) and not meant)
        if host == "postgres.":
            assert "2 Services have the name postgres (postgres.prod, postgres.evil): add the namespace" in used

    def test_a_short_name_that_two_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        used = self.used("postgresql://u:p@postgres/d", service("prod"), service("evil"), monkeypatch=monkeypatch)
        assert "is not used: 2 Services have the name postgres" in used
        assert self.used("postgresql://u:p@postgres/d", service("prod"), monkeypatch=monkeypatch) == ["prod/postgres"]


@pytest.mark.parametrize(
    ("namespace", "url", "used"),
    [
        ("prod", "postgres", True), ("prod", "postgres.prod", True), ("other", "postgres.prod", True),
        ("other", "postgres", False), ("evil", "postgres", False), ("prod", "postgres.evil", False),
        ("prod", "postgres:6432", False),
    ],
)  # fmt: skip
def test_a_short_name_in_a_pod_is_of_its_own_namespace(namespace: str, url: str, used: bool) -> None:
    pod = {"metadata": {"name": "p", "namespace": namespace}, "spec": {"containers": [
        {"env": [{"name": "DATABASE_URL", "value": f"postgresql://u:canary@{url}/d"}]}]}}  # fmt: skip
    found = Services((service("prod"),), "")
    servers = PostgresServers.collect(found, NOWHERE, NOWHERE, NOWHERE, Scope(False))
    try:
        at = DatabaseLogins.collect(servers, found, Cluster(pods=(pod,)), NOWHERE).at
    except CannotRead:
        at = {}
    assert bool(at) == used


@root
class TestTheFolderThatIsHere:
    """The whole command, in a folder with manifests and a kubectl that leaves a mark."""

    @pytest.fixture
    def here(self, place: Path) -> Path:
        folder = place / "checkout"
        (folder / "k8s").mkdir(parents=True)
        (folder / "k8s/kustomization.yaml").write_text("resources: []\n")
        program = place / "bin/kubectl"
        program.parent.mkdir()
        objects = "\n---\n".join(json.dumps(o) for o in (gateway(), job("kube-system"), postgres()))
        program.write_text(f"#!/bin/sh\n/bin/touch {place}/mark\n/bin/cat <<'E'\n{objects}\nE\n")
        program.chmod(0o755)
        place.chmod(0o777)
        return folder

    def run(self, here: Path, *arguments: str, **environment: str) -> Any:
        path = f"{here.parent}/bin:{os.environ['PATH']}"
        return netdoctor(*arguments, cwd=here, environment={"PATH": path, **environment})

    @pytest.mark.parametrize("command", ["gate", "deploy"])
    def test_is_not_taken_under_sudo(self, command: str, here: Path) -> None:
        done = self.run(here, command, SUDO_UID=str(STRANGER), SUDO_GID=str(STRANGER))
        assert not (here.parent / "mark").exists()
        assert "--kustomization k8s" in one_sentence(done)
        assert done.returncode == (2 if command == "deploy" else 3)

    @pytest.mark.parametrize("command", ["gate", "deploy"])
    def test_nor_where_all_of_it_is_roots(self, command: str, here: Path) -> None:
        """Whoever calls netdoctor by sudo chooses the folder, and some folder of root's may have a k8s in it."""
        here.parent.chmod(0o755)
        done = self.run(here, command, SUDO_UID=str(STRANGER), SUDO_GID=str(STRANGER))
        assert "sudo may have been called in anybody's folder" in one_sentence(done)
        assert done.returncode == (2 if command == "deploy" else 3)

    @pytest.mark.parametrize("changed", ["k8s", "k8s/kustomization.yaml", "."])
    def test_nor_by_root_where_somebody_else_can_change_it(self, changed: str, here: Path) -> None:
        here.parent.chmod(0o755)
        os.chown(here / changed, STRANGER, STRANGER)
        done = self.run(here, "deploy", SUDO_UID="")
        assert (done.returncode, (here.parent / "mark").exists()) == (2, False)
        assert f"uid {STRANGER} can change it" in one_sentence(done)

    @pytest.mark.thorough
    def test_named_it_is_read_and_gets_secrets_of_its_namespace_alone(
        self, here: Path, place: Path, server: ApiServer
    ) -> None:
        file = place / "admin.conf"
        file.write_text(config(server.url, {"token": "t"}))
        self.run(here, "gate", "-k", "k8s", "--kubeconfig", str(file), SUDO_UID=str(STRANGER), SUDO_GID=str(STRANGER))
        assert (place / "mark").exists()
        assert {path for path in server.paths if "/secrets" in path} == {"/api/v1/namespaces/litellm/secrets/own"}
