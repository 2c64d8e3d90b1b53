"""Commands for a person to type: their words are the project's own, and each value that was found stays one inert word.

Values come from strangers: names of interfaces, rules of packet filters, objects of a cluster, recordings.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from string import Formatter

from netdoctor.redact import one_line

MOST = 8  # lines that anybody types
# where a file lies that a command may name, which are a CNI's: a recording must not have root open another one
FOLDERS = (
    "/etc/cni/net.d", "/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni", "/var/lib/rancher/k3s",
    "/var/snap/microk8s/current", "/var/lib/cni/networks",
)  # fmt: skip
URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(?:/[A-Za-z0-9._~/-]*)?")


def is_path(word: str) -> bool:
    """Whether it is one of FOLDERS or an absolute path below one, without a step back up."""
    path = PurePosixPath(word)
    return ".." not in path.parts and any(path.is_relative_to(folder) for folder in FOLDERS)


# what may stand in a form as {:KIND}, and whether a word is of that kind
KINDS: dict[str, Callable[[str], bool]] = {
    "": lambda word: not word.startswith("-"),
    "path": is_path,
    "url": lambda word: URL.fullmatch(word) is not None,
    "options": lambda _word: True,  # whoever gives them has looked at each
}


def command(form: str, *values: object) -> tuple[str, ...]:
    """The line, with a value in place of each `{}` of its form; a tuple of words is as many words.

    `{:path}` and `{:url}` take nothing else, and only `{:options}` takes a word that begins with a hyphen.
    () where a value is empty, not of its kind, does not print as it is, or may be a secret.
    """
    kinds = [kind or "" for _, name, kind, _ in Formatter().parse(form) if name is not None]
    if not all(_fits(value, kind) for value, kind in zip(values, kinds, strict=True)):
        return ()
    line = re.sub(r"\{:[a-z]+\}", "{}", form).format(*map(_quoted, values))
    return (line,) if one_line(line) == line else ()


def all_of(commands: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The lines of all these commands; () where one of them is missing, or there are too many to type."""
    found = tuple(commands)
    lines = tuple(dict.fromkeys(line for each in found for line in each))
    return lines if all(found) and len(lines) <= MOST else ()


def _fits(value: object, kind: str) -> bool:
    """Whether it can stand in a line as it is: no control characters, nothing that turns the order of reading."""
    words = [str(word) for word in value] if isinstance(value, tuple) else [str(value)]
    return bool(words) and all(word.isprintable() and word.strip() != "" and KINDS[kind](word) for word in words)


def _quoted(value: object) -> str:
    return shlex.join(map(str, value)) if isinstance(value, tuple) else shlex.quote(str(value))
