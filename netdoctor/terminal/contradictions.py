"""Options that contradict each other, refused in one sentence before anything is done.

What is harmless together is accepted: `-o json -v`, or a time-out for a dry run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from click.core import ParameterSource

Command = Callable[..., Any]


def never_together(*pairs: tuple[str, str, str]) -> Callable[[Command], Command]:
    """Refuse both options of a pair, which ends with why; `--svg -` is the option with this value alone.

    A positional argument is named by its name in capitals.
    """

    def check(ctx: click.Context) -> None:
        for one, other, why in pairs:
            if _is_given(ctx, one) and _is_given(ctx, other):
                raise click.UsageError(f"{one} and {other} contradict each other: {why}", ctx)

    return _checked_by(check)


def only_with(*pairs: tuple[str, str]) -> Callable[[Command], Command]:
    """Refuse the first option of a pair where the second is not given."""

    def check(ctx: click.Context) -> None:
        for one, needed in pairs:
            if _is_given(ctx, one) and not _is_given(ctx, needed):
                raise click.UsageError(f"{one} means nothing without {needed}", ctx)

    return _checked_by(check)


def _checked_by(check: Callable[[click.Context], None]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        @wraps(command)  # with the options that click has noted on it
        def checked(*arguments: Any, **options: Any) -> Any:
            check(click.get_current_context())
            return command(*arguments, **options)

        return checked

    return decorate


def _is_given(ctx: click.Context, words: str) -> bool:
    """Whether the command line has this option or argument, with this value where one is named."""
    name, _, value = words.partition(" ")
    for parameter in ctx.command.params:
        if name in parameter.opts or name == str(parameter.name).upper():
            given = ctx.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
            return given and (not value or ctx.params.get(str(parameter.name)) == value)
    raise LookupError(f"{ctx.info_name} has no {name}")
