"""Named fields of one object of the API server.

It is a JSON patch (RFC 6902): the API server makes all of its operations or none, each `test` is a precondition, and a
list keeps every field that is not named. Server-side apply could not be undone: it takes over who owns a field, cannot
remove a key that somebody else wrote, and giving a field up again removes it. A merge patch replaces whole lists. A
precondition on the resourceVersion would refuse because a controller has written a status meanwhile, so the object's
uid and the very values that are replaced are tested instead (docs/adr/0008-json-patch.md).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from netdoctor.changes.kube_proxy import Translation, translate
from netdoctor.errors import BadInput, CannotRead, Drifted, NotRehearsable
from netdoctor.model import NeedsTheNode, NotApplicable
from netdoctor.system.host import Host
from netdoctor.system.kube_api import ApiError, connect
from netdoctor.twin.state import State

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
UID = re.compile(r"[A-Za-z0-9-]{1,64}")
LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,315}[A-Za-z0-9])?")
PORT_NAME = re.compile(r"[a-z0-9-]{1,15}")
REFUSED = (404, 409, 422)  # gone, changed by somebody at the same moment, or a test of the patch failed
READY_SECONDS = 45.0  # until a workload's pods are ready: CoreDNS takes three to eight
PAUSE = 0.3
Field = tuple[str, str, str]  # JSON pointer, the value before and the value after, both as JSON


def _is_replicas(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 1000


def _is_port(value: Any) -> bool:
    if type(value) is int:
        return 0 < value < 65536
    return isinstance(value, str) and PORT_NAME.fullmatch(value) is not None


def _is_protocol(value: Any) -> bool:
    return value in ("TCP", "UDP", "SCTP")


def _is_selector(value: Any) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    return all(isinstance(word, str) and LABEL.fullmatch(word) for pair in value.items() for word in pair)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where objects of a kind are, which of their fields may be changed, and which may be tested beside these."""

    path: str
    fields: Mapping[str, Callable[[Any], bool]]  # pattern of the JSON pointer, and what may stand there
    beside: Mapping[str, Callable[[Any], bool]]


# no other kind and no other field is written; a Secret's value would stand in the journal
KINDS = {
    "Deployment": _Kind("/apis/apps/v1/namespaces/{}/deployments/{}", {"/spec/replicas": _is_replicas}, {}),
    "Service": _Kind(
        "/api/v1/namespaces/{}/services/{}",
        {"/spec/selector": _is_selector, r"/spec/ports/\d{1,3}/targetPort": _is_port},
        {r"/spec/ports/\d{1,3}/port": _is_port, r"/spec/ports/\d{1,3}/protocol": _is_protocol},
    ),
}


