"""Folders of manifests, read for the user who asked: with that user's rights, through no link, and up to a limit.

A checkout is a stranger's: its links, FIFOs and sizes are chosen by its author, and root must not lend its eyes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.errors import BadInput, CannotRead, Why
from netdoctor.system.foreign_files import Content, Folder
from netdoctor.system.rights import Rights, behind_sudo, ours

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
FOLDERS = ("resources", "bases", "components", "generators", "transformers", "validators")  # fields that name some
LARGEST = 256 << 10  # bytes of a kustomization
MOST_FOLDERS = 64
LONGEST_PATH = 4096  # characters: PATH_MAX


@dataclass(frozen=True, slots=True)
class ManifestFolder:
    """A folder with a kustomization."""

    path: str
    kustomization: Mapping[str, Any]
    identity: tuple[int, int]  # device and inode

    def list(self, field: str) -> list[Any]:
        """The list under this key, empty where it holds something else."""
        found = self.kustomization.get(field)
        return found if isinstance(found, list) else []


def rights_in(path: str) -> Rights:
    """Whose rights count in a checkout: those of the user behind sudo, else our own.

    Where root itself called, they are those of a stranger who owns the folder or its kustomization.
    Raises CannotRead.
    """
    if user := behind_sudo():
        return user
    mine = ours()
    if mine.uid != 0:
        return mine
    with Folder.held(path) as folder:
        about = [os.fstat(folder.descriptor), *(found for name in NAMES if (found := folder.about(name)))]
    strangers = [each for each in about if each.st_uid != 0]
    return Rights.of(strangers[0].st_uid, strangers[0].st_gid) if strangers else mine


def kustomization_name(path: str, rights: Rights) -> str | None:
    """The name of the folder's kustomization file, None where it has none. Raises CannotRead for a link."""

    def look() -> str | None:
        with Folder.held(path) as folder:
            return next((name for name in NAMES if folder.about(name)), None)

    return rights.lend(look)


def read(path: str, rights: Rights) -> ManifestFolder:
    """The folder's kustomization. Raises BadInput, also where it names a link, a FIFO or a device."""

    def content() -> tuple[str, Content | None, os.stat_result]:
        with Folder.held(path) as folder:
            about = os.fstat(folder.descriptor)
            for name in NAMES:
                if found := folder.read(name, LARGEST):
                    return name, found, about
            return "", None, about

    try:
        name, found, about = rights.lend(content)
    except CannotRead as error:
        raise unreadable(error, rights) from error
    if found is None:
        raise BadInput(f"{path} is not a folder with a kustomization.yaml: use --kustomization")
    if rights.uid == 0 and (owner := about.st_uid or found.uid):  # who could put a link in it while kustomize reads
        raise BadInput(
            f"{os.path.normpath(path)} belongs to {Rights.of(owner).name}, and root builds only root's own files: "
            "give it to root, or run netdoctor with sudo"
        )
    mapping = _mapping(os.path.join(path, name), found.data)  # noqa: PTH118
    folder = ManifestFolder(path, mapping, (about.st_dev, about.st_ino))
    _refuse_what_is_no_file(folder, rights)
    return folder


def walk(path: str, rights: Rights) -> Iterator[ManifestFolder]:
    """The folder, and those that it builds upon, each once. Raises BadInput."""
    seen: set[tuple[int, int]] = set()
    to_read = [path]
    while to_read:
        folder = read(to_read.pop(), rights)
        if folder.identity in seen:
            continue
        seen.add(folder.identity)
        if len(seen) > MOST_FOLDERS:
            raise BadInput(f"{path} builds on more than {MOST_FOLDERS} folders")
        yield folder
        names = [name for field in FOLDERS for name in folder.list(field) if isinstance(name, str)]
        to_read += reversed(_folders(folder, names, rights))


def unreadable(error: CannotRead, rights: Rights) -> BadInput:
    """The sentence for a file of a checkout that cannot be read."""
    denied = error.why is Why.NOT_PERMITTED and rights.uid != os.geteuid()
    whose = f" with the rights of {rights.name}" if denied else ""
    return BadInput(f"{os.path.normpath(error.source)} cannot be read{whose}: {error.reason}")


def _folders(folder: ManifestFolder, names: list[str], rights: Rights) -> list[str]:
    """Those of the names that are folders, as paths."""

    def look() -> list[str]:
        with Folder.held(folder.path) as held:
            return [os.path.join(folder.path, name) for name in names if held.has_folder(name)]  # noqa: PTH118

    return rights.lend(look)


def _refuse_what_is_no_file(folder: ManifestFolder, rights: Rights) -> None:
    """Raise BadInput where a word of the kustomization is the path of a link, a FIFO or a device.

    kustomize would open it; which of its keys are paths need not be known here.
    """
    words = {word for text in _strings(folder.kustomization) for word in (text, text.partition("=")[2])}

    def look() -> dict[str, CannotRead | None]:
        with Folder.held(folder.path) as held:
            return {word: held.trouble(word) for word in words}

    try:
        troubles = rights.lend(look)
    except CannotRead as error:
        raise unreadable(error, rights) from error
    for word in sorted(words):
        if trouble := troubles[word]:
            raise unreadable(trouble, rights)


def _strings(value: object) -> Iterator[str]:
    """Every string in a YAML document that may be a path."""
    to_see, seen = [value], set()
    while to_see:
        value = to_see.pop()
        if isinstance(value, str):
            if 0 < len(value) < LONGEST_PATH and "\n" not in value and "\0" not in value:
                yield value
        elif isinstance(value, (dict, list)) and id(value) not in seen:
            seen.add(id(value))  # an alias may lead in a circle
            to_see += value.values() if isinstance(value, dict) else value


def _mapping(path: str, data: bytes) -> dict[str, Any]:
    import yaml

    from netdoctor.system.plain_yaml import load, trouble

    try:
        read = load(data.decode("utf-8"))
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"{path} is not YAML that can be read: {trouble(error)}") from error
    if not isinstance(read, dict):
        raise BadInput(f"{path} is not a kustomization")
    return read
