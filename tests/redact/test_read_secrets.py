"""Every secret that netdoctor reads is hidden from then on, and was so before anything could be raised."""

from __future__ import annotations

import base64
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from netdoctor.errors import BadInput, NetdoctorError
from netdoctor.facts.gateways import kustomization
from netdoctor.facts.gateways.database_login import DatabaseLogins, Login, parse_url
from netdoctor.facts.gateways.env_file import find
from netdoctor.facts.gateways.gateway_objects import ModuleObjects
from netdoctor.facts.gateways.kubectl import Answered
from netdoctor.facts.gateways.kustomization import parse
from netdoctor.facts.gateways.litellm_config import config_of
from netdoctor.gateways.gateway_http import ask
from netdoctor.redact import redact
from netdoctor.system.credential_plugin import ask_plugin
from netdoctor.system.kube_api import KubeApi
from netdoctor.system.kubeconfig import Choice, _load
from netdoctor.system.kubeconfig_files import Unusable, merge


@pytest.fixture
def secret() -> str:
    """A word that has no form of a secret's: letters as in a sentence."""
    return "-".join(secrets.choice(("quiet", "amber", "willow", "lantern", "otter")) + c for c in "bcdf")


def hidden(secret: str) -> bool:
    encoded = base64.b64encode(secret.encode()).decode()
    return all(secret not in redact(f"it said {form} there") for form in (secret, encoded)) and encoded not in redact(
        f"it said {encoded} there"
    )


def test_nothing_is_hidden_that_was_not_read(secret: str) -> None:
    assert not hidden(secret)


USERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "token": lambda s: {"token": s},
    "password": lambda s: {"username": "admin", "password": s},
    "key": lambda s: {"client-key-data": base64.b64encode(f"-----BEGIN KEY-----\n{s}\n".encode()).decode()},
    "exec env": lambda s: {"exec": {"env": [{"name": "MY_SECRET", "value": s}]}},
    "exec arguments": lambda s: {"exec": {"args": ["get", f"--token={s}"]}},
    "exec next argument": lambda s: {"exec": {"args": ["--password", s]}},
    "auth provider": lambda s: {"auth-provider": {"name": "oidc", "config": {"refresh-token": s}}},
}


@pytest.mark.parametrize("kind", list(USERS))
def test_kubeconfig(kind: str, secret: str) -> None:
    config = {"users": [{"name": "a", "user": USERS[kind](secret)}], "clusters": 3}
    with pytest.raises(Unusable):
        merge([("/k", json.dumps(config).encode())])
    assert hidden(secret)


@pytest.mark.parametrize("field", ["tokenFile", "client-key"])
def test_files_of_a_kubeconfig(field: str, secret: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"two words {secret}\n" if field == "tokenFile" else f"-----BEGIN\n{secret}\n")
    user: dict[str, Any] = {field: str(tmp_path / "secret")}
    config = {
        "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}],
    }  # fmt: skip
    (tmp_path / "config").write_text(json.dumps(config))
    with suppress(NetdoctorError):
        _load(Choice(str(tmp_path / "config")), (), os.geteuid(), str(tmp_path))
    assert hidden(secret)


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("status", [0, 1])
def test_plugin(secret: str, tmp_path: Path, good: bool, status: int) -> None:
    said = json.dumps({"status": {"token": f"{secret}-0"}}) if good else f"token {secret}-0"
    program = tmp_path / "plugin"
    program.write_text(f"#!/bin/sh\necho '{said}'\necho 'refused {secret}-0' >&2\nexit {status}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    plugin = {"command": str(program), "apiVersion": "client.authentication.k8s.io/v1"}
    said_of_it = ""
    try:
        ask_plugin(plugin, "/", {}, None)
    except Unusable as error:
        said_of_it = str(error)
    assert secret not in said_of_it
    assert hidden(f"{secret}-0")


class Answering(KubeApi):
    """An API server with one answer."""

    def __init__(self, answer: object) -> None:
        self.server, self.answer = "https://192.0.2.1", answer

    def _send(self, *_: object) -> bytes:
        return json.dumps(self.answer).encode()


def container(secret: str) -> dict[str, Any]:
    return {"name": "c", "env": [{"name": "MY_TOKEN", "value": secret}, {"name": "MODE", "value": "plainmode"}]}


META = {"name": "x", "namespace": "n", "uid": "u"}
OBJECTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "Secret": lambda s: {"kind": "Secret", "metadata": META, "data": {"x": base64.b64encode(s.encode()).decode()}},
    "SecretList": lambda s: {"kind": "SecretList", "items": [{"metadata": META, "stringData": {"x": s}}]},
    "a URL in a Secret": lambda s: {"kind": "Secret", "metadata": META, "stringData": {"U": f"postgresql://u:{s}@h/d"}},
    "Pod": lambda s: {"kind": "Pod", "metadata": META, "spec": {"containers": [container(s)]}},
    "PodList": lambda s: {"kind": "PodList", "items": [{"metadata": META, "spec": {"containers": [container(s)]}}]},
    "Deployment": lambda s: {"kind": "Deployment", "metadata": META, "spec": {"template": {"spec": {
        "initContainers": [container(s)]}}}},
    "of another form": lambda s: {"kind": "Secret", "metadata": 3, "stringData": {"x": s}},
}  # fmt: skip


