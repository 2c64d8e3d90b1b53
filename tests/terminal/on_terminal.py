"""A program on a terminal of its own; and, run as a program on a node, netdoctor there and what is done while it waits.

ON_TERMINAL is JSON: {"argv": [...], "turns": [[WORDS, COMMAND, ANSWER], ...], "kill": bool}. When WORDS stand on the
terminal, COMMAND is run by a shell and ANSWER typed. With "kill", netdoctor and its session are killed at the first
turn instead, and COMMAND is run until it succeeds: how long that took is told. Prints JSON.
"""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 120.0  # seconds for what takes one or two on a quiet machine
TERMINAL = "ON_TERMINAL"


@dataclass
class Terminal:
    """A program that runs on a terminal of its own, and what it has written there."""

    pid: int
    number: int
    text: str = ""
    read: int = 0  # so much of the text was waited for

    @classmethod
    def running(cls, argv: Sequence[str], folder: str = ".") -> Terminal:
        """The program, started in this folder."""
        pid, number = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ["TERM"] = "dumb"  # 80 columns, no colours
            os.execvp(argv[0], list(argv))
        return cls(pid, number)

    @property
    def words(self) -> str:
        """What it has written, in one line."""
        return " ".join(self.text.split())

    def until(self, words: str) -> None:
        """Read until it has written these words, after those that were waited for before."""
        end = time.monotonic() + LONGEST
        while words not in self.text[self.read :]:
            assert time.monotonic() < end, self.text
            if not self._read():
                break
        assert words in self.text[self.read :], self.text
        self.read = self.text.index(words, self.read) + len(words)

    def _read(self) -> bool:
        """Take what has come; False at the end."""
        if not select.select([self.number], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self.number, 1 << 16)
        except OSError:  # it has ended
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self.number, text.encode())

    def ended(self) -> int:
        """Read what is left; the exit status."""
        while self._read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.number)
        return os.waitstatus_to_exitcode(status)


def main(wanted: dict[str, Any]) -> dict[str, Any]:
    """What netdoctor wrote, its status, and how long what was waited for took."""
    terminal = Terminal.running(wanted["argv"])
    for words, command, answer in wanted["turns"]:
        terminal.until(words)
        if wanted["kill"]:
            return {"seconds": _killed(terminal, command), "text": terminal.text}
        subprocess.run(["sh", "-c", command], capture_output=True, check=True)
        terminal.type(answer)
    status = terminal.ended()
    return {"status": status, "text": terminal.text}


def _killed(terminal: Terminal, command: str) -> float:
    """Kill the program and its session; the seconds until a command succeeds."""
    begin = time.monotonic()
    os.killpg(terminal.pid, signal.SIGKILL)
    terminal.ended()
    while subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode:
        assert time.monotonic() < begin + LONGEST, command
        time.sleep(0.1)
    return round(time.monotonic() - begin, 1)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(os.environ[TERMINAL]))))
