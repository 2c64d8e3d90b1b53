"""The command line: tests/lab/lab VERB [OPTIONS]."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn

from . import modules, requirements, through, wheels
from .cluster import Lab, all_labs, layers_for
from .config import CACHE, FIREWALLD, MAX_NAME, MAX_WORKERS, valid_name
from .images import IMAGES
from .prepare import PREPARED
from .processes import LabError, UsageError
from .programs import STEPS as PROGRAMS
from .roots import FIREWALLD_STEPS, NODEFILES, POSTGRES, ROOTFS
from .steps import Step, make_all, note_timing, timings

RUN_STEPS: list[Step] = [*PROGRAMS.values(), ROOTFS, POSTGRES, *FIREWALLD_STEPS.values(), NODEFILES, IMAGES, PREPARED]
RESERVED = "prepare"
USAGE = """usage: tests/lab/lab VERB [--name NAME] ...

  build                               build everything a lab is started from (kept in a cache)
  require                             say in one sentence why no lab can be built here, with exit status 3
  up [OPTIONS]                        start a healthy node and wait until everything answers
  reset [OPTIONS]                     throw the node away and start a healthy one
  reboot                              restart the node with the files that it has
  down                                throw the node away
  exec CMD...                         run a command as root on the node
  kubectl ARGS...                     run kubectl on the node
  outside CMD...                      run a command of this machine's in the outside world's network
  provider start|stop|log             the modules' provider outside: dead, alive again, a line for each request to it
  status                              the labs that run, the cache, and how long things took

NAME is `lab` unless given. OPTIONS of up and reset:
  --firewalld V   1.3 or 2.3 starts at boot; without it 1.3 is installed and off
  --workers N     further nodes, at most 3
  --modules       what the gateway modules need: images, manifests in /opt/modules, and their provider outside"""


def _say(text: str) -> None:
    print(text, flush=True)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `tests/lab/lab --help` lists the verbs")


def _parse(verb: str, arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a verb; for verbs that take a command everything from the first word or `--` on is the command."""
    parser = _Parser(prog=f"lab {verb}", add_help=False, allow_abbrev=False)
    parser.add_argument("--name", default="lab")
    if verb in ("up", "reset"):
        parser.add_argument("--firewalld", choices=FIREWALLD)
        parser.add_argument("--workers", type=int, default=0)
        parser.add_argument("--modules", action="store_true")
    if verb == "provider":
        parser.add_argument("action", choices=("start", "stop", "log"))
    if verb in ("exec", "outside", "kubectl"):
        parser.add_argument("command", nargs=argparse.REMAINDER)
    found = parser.parse_args(arguments)
    if not valid_name(found.name) or found.name == RESERVED:
        rule = f"a-z, 0-9 and - inside, at most {MAX_NAME} characters, not {RESERVED}"
        raise UsageError(f"{found.name!r} is no name for a lab: {rule}")
    if not 0 <= getattr(found, "workers", 0) <= MAX_WORKERS:
        raise UsageError(f"a lab has 0 to {MAX_WORKERS} workers")
    return found


def _build(_: argparse.Namespace) -> int:
    _check(built=False)
    requirements.install_packages()
    begin = time.monotonic()
    steps = [*RUN_STEPS, wheels.PYTHON, wheels.HATCHLING, *modules.STEPS]
    missing = sum(not step.done for step in steps)
    make_all(steps, _say)
    _say(f"the lab is built ({time.monotonic() - begin:.0f} s)" if missing else "the lab is built: nothing to do")
    return 0


def _built() -> bool:
    return all(step.done for step in RUN_STEPS)


def _check(built: bool) -> None:
    if reason := requirements.obstacle(built):
        raise LabError(reason)


def _require(_: argparse.Namespace) -> int:
    _check(_built())
    _say("a lab can be run here" if _built() else "a lab can be built here: `tests/lab/lab build`")
    return 0


def _up(options: argparse.Namespace) -> int:
    return _start(options, fresh=False)


def _reset(options: argparse.Namespace) -> int:
    return _start(options, fresh=True)


