"""The kubeconfig: which one is used, whether root may use it, and all that it refers to in one piece.

One that somebody other than root can change is used with that user's rights only: no program is started for it, and no
file is read that the user could not read. What was looked at is handed on as data, never by its path.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from netdoctor.errors import BadInput, CannotRead
from netdoctor.redact import remember
from netdoctor.system import kubeconfig_files
from netdoctor.system.credential_plugin import Credential, ask_plugin, home_of
from netdoctor.system.foreign_files import read_named
from netdoctor.system.ownership import ANYBODY, described, rights_for, writers
from netdoctor.system.read_secrets import remember_key
from netdoctor.system.rights import CALLERS, Rights, behind_sudo

# where kubeadm, k3s, RKE2, k0s and minikube's none driver leave an administrator's kubeconfig
KUBECONFIGS = (
    "/etc/kubernetes/admin.conf",
    "/etc/rancher/k3s/k3s.yaml",
    "/etc/rancher/rke2/rke2.yaml",
    "/var/lib/k0s/pki/admin.conf",
    "/root/.kube/config",
    "/var/lib/minikube/kubeconfig",
)
# after everybody's own: a whole group may change that of MicroK8s, and the kubelet may read little
LAST_KUBECONFIGS = ("/var/snap/microk8s/current/credentials/client.config", "/etc/kubernetes/kubelet.conf")
LARGEST_PART = 256 << 10  # bytes of a certificate, a key or a token
CLUSTER_WORDS = ("server", "tls-server-name", "proxy-url")
USER_WORDS = ("username", "password", "as", "as-uid")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user asked for on the command line."""

    file: str = ""
    as_user: bool = False
    context: str = ""  # "": the current one
    starts_nothing: bool = False  # one that needs a program cannot be used then


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """One context in one piece: it names no file and starts no program."""

    path: str  # as it was found; several with a colon between them
    config: Mapping[str, Any]

    def __repr__(self) -> str:
        """Without what it holds."""
        return f"Kubeconfig({self.path!r})"

    @property
    def data(self) -> bytes:
        """As kubectl reads it."""
        return json.dumps(self.config).encode()

    @property
    def user(self) -> Mapping[str, Any]:
        """Its only user."""
        found: Mapping[str, Any] = self.config["users"][0]["user"]
        return found


class _Choices:
    current = Choice()
    used = ""


def choose(
    *, file: str | None = None, as_user: bool = False, context: str | None = None, starts_nothing: bool = False
) -> None:
    """Use this file, this context, or the rights of the user behind sudo, from now on. Raises BadInput.

    `starts_nothing`: no program is run for it.
    """
    if file is not None:
        if not file or not Path(file).is_file():
            raise BadInput(f"--kubeconfig {file}: there is no such file")
        _Choices.current = replace(_Choices.current, file=str(Path(file).absolute()))
    if context is not None:
        if not context or not context.isprintable():
            raise BadInput("--context: it is not the name of a context")
        _Choices.current = replace(_Choices.current, context=context)
    if as_user:
        if behind_sudo() is None:
            raise BadInput("--as-user is for root through sudo, and sudo was not used here")
        _Choices.current = replace(_Choices.current, as_user=True)
    if starts_nothing:
        _Choices.current = replace(_Choices.current, starts_nothing=True)


def current() -> Kubeconfig:
    """The kubeconfig of this process, read and looked at once. Raises CannotRead."""
    environment = tuple(os.environ.get(name, "") for name in ("KUBECONFIG", "HOME", "SUDO_USER", *CALLERS))
    found = _load(_Choices.current, environment, os.geteuid(), str(Path.cwd()))
    _Choices.used = found.path
    return found


def used() -> str:
    """The path of the kubeconfig that this process has used; "" for none."""
    return _Choices.used


