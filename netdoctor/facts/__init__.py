"""Facts: what was read, once per run, by whom first asked.

A fact is a frozen dataclass of plain data with a classmethod `collect`. Code that needs it asks by a parameter's type::

    def ip_forward_disabled(sysctls: Sysctls) -> Iterator[Finding]: ...

A collector may ask for the `Host` and for other facts in the same way; `Fact | CannotRead` asks for a fact without
which one can go on. Each fact is collected at most once, in a thread of its own, and never invalidated: after a change
there is a new `Facts`. A read that failed is `CannotRead`, which is remembered too: it makes a probe unknown, never a
fact empty. A fact whose class says `derived` is worked out of other facts alone, so a recording has it too. One whose
class says `added_later` may be missing from recordings that were made before it existed: it is `Why.OLDER` there.
"""

from __future__ import annotations

import inspect
import threading
import time
import typing
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from netdoctor.errors import CannotRead, NetdoctorError, Why
from netdoctor.system.host import Host
from netdoctor.system.patience import patience

F = TypeVar("F")
LONGEST = (
    8.0  # seconds of a quiet machine for one fact, after which it counts as unread, unless its class says `longest`
)
GLANCE = 0.2  # seconds between looks at that limit
NAMED, LONGEST_NAME = 3, 40  # unknown facts of a recording that are named, and the letters of one


class Finalizers:
    """What must be removed at the end of a run, newest first; also after Ctrl-C."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._closed = False

    def add(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the run ends; at once when it has ended already (a thread was still at work)."""
        with self._lock:
            closed = self._closed
            if not closed:
                self._stack.callback(callback)
        if closed:
            callback()

    def close(self) -> None:
        """Call everything that was added, once."""
        with self._lock:
            stack = self._stack.pop_all()
            self._closed = True
        stack.close()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A fact that a function asks for; `even_if_unread`: as `Fact | CannotRead`, so that it can go on without it."""

    kind: type
    even_if_unread: bool


@dataclass(frozen=True, slots=True)
class StrangeFacts:
    """What a recording holds and this netdoctor does not know."""

    names: tuple[str, ...]

    def in_words(self) -> str:
        """One sentence, which repeats nothing but words."""
        shown = [name for name in self.names if name.isidentifier() and len(name) <= LONGEST_NAME][:NAMED]
        others = len(self.names) - len(shown)
        words = ", ".join([*shown, *([f"{others} more"] if others else [])])
        return f"the recording holds facts that this netdoctor does not know, and they are not judged: {words}"


def parameters(function: Callable[..., Any], skip: int = 0) -> list[Wanted]:
    """The facts that a function's parameters ask for, without the first `skip` parameters (and without `cls`)."""
    hints = typing.get_type_hints(function.func if isinstance(function, partial) else function)
    wanted = []
    for name in list(inspect.signature(function).parameters)[skip:]:
        kinds = typing.get_args(hints[name]) or (hints[name],)
        wanted.append(Wanted(next(kind for kind in kinds if kind is not CannotRead), CannotRead in kinds))
    return wanted


