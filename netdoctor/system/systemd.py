"""Whether systemd is this machine's init."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path("/run/systemd/system")  # sd_booted(3)


def runs_here() -> bool:
    """Whether it runs: then a unit starts at the next boot."""
    return FOLDER.is_dir()