@dataclass(frozen=True, slots=True)
class PatchObject:
    """Change some fields of a Deployment or a Service; no other field, and nobody else's later change."""

    needs_the_node: ClassVar[bool] = True
    kind: ClassVar[str] = "kubernetes-object"
    of_kind: str
    namespace: str
    name: str
    uid: str  # another object of that name is not changed
    fields: tuple[Field, ...]
    beside: tuple[tuple[str, str], ...] = ()  # pointer and value as JSON: what else has to be so, and stays
    translations: tuple[Translation, ...] = ()  # what kube-proxy's rules will do then, for a rehearsal

    def __post_init__(self) -> None:
        if self.of_kind not in KINDS:  # a journal may name any
            raise BadInput(f"netdoctor changes no object of kind {self.of_kind}")
        if not all(map(NAME.fullmatch, (self.namespace, self.name))) or not UID.fullmatch(self.uid):
            raise BadInput(f"this is not the name and uid of a {self.of_kind}")
        allowed = KINDS[self.of_kind]
        if not self.fields:
            raise BadInput(f"no field of {self} is named")
        for pointer, *values in self.fields:
            _insist(allowed.fields, pointer, values)
        for pointer, value in self.beside:
            _insist(allowed.beside, pointer, [value])

    def __str__(self) -> str:
        return f"{self.of_kind} {self.namespace}/{self.name}"

    @classmethod
    def planned(
        cls,
        host: Host,
        of_kind: str,
        namespace: str,
        name: str,
        fields: Iterable[tuple[str, Any]],
        *,
        beside: Iterable[tuple[str, Any]] = (),
        translations: Iterable[Translation] = (),
    ) -> PatchObject:
        """The change of these fields (JSON pointer, new value) from what they are now.

        Raises CannotRead; NotApplicable where a field is not there or a controller keeps the object; NeedsTheNode for
        a recorded node.
        """
        if not host.live:
            raise NeedsTheNode("a recording does not hold the object that would be changed")
        found = connect(host).find(_path(of_kind, namespace, name))
        if found is None:
            raise NotApplicable(f"{of_kind} {namespace}/{name} is gone")
        owners = found["metadata"].get("ownerReferences") or ()
        if owners:
            owner = f"{owners[0]['kind']} {owners[0]['name']}"
            raise NotApplicable(f"{of_kind} {namespace}/{name} belongs to {owner}, which would write it again")
        changed = tuple((pointer, _value_at(found, pointer), json.dumps(value)) for pointer, value in fields)
        kept = tuple((pointer, json.dumps(value)) for pointer, value in beside)
        try:
            return cls(of_kind, namespace, name, found["metadata"]["uid"], changed, kept, tuple(translations))
        except BadInput as error:
            raise NotApplicable(str(error)) from error

    def describe(self) -> str:
        """One line: what will be different."""
        return f"{self}: {', '.join(f'{_dotted(pointer)} = {new}' for pointer, _, new in self.fields)}"

    def diff(self) -> str:
        """Each field before and after."""
        lines = []
        for pointer, old, new in self.fields:
            lines += [f"-{self} {_dotted(pointer)} = {old}", f"+{self} {_dotted(pointer)} = {new}"]
        return "\n".join(lines)

    def in_short(self) -> list[str]:
        """Each field before and after."""
        return [f"{line[0]} {line[1:]}" for line in self.diff().splitlines()]

    def touched(self) -> tuple[tuple[str, str], ...]:
        """Each field."""
        return tuple(("field{s} of Kubernetes objects", f"{self} {pointer}") for pointer, _, _ in self.fields)

    def is_of_netdoctor(self) -> bool:
        """Whether a remedy makes such a change: it mends Services, and scales up what is scaled to 0 in kube-system."""
        return self.of_kind == "Service" or (self.namespace == "kube-system" and self._before == ["0"])

    @property
    def _before(self) -> list[str]:
        return [old for _, old, _ in self.fields]

    @property
    def _waits_for(self) -> int:
        """How many pods of the workload have to be ready afterwards."""
        return int(self.fields[0][2]) if self.of_kind == "Deployment" else 0

    def check(self, host: Host) -> None:
        """Raise Drifted unless it is the same object, with the same values in these fields. Raises CannotRead."""
        found = self._found(host)
        if found is None:
            raise Drifted(f"{self} is gone or another one since the repair was planned")
        for pointer, old, _ in self.fields:
            self._insist_on(found, pointer, old)
        for pointer, value in self.beside:
            self._insist_on(found, pointer, value)

    def apply(self, host: Host) -> None:
        """Change the fields, and wait until the pods that are wanted are ready. Raises Drifted, CannotRead."""
        written = self._write(host, [(pointer, old, new) for pointer, old, new in self.fields])
        for pointer, _, new in self.fields:
            if not _same(_value_at(written, pointer), new):
                raise CannotRead(str(self), f"somebody changed {_dotted(pointer)} as it was written")
        end = time.monotonic() + READY_SECONDS
        while self._waits_for and self._ready(host) < self._waits_for:
            if time.monotonic() > end:
                raise CannotRead(str(self), f"its pods are not ready after {READY_SECONDS:g} s")
            time.sleep(PAUSE)

    def touches_no_way(self, state: State) -> str:  # noqa: ARG002 - of no node
        """Why it changes nothing for any packet that is answered now; "" where a copy shows what it does."""
        if self.of_kind != "Deployment":
            return ""
        return "pods start behind a Service that has none: no rule, route or setting changes for what is there now"

    def rehearse(self, host: Host) -> None:
        """Have the copy translate as kube-proxy's rules will. Raises CannotRead, NotRehearsable."""
        if not self.translations:
            raise NotRehearsable(f"which pods {self} will lead to is not known")
        translate(host, self.translations, earlier=1)

    def undo(self, host: Host) -> str | None:
        """Set the fields back, and no others. Raises Drifted when somebody has changed one since, CannotRead."""
        found = self._found(host)
        if found is None:
            return f"{self} is gone or another one since: nothing of it is set back"
        made: list[Field] = []
        for pointer, old, new in self.fields:
            now = _value_at(found, pointer)
            if _same(now, old):
                continue  # not made, or undone already
            self._insist_on(found, pointer, new)
            made.append((pointer, new, old))
        for pointer, value in self.beside:
            self._insist_on(found, pointer, value)
        if made:
            self._write(host, made)
        return None

    def _found(self, host: Host) -> dict[str, Any] | None:
        """The object as it is now; None where it is gone, or another one has its name."""
        found = connect(host).find(self._path)
        return found if found and found["metadata"].get("uid") == self.uid else None

    @property
    def _path(self) -> str:
        return _path(self.of_kind, self.namespace, self.name)

    def _insist_on(self, found: Mapping[str, Any], pointer: str, value: str) -> None:
        """Raise Drifted where another value stands there."""
        now = _value_at(found, pointer)
        if not _same(now, value):
            raise Drifted(f"{_dotted(pointer)} of {self} is {now or 'gone'}, and it was {value}")

    def _write(self, host: Host, fields: list[Field]) -> dict[str, Any]:
        """Replace values, if each is still what it was; the object then. Raises Drifted, CannotRead."""
        tests = [("/metadata/uid", json.dumps(self.uid)), *self.beside, *((at, was) for at, was, _ in fields)]
        patch = [{"op": "test", "path": pointer, "value": json.loads(value)} for pointer, value in tests]
        patch += [{"op": "replace", "path": at, "value": json.loads(becomes)} for at, _, becomes in fields]
        try:
            return connect(host).patch(self._path, patch)
        except ApiError as error:
            if error.status not in REFUSED:
                raise
            raise Drifted(f"{self} has changed at this moment: the API server says {error.reason}") from error

    def _ready(self, host: Host) -> int:
        found = self._found(host)
        if found is None:
            raise CannotRead(str(self), "it is gone")
        status = found.get("status") or {}
        seen = status.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
        return int(status.get("readyReplicas", 0)) if seen else 0


