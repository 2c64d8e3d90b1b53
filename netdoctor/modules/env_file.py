"""The .env files that a kustomization makes its Secrets of: found, and given random keys where none are set."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdoctor.errors import BadInput, CannotRead
from netdoctor.modules.kustomization import file_in
from netdoctor.redact import remember

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
        """Whether somebody else than its owner may read it."""
        return self.exists and bool(Path(self.path).stat().st_mode & 0o077)

    @property
    def guessable(self) -> tuple[str, ...]:
        """Those whose value anybody would try first."""
        return tuple(n for n, value in self.values.items() if GUESSABLE.fullmatch(value))


def find(folder: str) -> tuple[EnvFile, ...]:
    """The files that the kustomization in this folder, and those that it builds upon, read. Raises BadInput."""
    found: dict[str, EnvFile] = {}
    for path in _named(Path(folder), set()):
        where = os.path.normpath(path)
        example = _read(path.with_name(path.name + ".example"))
        own = _read(path)
        text = example or "" if own is None else _with_missing(own, example or "")
        found[where] = EnvFile(where, own, text)
    for file in found.values():
        for value in file.values.values() if file.exists else ():
            remember(value)
    return tuple(found.values())


def complete(file: EnvFile) -> EnvFile:
    """Write the file with random values for the keys that have none; what it holds already stays. Raises CannotRead.

    It belongs to whoever owns its folder, and nobody else may read it.
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
    path = Path(file.path).resolve()  # a link stays one
    new = path.with_name(f"{path.name}.netdoctor-new")  # git ignores it, should a kill leave it behind
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        owner = path.parent.stat()
        if os.geteuid() == 0:
            os.chown(new, owner.st_uid, owner.st_gid)
        new.rename(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise CannotRead(file.path, f"it cannot be written: {error.strerror or error}") from error
    return EnvFile(file.path, text, text)


def _read(path: Path) -> str | None:
    """The text, None where there is no file. Raises BadInput, also for lines that kustomize would drop or refuse."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "") or "not UTF-8 text"
        raise BadInput(f"{os.path.normpath(path)} cannot be read: {reason}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        bare = line.strip()
        if number == 1 and line.startswith("\ufeff"):
            wrong = "it begins with a byte order mark"
        elif len(line.encode()) >= LONGEST_LINE:
            wrong = "it is longer than kustomize reads"
        elif bare and not bare.startswith("#") and not ASSIGNMENT.match(bare):
            wrong = "it is no NAME=value"
        elif "\0" in line:
            wrong = "it holds a NUL"
        else:
            continue
        raise BadInput(f"{os.path.normpath(path)}, line {number}: {wrong}")
    return text


def _with_missing(own: str, example: str) -> str:
    """The file's text, and the lines of its example for what it does not name."""
    names = EnvFile("", own, own).values
    more = [f"{name}={value}" for name, value in EnvFile("", None, example).values.items() if name not in names]
    return "\n".join([own.rstrip("\n"), *more]) + "\n" if more else own


def _named(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """The env files of the Secrets that the kustomization in this folder generates, and of the folders below it."""
    place = folder.resolve()
    if place in seen:
        return
    seen.add(place)
    kustomization = _kustomization(folder)
    for generator in _list(kustomization, "secretGenerator"):
        if not isinstance(generator, dict):
            continue
        for name in [*_list(generator, "envs"), generator.get("env")]:
            # kustomize reads no file outside of its folder, so none is made there
            if isinstance(name, str) and name and (folder / name).parent.resolve().is_relative_to(place):
                yield folder / name
    for field in ("resources", "bases", "components"):
        for name in _list(kustomization, field):
            if isinstance(name, str) and (folder / name).is_dir():
                yield from _named(folder / name, seen)


def _list(mapping: Mapping[str, Any], field: str) -> list[Any]:
    found = mapping.get(field)
    return found if isinstance(found, list) else []


def _kustomization(folder: Path) -> dict[str, Any]:
    import yaml

    path = file_in(folder)
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"{path} is no YAML that can be read: {' '.join(str(error).split())[:160]}") from error
    if not isinstance(read, dict):
        raise BadInput(f"{path} is no kustomization")
    return read
