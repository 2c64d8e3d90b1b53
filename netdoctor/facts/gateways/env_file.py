"""The .env files that a kustomization makes its Secrets of: found, and given random keys where none are set."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts.gateways.manifest_folder import ManifestFolder, rights_in, unreadable, walk
from netdoctor.redact import remember
from netdoctor.system.foreign_files import Content, Folder
from netdoctor.system.read_secrets import remember_value
from netdoctor.system.rights import Rights

ASSIGNMENT = re.compile(r"^(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)=(?P<value>.*)$")
# what netdoctor may invent; every other empty value is the user's to fill in
PASSWORD, KEY = re.compile(r"_PASSWORD$"), re.compile(r"(_MASTER_KEY|_SALT_KEY)$")
GUESSABLE = re.compile(r"sk-[a-z-]+-module-key|sk-1234|changeme|password|postgres", re.IGNORECASE)
HEX_DIGITS = 32
LONGEST_LINE = 65536  # bytes: bufio.Scanner, by which kustomize reads, leaves out the rest without a word


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A file of NAME=value lines: what is on the disk, and that with what its example has beyond it."""

    path: str
    on_disk: str | None  # None: there is no such file
    text: str
    mode: int = 0o600  # of the file on the disk

    @property
    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.on_disk is not None

    @property
    def values(self) -> dict[str, str]:
        """Its variables."""
        found = (ASSIGNMENT.match(line.strip()) for line in self.text.split("\n"))
        return {m["name"]: m["value"] for m in found if m}

    @property
    def to_make(self) -> tuple[str, ...]:
        """The empty ones that get a random value."""
        return tuple(n for n, value in self.values.items() if not value and (PASSWORD.search(n) or KEY.search(n)))

    @property
    def to_ask(self) -> tuple[str, ...]:
        """The empty ones that only the user can fill in."""
        return tuple(n for n, value in self.values.items() if not value and n not in self.to_make)

    @property
    def quoted(self) -> tuple[str, ...]:
        """Those in quotes, which would become a part of the value."""
        return tuple(
            n for n, value in self.values.items() if len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        )

    @property
    def open_to_others(self) -> bool:
        """Whether anybody but its owner may read it."""
        return self.exists and bool(self.mode & 0o077)

    @property
    def guessable(self) -> tuple[str, ...]:
        """Those whose value anybody would try first."""
        return tuple(n for n, value in self.values.items() if GUESSABLE.fullmatch(value))


def find(folder: str) -> tuple[EnvFile, ...]:
    """The files that the kustomization in this folder, and those that it builds upon, read. Raises BadInput.

    Read with the rights of the user behind sudo, and through no link.
    """
    try:
        rights = rights_in(folder)
    except CannotRead as error:
        raise BadInput(f"{error.source} cannot be read: {error.reason}") from error
    found: dict[str, EnvFile] = {}
    for one in walk(folder, rights):
        for name in _names(one):
            where = os.path.normpath(os.path.join(one.path, name))  # noqa: PTH118 - through no link
            example, _ = _read(one.path, f"{name}.example", rights)
            own, mode = _read(one.path, name, rights)
            text = example or "" if own is None else _with_missing(own, example or "")
            found[where] = EnvFile(where, own, text, mode)
    return tuple(found.values())


def complete(file: EnvFile) -> EnvFile:
    """Write the file with random values for the keys that have none; what it holds already stays. Raises CannotRead.

    It is made with the rights of the user behind sudo (where root itself called, of its folder's owner) and is theirs;
    nobody else may read it.
    """
    made = dict.fromkeys(file.to_make, "")
    if file.on_disk == file.text and not made:
        return file
    for name in made:
        value = secrets.token_hex(HEX_DIGITS // 2)
        made[name] = value if PASSWORD.search(name) else f"sk-{value}"
        remember(made[name])
    lines = []
    for line in file.text.split("\n"):
        match = ASSIGNMENT.match(line.strip())
        lines.append(f"{match['name']}={made[match['name']]}" if match and match["name"] in made else line)
    text = "\n".join(lines).rstrip("\n") + "\n"
    _write(file, text)
    return EnvFile(file.path, text, text, 0o600)


def _write(file: EnvFile, text: str) -> None:
    """Put the file in its place, unless it has changed since it was read. Raises CannotRead."""
    folder, name = os.path.split(file.path)

    def write() -> None:
        with Folder.held(folder or ".") as held:
            now = held.read(name)
            if (now.data if now else None) != (None if file.on_disk is None else file.on_disk.encode()):
                raise CannotRead(file.path, "somebody has changed it since it was read")
            # git ignores the name beside it, should a kill leave it behind
            held.replace(name, text.encode(), beside=f"{name}.netdoctor-new")

    rights = rights_in(folder or ".")
    try:
        rights.lend(write)
    except OSError as error:
        whose = f" with the rights of {rights.name}" if rights.uid != os.geteuid() else ""
        raise CannotRead.of(file.path, error, f"it cannot be written{whose}: ") from error


def _read(folder: str, name: str, rights: Rights) -> tuple[str | None, int]:
    """The text and mode, None where there is no file. Raises BadInput, also for lines that kustomize would drop."""

    def read() -> Content | None:
        with Folder.held(folder) as held:
            return held.read(name)

    path = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118 - through no link
    try:
        found = rights.lend(read)
        if found is None:
            return None, 0
        text = found.data.decode("utf-8")
    except CannotRead as error:
        raise unreadable(error, rights) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} cannot be read: not UTF-8 text") from error
    for value_of, value in EnvFile(path, text, text).values.items() if not name.endswith(".example") else ():
        remember_value(value_of, value)
        remember_value(value_of, value.strip("'\""))
    for number, line in enumerate(text.split("\n"), start=1):
        if wrong := _trouble(line, first=number == 1):
            raise BadInput(f"{path}, line {number}: {wrong}")
    return text, found.mode


def _trouble(line: str, *, first: bool) -> str:
    """Why kustomize would drop a line or read it otherwise; "" where it would not."""
    bare = line.strip()
    if first and line.startswith("\ufeff"):
        return "it begins with a byte order mark"
    if len(line.encode()) >= LONGEST_LINE:
        return "it is longer than kustomize reads"
    if bare and not bare.startswith("#") and not ASSIGNMENT.match(bare):
        return "it is not NAME=value"
    return "it holds a NUL" if "\0" in line else ""


def _with_missing(own: str, example: str) -> str:
    """The file's text, and the lines of its example for what it does not name."""
    names = EnvFile("", own, own).values
    more = [f"{name}={value}" for name, value in EnvFile("", None, example).values.items() if name not in names]
    return "\n".join([own.rstrip("\n"), *more]) + "\n" if more else own


def _names(folder: ManifestFolder) -> Iterator[str]:
    """The env files of the Secrets that the kustomization in this folder generates, relative to it.

    kustomize reads no file outside of its folder, so none is made there.
    """
    for generator in folder.list("secretGenerator"):
        if not isinstance(generator, dict):
            continue
        envs = generator.get("envs")
        for name in [*(envs if isinstance(envs, list) else []), generator.get("env")]:
            if isinstance(name, str) and name and "\0" not in name:
                relative = os.path.relpath(name, os.path.abspath(folder.path)) if name.startswith("/") else name  # noqa: PTH100
                relative = os.path.normpath(relative)
                if relative != "." and not relative.startswith("../") and relative != "..":
                    yield relative
