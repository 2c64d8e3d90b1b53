"""Commands that only root may run."""

from __future__ import annotations

import shlex
import sys

from netdoctor.errors import NetdoctorError
from netdoctor.system.host import Host


def require_root(command: str) -> None:
    """Raise NetdoctorError, with what to type instead, where somebody else runs this command."""
    if not Host().is_root:
        typed = shlex.join(["sudo", "netdoctor", *sys.argv[1:]])
        raise NetdoctorError(f"netdoctor {command} has to be run as root: {typed}")