def _path(of_kind: str, namespace: str, name: str) -> str:
    return KINDS[of_kind].path.format(namespace, name)


def _insist(allowed: Mapping[str, Callable[[Any], bool]], pointer: str, values: Iterable[str]) -> None:
    """Raise BadInput for a field that is not on the list, or a value that cannot stand there."""
    fitting = [fits for pattern, fits in allowed.items() if re.fullmatch(pattern, pointer)]
    try:
        right = bool(fitting) and all(fitting[0](json.loads(value)) for value in values)
    except ValueError:
        right = False
    if not right:
        raise BadInput(f"{_dotted(pointer)[:80]} is not a field that netdoctor changes, or its value is none")


def _value_at(obj: Any, pointer: str) -> str:
    """The value at a JSON pointer, as JSON; "" where there is none."""
    for part in pointer.split("/")[1:]:
        if isinstance(obj, list) and part.isdecimal() and int(part) < len(obj):
            obj = obj[int(part)]
        elif isinstance(obj, Mapping) and part in obj:
            obj = obj[part]
        else:
            return ""
    return json.dumps(obj, sort_keys=True)


def _same(value: str, other: str) -> bool:
    """Whether two values are the same as JSON; "" is none."""
    return bool(value) and bool(other) and json.loads(value) == json.loads(other)


def _dotted(pointer: str) -> str:
    """As `kubectl explain` writes a field."""
    return pointer.removeprefix("/").replace("/", ".")
