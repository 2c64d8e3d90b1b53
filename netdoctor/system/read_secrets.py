"""Secrets that netdoctor reads: remembered where they enter, before anything can be raised or written.

What does not have the expected form is passed over: this looks at objects and files before their form is checked.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from netdoctor.redact import remember
from netdoctor.system.foreign_text import is_address

SECRET_NAME = re.compile(r"KEY|PASS|PWD|TOKEN|SECRET|SALT|CREDENTIAL|BEARER|DSN", re.IGNORECASE)
# fields of that kind of name that hold a file's path or another thing's name
NO_SECRET = re.compile(r"(?:File|Path|Name|Ref|_FILE|_PATH|_NAME)$|(?:^|\.)(?:client-key|key|keys|secretKeyRef)$")
PLACEHOLDERS = ("none", "null", "empty", "unused", "dummy", "ollama")  # keys for providers that ask for no key
ENVIRONMENT = "os.environ/"  # a LiteLLM config's way to name a variable
URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
LOGIN = re.compile(r"://[^/:@\s]*:(?P<password>.*)@", re.DOTALL)
LONG = 16  # characters; a value of so many is a secret whatever its name
# what a report is made of: users, databases, hosts, numbers, switches
ORDINARY = re.compile(r"[a-z]+(?:[-_.][a-z0-9]+)*|[\d.,:/-]+|true|false|yes|no|on|off", re.IGNORECASE)
HOST = re.compile(r"[a-z][a-z-]{0,40}(?:\.[a-z][a-z-]{0,40}){1,5}(?::\d{1,5})?")
PRICE = re.compile(r"\d+(?:\.\d+)?e-?\d+|\d+\.\d+")  # of a token
OPTION = re.compile(r"--?(?P<name>[\w-]+)(?:=(?P<value>.+))?", re.DOTALL)
MOST = 500  # variables of one answer: in a pod's manifest a tenant may write any number
DEEPEST = 40


def remember_url(url: str) -> None:
    """The password of a URL, as it stands there and decoded; of one that cannot be taken apart all that may be it."""
    found = {match["password"] for match in LOGIN.finditer(url)}
    try:
        parts = urlsplit(url)
        found |= {parts.password or "", (parts.username or "") if len(parts.username or "") >= LONG else ""}
    except ValueError:
        found.add(url)
    for secret in found:
        remember(secret)
        remember(unquote(secret))


def remember_value(name: str, value: str) -> None:
    """A value by its name: of a Secret, a variable, a line of an .env file, a field of a configuration."""
    if value.startswith(ENVIRONMENT) or value.lower() in PLACEHOLDERS:
        return
    if URL.match(value):
        remember_url(value)
    elif (SECRET_NAME.search(name) and not NO_SECRET.search(name)) or not is_ordinary(value):
        remember(value)


def is_ordinary(value: str) -> bool:
    """Whether a value without a telling name is not a secret: a name, a number, a switch or an address."""
    if len(value) < LONG and ORDINARY.fullmatch(value):
        return True
    return HOST.fullmatch(value) is not None or is_address(value.partition("/")[0])


def remember_fields(value: Any, name: str = "", depth: int = 0) -> None:
    """What stands under a telling name in a configuration, such as a kubeconfig or LiteLLM's."""
    if depth > DEEPEST:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            remember_fields(item, f"{name}.{key}", depth + 1)
        if isinstance(variable := value.get("name"), str) and isinstance(said := value.get("value"), str):
            _remember_named(variable, said)
    elif isinstance(value, list):
        for item in value:
            remember_fields(item, name, depth + 1)
        _remember_options(value)
    elif isinstance(value, str):
        _remember_named(name, value)


def remember_key(data: str) -> None:
    """A private key in base64, and as it is."""
    remember(data)
    try:
        remember(base64.b64decode(data).decode(errors="replace"))
    except (binascii.Error, ValueError):
        return


def remember_objects(answer: Any, kind: str = "") -> None:
    """The values of Secrets, and of the variables of pods and workloads, in an object or a list of objects."""
    if not isinstance(answer, dict):
        return
    own = answer.get("kind") if isinstance(answer.get("kind"), str) else kind
    if isinstance(items := answer.get("items"), list):
        for item in items:
            remember_objects(item, str(own).removesuffix("List"))
    elif own == "Secret":
        for name, value in _values(answer):
            remember_value(name, value)
    for count, (name, value) in enumerate(_variables(answer)):
        if count >= MOST:
            return
        if not is_ordinary(value):  # or a tenant could take words out of every report
            _remember_named(name, value)


def remember_answer(data: bytes) -> None:
    """What a credential plugin wrote to its standard output, whatever its form."""
    try:
        status = json.loads(data)["status"]
        for name in ("token", "clientKeyData"):
            if isinstance(status.get(name), str):
                remember(status[name])
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        for word in re.findall(r"[^\s\"'{}\[\],]{16,}", data.decode(errors="replace"))[:MOST]:
            if not is_ordinary(word) and re.search(r"\d", word):
                remember(word)


def _remember_named(name: str, value: str) -> None:
    if value.startswith(ENVIRONMENT) or value.lower() in PLACEHOLDERS or PRICE.fullmatch(value):
        return
    if URL.match(value):
        remember_url(value)
    elif SECRET_NAME.search(name) and not NO_SECRET.search(name):
        remember_key(value) if name.endswith("key-data") else remember(value)


def _remember_options(words: list[Any]) -> None:
    """The values of options such as --token=... and --password ..."""
    texts = [word for word in words if isinstance(word, str)]
    for word, after in zip(texts, [*texts[1:], ""], strict=False):
        if option := OPTION.fullmatch(word):
            _remember_named(option["name"], option["value"] or ("" if after.startswith("-") else after))


def _values(secret: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("data", "stringData"):
        held = secret.get(field)
        for name, value in held.items() if isinstance(held, dict) else ():
            if not isinstance(value, str):
                continue
            yield str(name), value if field == "stringData" else _decoded(value)


def _decoded(value: str) -> str:
    """The text; what is none is known by its base64."""
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return value


def _variables(obj: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of the variables in an object's pod template, or its own if it is a pod."""
    spec = obj.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    inner = template.get("spec") if isinstance(template, dict) else spec
    for field in ("initContainers", "containers"):
        containers = inner.get(field) if isinstance(inner, dict) else None
        for container in containers if isinstance(containers, list) else ():
            variables = container.get("env") if isinstance(container, dict) else None
            for variable in variables if isinstance(variables, list) else ():
                if isinstance(variable, dict) and isinstance(variable.get("value"), str):
                    yield str(variable.get("name", "")), variable["value"]
