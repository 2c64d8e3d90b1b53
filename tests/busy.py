"""A busy machine: processes that want a processor all the time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def busy_loops(number: int) -> Iterator[None]:
    """So many of them while the block runs."""
    with ExitStack() as loops:
        for _ in range(number):
            loop = loops.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            loops.callback(loop.kill)
        yield
