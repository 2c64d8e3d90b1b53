"""A kustomization, built: the objects that a deployment would apply."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from netdoctor.errors import BadInput, CannotRead, Why
from netdoctor.facts.gateways import env_file
from netdoctor.facts.gateways.kustomize import build
from netdoctor.facts.gateways.manifest_folder import NAMES, kustomization_name, rights_in, unreadable, walk
from netdoctor.system.object_shapes import Misshapen, shaped
from netdoctor.system.ownership import described, writers
from netdoctor.system.read_secrets import remember_objects
from netdoctor.system.rights import behind_sudo

DEFAULT = "k8s"
# what kustomize says of a secretGenerator whose file is not there
MISSING_ENV = re.compile(r"env source files: \[[^]]*\]: evalsymlink failure on '([^']*/\.env)'")


class EnvMissing(BadInput):
    """The manifests take their Secrets from a file that is not there."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"{folder}/.env is missing: netdoctor deploy makes one, or copy .env.example")


class Kustomization:
    """the manifests

    Given to the facts by the command that was told of a folder; it holds Secrets, so no recording has it.
    """

    def __init__(self, folder: str, objects: tuple[Mapping[str, Any], ...]) -> None:
        """What `kubectl kustomize` made of a folder."""
        self.folder, self.objects = folder, objects

    @classmethod
    def collect(cls) -> Kustomization:
        """Nobody named one. Raises CannotRead."""
        raise CannotRead("manifests", "no kustomization was named")

    @classmethod
    def build(cls, folder: str) -> Kustomization:
        """Build a folder with kubectl, with the rights that count there. Raises BadInput where that fails.

        Raises CannotRead without kubectl.
        """
        file_in(folder)
        rights = rights_in(folder)
        for _ in walk(folder, rights):  # refuses what is not to be opened
            pass
        done = build(folder, rights)
        if done.status:
            _remember_env_files(folder)  # kubectl may repeat a line of one
            if missing := MISSING_ENV.search(done.stderr):
                raise EnvMissing(os.path.relpath(Path(missing[1]).parent))
            raise BadInput(f"{folder} cannot be built: {done.reason}")
        return cls(folder, parse(done.stdout, folder))


def _remember_env_files(folder: str) -> None:
    with suppress(BadInput):
        env_file.find(folder)


def file_in(folder: str) -> Path:
    """The kustomization file of a folder. Raises BadInput where there is none."""
    if found := _file_in(folder):
        return found
    raise BadInput(f"{folder or 'the empty name'} is not a folder with a kustomization.yaml: use --kustomization")


def _file_in(folder: str) -> Path | None:
    """The same, None where there is none. Raises BadInput where it may not be looked for, or a link leads to it."""
    try:
        rights = rights_in(folder)
    except CannotRead as error:
        if error.why is Why.LINK:
            raise BadInput(f"{folder} cannot be read: {error.reason}") from error
        return None
    try:
        name = kustomization_name(folder, rights)
    except CannotRead as error:
        if error.why in (Why.LINK, Why.NOT_PERMITTED):
            raise unreadable(error, rights) from error
        return None
    return Path(folder, name) if name else None


def parse(text: str, folder: str) -> tuple[Mapping[str, Any], ...]:
    """The objects of a YAML stream. Raises BadInput."""
    import yaml

    from netdoctor.system.plain_yaml import load_all, trouble

    try:
        documents = [d for d in load_all(text) if d is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadInput(f"the manifests of {folder} are not YAML: {trouble(error)}") from error
    for document in documents:
        remember_objects(document)
    for document in documents:
        _require_object(document, folder)
    try:
        return tuple(shaped(document) for document in documents)
    except Misshapen as error:
        raise BadInput(f"the manifests of {folder} cannot be read: {error}") from error


def _require_object(document: object, folder: str) -> None:
    """Raises BadInput for what is not an object with a name."""
    metadata = document.get("metadata") if isinstance(document, dict) and document.get("kind") else None
    if not isinstance(metadata, dict):
        raise BadInput(f"the manifests of {folder} hold something that is not a Kubernetes object")
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        raise BadInput(f"the manifests of {folder} hold an object without a name")


def chosen(named: str | None) -> tuple[str, str]:
    """The folder that was named, else ./k8s where there is one, else ""; and why nobody should take that for granted.

    Who calls root's netdoctor by sudo may be anywhere, and so may root: what stands there is somebody else's word.
    """
    if named is not None:
        return named, ""
    if not Path(DEFAULT).is_dir():
        return "", ""
    if doubt := _doubt():
        return DEFAULT, doubt
    return (DEFAULT if _file_in(DEFAULT) else ""), ""


def _doubt() -> str:
    if os.geteuid() != 0:
        return ""
    if behind_sudo():
        return "sudo may have been called in anybody's folder"
    try:
        others = writers(DEFAULT)
        for name in NAMES:
            others |= writers(f"{DEFAULT}/{name}") if os.path.lexists(f"{DEFAULT}/{name}") else frozenset()
    except OSError as error:
        return f"{DEFAULT} leads nowhere: {error.strerror or error}"
    return f"{described(others)} can change it" if others else ""
