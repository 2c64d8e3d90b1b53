"""A length of time on the command line, whose limits are said in words."""

from __future__ import annotations

import click


class Seconds(click.ParamType):  # type: ignore[type-arg]  # click 8.2 takes no arguments
    """A whole number of seconds between two limits."""

    name = "seconds"

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    @property
    def in_words(self) -> str:
        """What may be given."""
        return f"{self.least} to {self.most} seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number. Fails with one sentence for anything else."""
        try:
            seconds = int(str(value))
        except ValueError:
            seconds = self.least - 1
        if not self.least <= seconds <= self.most:
            self.fail(f"{value!r} is not a whole number of {self.in_words}", param, ctx)
        return seconds