@pytest.mark.parametrize("kind", list(OBJECTS))
def test_objects(kind: str, secret: str) -> None:
    with suppress(NetdoctorError):
        Answering(OBJECTS[kind](secret)).get("/api/v1/x")
    assert hidden(secret)
    assert "plainmode" in redact("in plainmode")


@pytest.mark.parametrize("kind", ["Secret", "Deployment", "of another form"])
def test_manifests(kind: str, secret: str) -> None:
    with suppress(NetdoctorError):
        parse(json.dumps(OBJECTS[kind](secret)), "k8s")
    assert hidden(secret)


def test_users_and_databases_stay_readable(secret: str) -> None:
    plain = {"USER": "litellm", "DB": "vision_db", "HOST": "postgres.litellm", "PORT": "5432", "ON": "true"}
    values = {**plain, "PW": secret}
    ModuleObjects([{"kind": "Secret", "metadata": META, "stringData": values}], "here", deployed=True, unread={})
    text = "litellm logs in to vision_db at postgres.litellm:5432: true"
    assert redact(text) == text
    assert hidden(secret)


def test_a_litellm_config(secret: str) -> None:
    text = f"model_list: [{{model_name: a, litellm_params: {{model: openai/x, api_key: {secret}}}}}]"
    held = {"kind": "ConfigMap", "metadata": META, "data": {"config.yaml": text}}
    objects = ModuleObjects([held], "here", deployed=True, unread={})
    config_of(objects, "n", {"volumes": [{"configMap": {"name": "x"}}]}, "w", [])
    assert hidden(secret)


@pytest.mark.parametrize(
    "url", ["postgresql://u:{}@h/d", "mysql://u:{}@h", "postgresql://u:{}@[h/d", "postgresql://:{}@h", "x://u:{}/w@h"]
)
def test_database_url(url: str, secret: str) -> None:
    with suppress(NetdoctorError):
        parse_url(url.format(secret))
    assert hidden(secret)


def test_a_login(secret: str) -> None:
    DatabaseLogins({"s": (Login("u", secret, "d"),)}, "x")
    assert hidden(secret)


@pytest.mark.parametrize("line", ["A_KEY={}", "ANY='{}'", "URL=https://u:{}@h", "A_KEY={}\nno assignment"])
def test_env_file(line: str, secret: str, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("secretGenerator: [{name: s, envs: [.env]}]")
    (tmp_path / ".env").write_text(f"HOST=192.0.2.7\nPORT=30100\nFLAG=true\n{line.format(secret)}\n")
    with suppress(NetdoctorError):
        find(str(tmp_path))
    assert hidden(secret)
    assert redact("192.0.2.7 30100 true") == "192.0.2.7 30100 true"


def test_what_kubectl_repeats_of_an_env_file(secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kustomization.yaml").write_text("secretGenerator: [{name: s, envs: [.env]}]")
    (tmp_path / ".env").write_text(f"A_KEY={secret}\nno assignment\n")
    failed = Answered(1, "", f"error: line A_KEY={secret} has no value")
    monkeypatch.setattr(kustomization, "build", lambda *_: failed)
    with pytest.raises(BadInput, match="cannot be built") as caught:
        kustomization.Kustomization.build(str(tmp_path))
    assert secret not in redact(str(caught.value))
    assert hidden(secret)


def test_bearer_header(secret: str) -> None:
    ask("http://127.0.0.1:1/", key=secret, timeout=0.2)
    assert hidden(secret)


def test_hostile_objects_end(secret: str) -> None:
    deep: Any = secret
    for _ in range(200):
        deep = {"token": [deep]}
    from netdoctor.system.read_secrets import remember_fields, remember_objects

    remember_fields(deep)
    strange: Iterator[Any] = iter([None, 3, [], {"kind": [], "items": 3}, {"kind": "Secret", "data": 3}, {"spec": []}])
    for each in strange:
        remember_objects(each)