class Facts:
    """Collects each kind of fact at most once, whichever thread asks first.

    `given` holds what is known already (a recording, a test). With `live` false nothing is collected: a fact that was
    not given cannot be read.
    """

    def __init__(
        self, given: Mapping[type, object] | None = None, *, live: bool = True, context: Iterable[object] = ()
    ):
        self._lock = threading.Lock()
        self._cells: dict[type, Future[Any]] = {}
        self._waiting: dict[type, float] = {}
        self._asked: dict[type, float] = {}  # when a fact had what it needs and began to read
        self._live = live
        self.seconds: dict[type, float] = {}
        self.finalizers = Finalizers()
        self._makers: dict[type, Callable[..., Any]] = {}  # of what has no `collect` of its own
        self._longest: dict[type, float] = {}
        for thing in (Host(live=live), self.finalizers, *context):
            self._give(type(thing), thing)
        for kind, value in (given or {}).items():
            self._give(kind, value)

    def _give(self, kind: type, value: object) -> None:
        cell = self._cells[kind] = Future[Any]()
        _settle(cell, value)

    def made_by(self, kind: type[F], maker: Callable[..., F], longest: float) -> None:
        """Have this kind made by `maker`, whose parameters ask for facts, within so many seconds of a quiet machine."""
        self._makers[kind] = maker
        self._longest[kind] = longest

    def get(self, kind: type[F]) -> F:
        """The fact of this kind. Raises CannotRead, also when collecting it takes longer than LONGEST seconds."""
        cell = self._begin(kind)
        while not cell.done():
            wait([cell], timeout=GLANCE)
            begun = self._asked.get(kind)
            longest: float = self._longest.get(kind, getattr(kind, "longest", LONGEST))
            if begun is not None and time.monotonic() - begun > patience(longest):
                _settle(cell, CannotRead(_title(kind), f"no answer within {longest:g} s", Why.NO_ANSWER))
        return typing.cast(F, cell.result())

    def _begin(self, kind: type) -> Future[Any]:
        """The fact's cell; the first to ask has it collected, in a thread that nothing has to wait for."""
        with self._lock:
            cell = self._cells.get(kind)
            if cell is not None:
                return cell
            cell = self._cells[kind] = Future()
        collect = partial(copy_context().run, self._collect, kind, cell)
        threading.Thread(target=collect, name=kind.__name__, daemon=True).start()
        return cell

    def _collect(self, kind: type, cell: Future[Any]) -> None:
        collect = self._makers.get(kind) or getattr(kind, "collect", None)
        if collect is None or not (self._live or getattr(kind, "derived", False)):
            why = Why.OLDER if getattr(kind, "added_later", False) else Why.NOT_RECORDED
            _settle(cell, CannotRead("recording", f"it does not hold {kind.__name__}", why))
            return
        begin = self._waiting[kind] = time.monotonic()
        try:
            arguments = self.arguments(collect)
            begin = self._waiting[kind] = self._asked[kind] = time.monotonic()
            _settle(cell, collect(*arguments))
        except CannotRead as error:
            _settle(cell, error)
        except NetdoctorError as error:  # what the user gave is wrong
            _settle(cell, CannotRead(_title(kind), str(error)))
        except PermissionError as error:
            reason = f"{error.filename or 'a file'}: permission denied; run it with sudo"
            _settle(cell, CannotRead(_title(kind), reason, Why.NOT_PERMITTED))
        except Exception as error:  # a collector's mistake must not take the other facts with it
            _settle(cell, CannotRead(_title(kind), f"not in the expected form: {type(error).__name__}"))
        finally:
            del self._waiting[kind]
            self.seconds[kind] = time.monotonic() - begin

    def arguments(self, function: Callable[..., Any], skip: int = 0) -> list[Any]:
        """The facts that a function asks for by the types of its parameters, collected side by side."""
        wanted = parameters(function, skip)
        self.prefetch(want.kind for want in wanted)
        return [self._read_or_reason(want.kind) if want.even_if_unread else self.get(want.kind) for want in wanted]

    def _read_or_reason(self, kind: type) -> object:
        try:
            return self.get(kind)
        except CannotRead as error:
            return error

    def prefetch(self, kinds: Iterable[type]) -> None:
        """Begin to collect these, each in a thread of its own."""
        for kind in dict.fromkeys(kinds):
            self._begin(kind)

    def waiting_for(self) -> list[str]:
        """What is being collected now, longest first, in the words of each fact's docstring."""
        now = sorted(dict(self._waiting).items(), key=lambda item: item[1])
        return [_title(kind) for kind, _ in now]

    def known(self) -> dict[type, object]:
        """Every fact that was collected or given, or the CannotRead in its place."""
        with self._lock:
            cells = [(kind, cell) for kind, cell in self._cells.items() if cell.done()]
        return {kind: cell.exception() or cell.result() for kind, cell in cells}

    def close(self) -> None:
        """Remove what was made for this run (test pods). Ctrl-C meanwhile takes effect afterwards."""
        failures: list[Exception] = []

        def work() -> None:
            try:
                self.finalizers.close()
            except Exception as failure:  # told to whoever closes
                failures.append(failure)

        worker = threading.Thread(target=work, name="finalizers")
        worker.start()
        interrupt: KeyboardInterrupt | None = None
        while worker.is_alive():
            try:
                worker.join()
            except KeyboardInterrupt as pressed:
                interrupt = pressed
        if interrupt:
            raise interrupt
        if failures:
            raise failures[0]


def _title(kind: type) -> str:
    return (kind.__doc__ or kind.__name__).partition("\n")[0].rstrip(".")


def _settle(cell: Future[Any], value: object) -> None:
    """Fill the cell, unless somebody has done so (or given up) already."""
    try:
        if isinstance(value, Exception):
            cell.set_exception(value)
        else:
            cell.set_result(value)
    except InvalidStateError:
        return
