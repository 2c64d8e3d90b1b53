"""A kubeconfig's exec plugin: started once, without a terminal, with the rights of the user it is started for.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.system.bounded_process import run
from netdoctor.system.kubeconfig_files import Unusable, mapping, word, words
from netdoctor.system.read_secrets import remember_answer
from netdoctor.system.rights import Rights

SECONDS = 20.0
LARGEST = 256 << 10  # bytes of its answer
VERSIONS = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))


@dataclass(frozen=True, slots=True)
class Credential:
    """What a plugin gave; `repr` does not show it."""

    token: str = ""
    certificate: str = ""
    key: str = ""

    def __repr__(self) -> str:
        """Without what it holds."""
        return "Credential(***)"


def ask_plugin(plugin: Mapping[str, Any], folder: str, cluster: Mapping[str, Any], rights: Rights | None) -> Credential:
    """Run the plugin with these rights (None: with those of this process). Raises Unusable."""
    command, version = word(plugin, "command"), word(plugin, "apiVersion")
    if not command or version not in VERSIONS:
        raise Unusable("its exec plugin has no command, or an apiVersion that is not known")
    if word(plugin, "interactiveMode") == "Always":
        raise Unusable(f"its exec plugin {command} is interactive, and netdoctor starts it without a terminal")
    if "/" in command:
        command = str(Path(folder, command))  # a relative one begins where the kubeconfig is
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo") is True:
        spec["cluster"] = {**cluster, "config": cluster.get("config")}
    environment = _environment(rights)
    for variable in plugin.get("env") or ():
        pair = mapping(variable, "env")
        environment[word(pair, "name")] = word(pair, "value")
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(info, default=str)
    try:
        done = run([command, *words(plugin, "args")], environment, SECONDS, LARGEST, rights=rights)
    except CannotRead as error:
        raise Unusable(f"its exec plugin {command}: {error.reason}") from error
    remember_answer(done.stdout)
    if done.status:  # what it said may hold a credential of any form, so it is not repeated
        raise Unusable(f"its exec plugin {command} ended with status {done.status}: run it by hand to see what it says")
    return _credential(done.stdout, command)


def _environment(rights: Rights | None) -> dict[str, str]:
    """This process's own, or what a login of the user would have."""
    if rights is None:
        return dict(os.environ)
    home = home_of(rights)
    path = os.pathsep.join([f"{home}/.local/bin", f"{home}/bin", os.environ.get("PATH", os.defpath)])
    return {"HOME": home, "USER": rights.name, "LOGNAME": rights.name, "PATH": path, "LC_ALL": "C.UTF-8"}


def home_of(rights: Rights) -> str:
    """The user's home folder, / where there is none."""
    try:
        return pwd.getpwuid(rights.uid).pw_dir
    except KeyError:
        return "/"


def _credential(data: bytes, command: str) -> Credential:
    try:
        answer = json.loads(data)
        status = answer["status"]
        found = [status.get(name) or "" for name in ("token", "clientCertificateData", "clientKeyData")]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise Unusable(f"its exec plugin {command} gave no ExecCredential") from error
    if not all(isinstance(text, str) for text in found) or not any(found):
        raise Unusable(f"its exec plugin {command} gave no credential")
    return Credential(*found)
