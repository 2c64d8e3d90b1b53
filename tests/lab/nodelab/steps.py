"""Build steps whose results are kept: each result lies in a folder named by a hash of everything it was made from."""

import ast
import hashlib
import inspect
import json
import shutil
import textwrap
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from .config import CACHE, LOGS, RUNS
from .processes import LabError, locked, run

TIMINGS = CACHE / "timings.json"


def tree(*paths: Path) -> str:
    """A hash of files and of all files below folders: names, contents, executable bits; links count as links."""
    found = hashlib.sha256()
    for top in paths:
        inside = (p for p in sorted(top.rglob("*")) if "__pycache__" not in p.parts)
        for path in inside if top.is_dir() and not top.is_symlink() else [top]:
            if path.is_symlink():
                what = str(path.readlink()).encode()
            elif path.is_file():
                what = path.read_bytes() + bytes([path.stat().st_mode >> 6 & 1])
            else:
                continue
            found.update(f"{path.relative_to(top.parent)} {len(what)}\n".encode() + what)
    return found.hexdigest()


def meaning(function: Callable[..., object]) -> str:
    """A function's source without comments and docstring, so that only a change of what it does changes a key."""
    function = function.func if isinstance(function, partial) else function
    parsed = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(parsed, ast.FunctionDef)
    return ast.dump(ast.Module(parsed.body[1:] if ast.get_docstring(parsed) else parsed.body, []))


@dataclass(frozen=True)
class Step:
    """One kept result: `build` fills an empty folder from `inputs` (anything JSON takes) and the results `after`."""

    name: str
    title: str
    usual: str  # how long it takes on two cores
    build: Callable[[Path], None]
    inputs: Callable[[], object] = field(default=lambda: None)
    after: tuple["Step", ...] = ()

    @property
    def key(self) -> str:
        """The hash that names the result."""
        return _key(self)

    @property
    def folder(self) -> Path:
        """Where the result is or will be."""
        return CACHE / f"{self.name}-{self.key}"

    @property
    def done(self) -> bool:
        """Whether the result is there; a folder of that name is always whole."""
        return self.folder.is_dir()

    def make(self) -> float:
        """Build the result, under a temporary name until it is whole; returns seconds. Raises LabError."""
        begin = time.monotonic()
        half = CACHE / "half" / self.name
        remove(half)
        half.mkdir(parents=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        self.build(half)
        half.rename(self.folder)
        seconds = time.monotonic() - begin
        note_timing(self.name, seconds)
        return seconds

    @property
    def log(self) -> Path:
        """What the commands of the last build wrote."""
        return LOGS / f"{self.name}.log"


@cache
def _key(step: Step) -> str:
    parts = [step.name, meaning(step.build), step.inputs(), [s.key for s in step.after]]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:12]


def remove(folder: Path) -> None:
    """Remove a folder and what is below it, on this file system only."""
    if folder.exists():
        run("rm", "-rf", "--one-file-system", folder)


def note_timing(name: str, seconds: float) -> None:
    """Keep how long a step or verb last took."""
    known = timings()
    known[name] = round(seconds, 1)
    new = TIMINGS.with_suffix(".new")
    new.write_text(json.dumps(known, indent=1))
    new.rename(TIMINGS)


def timings() -> dict[str, float]:
    """How long steps and verbs last took on this machine, in seconds."""
    with suppress(OSError, ValueError):
        return {str(k): float(v) for k, v in json.loads(TIMINGS.read_text()).items()}
    return {}


def make_all(steps: Iterable[Step], say: Callable[[str], None]) -> None:
    """Make what is missing, in order, one build at a time, and drop results that nothing uses any more."""
    steps = list(steps)
    CACHE.mkdir(parents=True, exist_ok=True)
    with locked(CACHE / "build.lock", "the lab's cache", 1800):
        for step in steps:
            if step.done:
                continue
            if (free := shutil.disk_usage(CACHE).free) < 1 << 30:
                raise LabError(f"only {free >> 20} MB are free below {CACHE}")
            say(f"{step.title} (usually {step.usual}) ...")
            say(f"{step.title}: {step.make():.1f} s")
        _drop_unused(steps)


def _drop_unused(steps: list[Step]) -> None:
    """Remove older results of these steps, unless a lab runs on them."""
    used = {str(step.folder) for step in steps}
    for state in RUNS.glob("*/state.json"):
        with suppress(OSError, ValueError):
            layers = [Path(layer).relative_to(CACHE) for layer in json.loads(state.read_text())["layers"]]
            used |= {str(CACHE / layer.parts[0]) for layer in layers}
    for step in steps:
        for folder in CACHE.glob(f"{step.name}-" + "[0-9a-f]" * 12):
            if str(folder) not in used:
                remove(folder)
