"""The short way of `exec`, `kubectl` and `outside` into a running lab: tests go it some thousand times."""

import os
import signal
from collections.abc import Sequence

from .enter import ALL, run_inside
from .place import CACHE, HOLDER, NODE, OUTSIDE
from .records import container_init, spawned

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root", "USER": "root", "SHELL": "/bin/bash", "LANG": "C.UTF-8",
}  # fmt: skip
PASSED_VARIABLES = ("TERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TZ")
PREFIXES: dict[str, list[str]] = {"exec": [], "kubectl": ["kubectl"], "outside": []}


def attempt(arguments: Sequence[str]) -> int | None:
    """Run a command line's command; returns its exit status, None when `commands` has to look at it or the lab."""
    verb, words, name = (arguments or [""])[0], list(arguments[1:]), "lab"
    if words[:1] == ["--name"]:
        name, words = "".join(words[1:2]), words[2:]
    if words[:1] == ["--"]:
        words = words[1:]
    elif words and words[0].startswith("-"):
        return None
    if verb not in PREFIXES or not words or not name.replace("-", "").isalnum() or os.geteuid() != 0:
        return None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    return enter(verb, name, words)


def enter(verb: str, name: str, words: Sequence[str]) -> int | None:
    """Run a command in the lab of this name; returns its exit status, None when the lab does not run."""
    run = f"{CACHE}/runs/{name}"
    if not (init := container_init(f"{run}/{NODE}")):
        return None
    if verb == "outside":
        holder = spawned(f"{run}/{OUTSIDE}", HOLDER)
        return run_inside(holder, ("net",), words, os.environ) if holder else None
    passed = {variable: os.environ[variable] for variable in PASSED_VARIABLES if variable in os.environ}
    return run_inside(init, ALL, [*PREFIXES[verb], *words], {**passed, **ENVIRONMENT})