@lru_cache(maxsize=4)
def _load(choice: Choice, _environment: tuple[str, ...], _uid: int, _folder: str) -> Kubeconfig:
    user = behind_sudo() if choice.as_user else None
    path = choice.file or find(user)
    explicit = bool(choice.file)
    reader = _Reader(path.split(os.pathsep), explicit=explicit, user=user, starts_nothing=choice.starts_nothing)
    try:
        return Kubeconfig(path, _flat(reader, choice.context))
    except kubeconfig_files.Unusable as error:
        raise CannotRead(f"kubeconfig {path}", f"it cannot be used: {error}") from error


def find(user: Rights | None = None) -> str:
    """The path of the kubeconfig to use; several, as KUBECONFIG may name them. Raises CannotRead for none."""
    named = [str(Path(p).absolute()) for p in os.environ.get("KUBECONFIG", "").split(os.pathsep) if p]
    if user is not None:
        return os.pathsep.join(named) or f"{home_of(user)}/.kube/config"
    if readable := [p for p in named if os.access(p, os.R_OK)]:
        return os.pathsep.join(readable)
    candidates = named or _usual_paths()
    for path in candidates:
        if os.access(path, os.R_OK):
            return path
    raise CannotRead("kubeconfig", f"none that can be read: {', '.join(dict.fromkeys(candidates))}")


def _usual_paths() -> list[str]:
    """Where a kubeconfig is that nobody named: the node's own, this user's, the sudo user's, the kubelet's."""
    homes = [os.environ.get("HOME", "")]
    if name := os.environ.get("SUDO_USER"):
        with suppress(KeyError):
            homes.append(pwd.getpwnam(name).pw_dir)
    return [*KUBECONFIGS, *(f"{home}/.kube/config" for home in homes if home), *LAST_KUBECONFIGS]


class _Reader:
    """Reads the files of a kubeconfig with the rights that it deserves."""

    def __init__(self, paths: list[str], *, explicit: bool, user: Rights | None, starts_nothing: bool) -> None:
        self.paths, self.user, self.starts_nothing = paths, user, starts_nothing
        self.free = explicit or os.geteuid() != 0
        others: set[int] = set()
        if not self.free and user is None:
            for path in paths:
                try:
                    others |= writers(path)
                except OSError as error:
                    raise CannotRead.of(f"kubeconfig {path}", error, "it cannot be used: ") from error
        self.others = frozenset(others)
        self.rights = user or rights_for(self.others)

    def file(self, path: str, limit: int = LARGEST_PART) -> bytes:
        """A file that the kubeconfig names, or itself. Raises Unusable."""
        rights = self.rights
        try:
            if rights is None and not self.free:
                rights = rights_for(writers(path))  # root's kubeconfig that names a file in somebody's home
            if rights is None:
                return read_named(path, limit).data
            return rights.lend(lambda: read_named(path, limit)).data
        except (CannotRead, OSError) as error:
            reason = error.reason if isinstance(error, CannotRead) else error.strerror or str(error)
            whose = f", read with the rights of {rights.name}" if rights else ""
            if ANYBODY in self.others and path in self.paths:
                whose += ", because a group or everybody can change it: --kubeconfig FILE uses it anyway"
            raise kubeconfig_files.Unusable(f"{path}: {reason}{whose}") from error

    def start_for(self, what: str) -> None:
        """Whether a program may be started for it. Raises Unusable."""
        if self.starts_nothing:
            raise kubeconfig_files.Unusable(f"it needs {what}, and nothing is started here")
        if self.others:
            raise kubeconfig_files.Unusable(
                f"it can be changed by {described(self.others)} and needs {what}, which root does not start: "
                "--as-user uses that user's rights, --kubeconfig FILE uses it anyway"
            )


