"""Which machine this is, and since when it runs: what a run was made on, and whether that is gone."""

from __future__ import annotations

import hashlib
from pathlib import Path


def this_machine() -> str:
    """Which machine this is, "" where it does not say: not its id itself, which is not for everybody."""
    path = Path("/etc/machine-id")
    try:
        if path.is_mount():  # made for this boot alone (machine-id(5))
            return ""
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return ""
    return hashlib.sha256(f"netdoctor {text}".encode()).hexdigest()[:32] if text else ""


def this_boot() -> str:
    """Since when this machine runs: another text after each boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return ""
