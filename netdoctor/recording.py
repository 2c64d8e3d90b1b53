"""Facts in a file: what a user attaches to an issue, and what `check --facts` judges without the machine.

A recording holds every fact that was read, as JSON by the fact's name, or why it could not be read. Secrets are not
facts, and every text passes the redaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from typing import Any

from netdoctor.catalogue import Catalogue
from netdoctor.errors import BadInput, CannotRead
from netdoctor.facts import Facts, parameters
from netdoctor.kube_api import KubeApi
from netdoctor.report.schema import plain

SCHEMA_VERSION = 1


def to_json(facts: Facts) -> str:
    """Everything that was read, as JSON."""
    stored: dict[str, Any] = {}
    for kind, value in facts.known().items():
        if isinstance(value, CannotRead):
            stored[kind.__name__] = {"cannot_read": {"source": value.source, "reason": value.reason}}
        elif is_dataclass(value) and not isinstance(value, type) and hasattr(kind, "collect"):
            stored[kind.__name__] = {"fact": asdict(value)}
        elif isinstance(value, KubeApi):
            stored[kind.__name__] = {"answered": {"server": value.server, "version": value.version}}
    return json.dumps({"schema_version": SCHEMA_VERSION, "facts": plain(stored)}, indent=1, ensure_ascii=False)


def from_json(text: str, catalogue: Catalogue) -> Facts:
    """The facts of a recording; what it does not hold cannot be read. Raises BadInput with one sentence."""
    try:
        recording = json.loads(text)
        version, stored = recording["schema_version"], dict(recording["facts"])
    except KeyError as error:
        raise BadInput(f"not a recording of netdoctor: it has no {error}") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(f"not a recording of netdoctor: {error}") from error
    if version != SCHEMA_VERSION:
        raise BadInput(f"a recording of version {version}; this netdoctor reads version {SCHEMA_VERSION}")
    kinds = {kind.__name__: kind for kind in wanted(catalogue)}
    given = {kinds[name]: _value(kinds[name], name, entry) for name, entry in stored.items() if name in kinds}
    return Facts(given, live=False)


def wanted(catalogue: Catalogue) -> Iterator[type]:
    """Every kind of fact that a probe asks for."""
    kinds = [want.kind for probe in catalogue.probes.values() for want in parameters(probe.run)]
    remedies = [want.kind for remedy in catalogue.remedies.values() for want in parameters(remedy.plan, skip=1)]
    return iter(dict.fromkeys([*kinds, *remedies]))


def _value(kind: type, name: str, entry: Any) -> object:
    from pydantic import TypeAdapter, ValidationError

    try:
        if "cannot_read" in entry:
            return CannotRead(str(entry["cannot_read"]["source"]), str(entry["cannot_read"]["reason"]))
        if kind is KubeApi:
            return _Answered(str(entry["answered"]["server"]), str(entry["answered"]["version"]))
        return TypeAdapter(kind).validate_python(entry["fact"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([name, *(str(part) for part in first["loc"])])
        raise BadInput(f"the recording is damaged: {where}: {first['msg']}") from error
    except (KeyError, TypeError) as error:
        raise BadInput(f"the recording is damaged: {name} has no fact in it") from error


class _Answered(KubeApi):
    """An API server that answered when the recording was made."""

    def __init__(self, server: str, version: str) -> None:
        self.server, self.version = server, version