def _flat(reader: _Reader, context_name: str) -> dict[str, Any]:
    """This context, or the current one, with all that it refers to. Raises Unusable."""
    files = [(path, reader.file(path, kubeconfig_files.LARGEST)) for path in reader.paths]
    merged = kubeconfig_files.merge(files, context_name)
    cluster, user = _cluster(merged, reader), _user(merged, reader)
    plugin = kubeconfig_files.mapping(merged.user.value.get("exec"), "exec")
    if plugin:
        command = kubeconfig_files.word(plugin, "command") or "without a name"
        reader.start_for(f"the program {command}")
        about = {**cluster, "config": kubeconfig_files.plugin_config(merged.cluster.value)}
        _take(user, ask_plugin(plugin, merged.user.folder, about, reader.user))
    provider = kubeconfig_files.mapping(merged.user.value.get("auth-provider"), "auth-provider")
    if provider:
        reader.start_for("an auth provider")
        if reader.user is not None:
            raise kubeconfig_files.Unusable("its auth provider cannot be used with another user's rights")
        user["auth-provider"] = provider
    for name in ("token", "password"):
        remember(str(user.get(name, "")))
    context: dict[str, Any] = {"cluster": "cluster", "user": "user"}
    if merged.namespace:
        context["namespace"] = merged.namespace
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "context",
        "contexts": [{"name": "context", "context": context}],
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
    }


def _cluster(merged: kubeconfig_files.Merged, reader: _Reader) -> dict[str, Any]:
    value = merged.cluster.value
    found: dict[str, Any] = {name: text for name in CLUSTER_WORDS if (text := kubeconfig_files.word(value, name))}
    if not found.get("server", "").startswith(("https://", "http://")):
        raise kubeconfig_files.Unusable("its cluster names no server by http or https")
    if data := _part(merged.cluster, "certificate-authority", reader):
        found["certificate-authority-data"] = data
    if value.get("insecure-skip-tls-verify") is True:
        found["insecure-skip-tls-verify"] = True
    return found


def _user(merged: kubeconfig_files.Merged, reader: _Reader) -> dict[str, Any]:
    value = merged.user.value
    found: dict[str, Any] = {name: text for name in USER_WORDS if (text := kubeconfig_files.word(value, name))}
    for name in ("client-certificate", "client-key"):
        if data := _part(merged.user, name, reader):
            found[f"{name}-data"] = data
    token = kubeconfig_files.word(value, "token")
    if path := kubeconfig_files.word(value, "tokenFile"):
        token = reader.file(str(Path(merged.user.folder, path))).decode(errors="replace").strip()
        remember(token)
    if token:
        found["token"] = checked_token(token)
    if groups := kubeconfig_files.words(value, "as-groups"):
        found["as-groups"] = groups
    if extra := kubeconfig_files.mapping(value.get("as-user-extra"), "as-user-extra"):
        found["as-user-extra"] = {str(key): kubeconfig_files.words(extra, key) for key in extra}
    return found


def checked_token(token: str) -> str:
    """The token, if it can stand in a header: what a file holds that is none is not shown. Raises Unusable."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise kubeconfig_files.Unusable("its token holds characters that no token has")
    return token


def _take(user: dict[str, Any], credential: Credential) -> None:
    if credential.token:
        user["token"] = checked_token(credential.token)
    if credential.certificate and credential.key:
        for name, text in (("client-certificate-data", credential.certificate), ("client-key-data", credential.key)):
            user[name] = base64.b64encode(text.encode()).decode()


def _part(entry: kubeconfig_files.ConfigEntry, name: str, reader: _Reader) -> str:
    """A certificate or key in base64, out of the kubeconfig or of the file that it names; "" for none."""
    data = kubeconfig_files.word(entry.value, f"{name}-data")
    if data:
        try:
            base64.b64decode(data)
        except (binascii.Error, ValueError) as error:
            raise kubeconfig_files.Unusable(f"its {name}-data is not base64") from error
        return data
    path = kubeconfig_files.word(entry.value, name)
    data = base64.b64encode(reader.file(str(Path(entry.folder, path)))).decode() if path else ""
    if name == "client-key":
        remember_key(data)
    return data