def _start(options: argparse.Namespace, fresh: bool) -> int:
    lab = Lab(options.name)
    begin = time.monotonic()
    _check(_built())
    wanted = [*RUN_STEPS, *(modules.STEPS if options.modules else ())]
    if missing := ", ".join(step.title for step in wanted if not step.done):
        raise LabError(f"not built yet: {missing}; `tests/lab/lab build` does it")
    manifests = modules.manifests() if options.modules else None
    requirements.load_modules()
    with lab.lock():
        if lab.ready and not fresh:
            raise LabError(f"lab {lab.name} is already up; `tests/lab/lab reset --name {lab.name}` starts it again")
        lab.down()
        if project := wheels.available():
            make_all([wheels.PYTHON, wheels.HATCHLING, wheels.WHEEL], _say)
        else:
            make_all([wheels.PYTHON], _say)
            _say("netdoctor itself is not installed on the node: the checkout has no pyproject.toml yet")
        prepared = [*([modules.LAYER.folder] if options.modules else []), PREPARED.folder]
        lab.up(layers_for(options.firewalld, project), prepared, options.firewalld, options.workers, manifests)
    seconds = time.monotonic() - begin
    note_timing("reset" if fresh else "up", seconds)
    _say(f"lab {lab.name} is ready ({seconds:.1f} s)")
    return 0


def _down(options: argparse.Namespace) -> int:
    lab = Lab(options.name)
    begin = time.monotonic()
    _check(built=True)
    with lab.lock():
        if not lab.run.exists():
            _say(f"lab {lab.name} is not up")
            return 0
        lab.down()
    note_timing("down", time.monotonic() - begin)
    return 0


def _reboot(options: argparse.Namespace) -> int:
    lab = Lab(options.name)
    begin = time.monotonic()
    _check(built=True)
    with lab.lock():
        if not lab.running:
            raise LabError(f"lab {lab.name} is not up; `tests/lab/lab up --name {lab.name}` starts it")
        lab.reboot()
    _say(f"lab {lab.name} has booted again ({time.monotonic() - begin:.1f} s)")
    return 0


def _enter(verb: str, options: argparse.Namespace) -> int:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    _check(built=True)
    if not Lab(options.name).running:
        raise LabError(f"lab {options.name} is not up; `tests/lab/lab up --name {options.name}` starts it")
    if not command and verb != "kubectl":
        raise UsageError(f"a command is missing: `tests/lab/lab {verb} CMD...`")
    if (status := through.enter(verb, options.name, command)) is None:
        raise LabError(f"lab {options.name} went down")
    return status


def _provider(options: argparse.Namespace) -> int:
    lab = Lab(options.name)
    _check(built=True)
    if not lab.running:
        raise LabError(f"lab {lab.name} is not up; `tests/lab/lab up --name {lab.name} --modules` starts it")
    if options.action == "log":
        for line in lab.provider_log():
            _say(line)
        return 0
    with lab.lock():
        lab.provider(options.action == "start")
    return 0


def _status(_: argparse.Namespace) -> int:
    known = timings()
    for lab in all_labs():
        state = lab.state
        if init := lab.node.init:
            extra = [f"firewalld {state['firewalld']}"] if state.get("firewalld") else []
            extra += state.get("workers", [])
            ready = "ready" if state.get("ready") else "not ready"
            _say(f"lab {lab.name}: {', '.join([ready, f'node pid {init}', f'up {lab.node.uptime:.0f} s', *extra])}")
        else:
            _say(f"lab {lab.name}: left over, not running; `tests/lab/lab down --name {lab.name}` removes it")
    if not all_labs():
        _say("no lab runs")
    _say(f"cache {CACHE}: {'built' if _built() else 'not built'}")
    for step in [*RUN_STEPS, wheels.PYTHON, wheels.HATCHLING, wheels.WHEEL, *modules.STEPS]:
        took = f", took {known[step.name]:.1f} s" if step.name in known else ""
        _say(f"  {step.title}: {'there' if step.done else f'missing, usually {step.usual}'}{took}")
    for verb in ("up", "reset", "down"):
        if verb in known:
            _say(f"last {verb}: {known[verb]:.1f} s")
    return 0


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "build": _build, "require": _require, "up": _up, "reset": _reset, "reboot": _reboot, "down": _down,
    "provider": _provider, "status": _status, **{verb: partial(_enter, verb) for verb in through.PREFIXES},
}  # fmt: skip


def _interrupted(number: int, _: object) -> None:
    """End by an exception, so that a half-started lab is removed; a second signal does not stop that."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """Run one verb; returns the exit status: 2 for a wrong command line, 3 for what cannot be done."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        if (verb := arguments[0]) not in VERBS:
            raise UsageError(f"unknown verb {verb!r}: one of {', '.join(VERBS)}")
        return VERBS[verb](_parse(verb, arguments[1:]))
    except BrokenPipeError:  # the reader of our output went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except LabError as error:
        with suppress(OSError):
            print(f"lab: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 3
