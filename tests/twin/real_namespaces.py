"""Namespaces that stand for a node, its pods and the outside: commands in them, and questions between them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.system.traffic import Reply, ask_all
from netdoctor.twin.namespace import Namespace
from netdoctor.twin.twin import Flow, question


@dataclass(frozen=True)
class RealNamespaces:
    """The namespaces, by name."""

    namespaces: dict[str, Namespace]
    seconds: ClassVar[float]  # for an answer

    def run(self, where: str, *lines: str) -> None:
        """Shell lines in one of them, all of which have to succeed."""

        def work() -> None:
            script = "\n".join(lines)
            done = subprocess.run(["sh", "-ec", script], check=False, capture_output=True, text=True, timeout=10)
            assert done.returncode == 0, f"{script}\n{done.stderr}"

        self.namespaces[where].run(work)

    def path(self, where: str) -> str:
        """Where programs find one."""
        return f"/proc/{os.getpid()}/fd/{self.namespaces[where].descriptor}"

    def ask_all(self, flows: list[Flow]) -> list[Reply]:
        """How each ends in the real namespaces."""
        asked = [(self.path(f.source), question(f.destination, f.protocol, f.port, self.seconds)) for f in flows]
        return ask_all(asked, self.seconds)
