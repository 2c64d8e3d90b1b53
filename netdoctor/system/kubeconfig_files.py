"""The files of a kubeconfig, merged as kubectl merges them: of what several define, the first counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdoctor.system.read_secrets import remember_fields

LARGEST = 1 << 20  # bytes of one file
SECTIONS = ("clusters", "contexts", "users")


class Unusable(Exception):
    """What is wrong with a kubeconfig, in words that repeat nothing of it."""


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """A cluster, context or user, and the folder that its relative paths begin at."""

    value: Mapping[str, Any]
    folder: str


@dataclass(frozen=True, slots=True)
class Merged:
    """A context's cluster and user."""

    cluster: ConfigEntry
    user: ConfigEntry
    namespace: str


def merge(files: Iterable[tuple[str, bytes]], wanted: str = "") -> Merged:
    """The context of this name, or the current one, of these files, given as (path, content). Raises Unusable."""
    found, current = _joined(files)
    context = found["contexts"].get(wanted or current)
    named = f"context {wanted}" if wanted else "current context"
    if context is None:
        raise Unusable(f"it has no {named}")
    cluster = found["clusters"].get(word(context.value, "cluster"))
    if cluster is None:
        raise Unusable(f"its {named} names no cluster that it has")
    who = word(context.value, "user")
    user = found["users"].get(who) if who else ConfigEntry({}, context.folder)
    if user is None:
        raise Unusable(f"its {named} names no user that it has")
    return Merged(cluster, user, word(context.value, "namespace"))


def _joined(files: Iterable[tuple[str, bytes]]) -> tuple[dict[str, dict[str, ConfigEntry]], str]:
    """The entries of each section by their names, the first file's first, and the current context. Raises Unusable."""
    found: dict[str, dict[str, ConfigEntry]] = {section: {} for section in SECTIONS}
    current = ""
    for path, data in files:
        config = _parse(data)
        current = current or word(config, "current-context")
        for section in SECTIONS:
            for name, value in _entries(config, section):
                found[section].setdefault(name, ConfigEntry(value, str(Path(path).absolute().parent)))
    return found, current


def _parse(data: bytes) -> Mapping[str, Any]:
    import yaml

    from netdoctor.system.plain_yaml import load

    try:
        config = load(data.decode())
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Unusable(f"{line}it is not YAML") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unusable("it is not YAML") from error
    remember_fields(config.get("users") if isinstance(config, dict) else config)
    if not isinstance(config, dict):
        raise Unusable("it is not a kubeconfig")
    return config


def _entries(config: Mapping[str, Any], section: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    listed = config.get(section)
    if listed is None:
        return
    if not isinstance(listed, list):
        raise Unusable(f"its {section} are not a list")
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise Unusable(f"one of its {section} has no name")
        yield entry["name"], mapping(entry.get(section.removesuffix("s")), section)


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """A mapping, empty for none. Raises Unusable."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Unusable(f"{name}: it is not a mapping")
    return value


def word(values: Mapping[str, Any], name: str) -> str:
    """A text without control characters, "" for none. Raises Unusable."""
    value = values.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not value.replace("\n", "").isprintable():
        raise Unusable(f"its {name} is not a text")
    return value


def words(values: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts. Raises Unusable."""
    value = values.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
        raise Unusable(f"its {name} is not a list of texts")
    return value


def plugin_config(cluster: Mapping[str, Any]) -> Any:
    """What a cluster's entry holds for its credential plugin; None for nothing."""
    for extension in cluster.get("extensions") or ():
        if isinstance(extension, dict) and extension.get("name") == "client.authentication.k8s.io/exec":
            return extension.get("extension")
    return None
