"""Run as a program: netdoctor on a terminal of its own, with what is done while it waits.

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
from typing import Any

LONGEST = 120.0  # seconds for one turn
TERMINAL = "ON_TERMINAL"


def main(wanted: dict[str, Any]) -> dict[str, Any]:
    """What netdoctor wrote, its status, and how long what was waited for took."""
    pid, number = pty.fork()
    if pid == 0:
        os.execvp(wanted["argv"][0], wanted["argv"])
    text, read, told = "", 0, {}
    for words, command, answer in wanted["turns"]:
        end = time.monotonic() + LONGEST
        while words not in text[read:] and time.monotonic() < end:
            more = _read(number)
            if more is None:
                break
            text += more
        if words not in text[read:]:
            return {"text": text, "missing": words}
        read = text.index(words, read) + len(words)
        if wanted.get("kill"):
            os.killpg(pid, signal.SIGKILL)
            os.close(number)
            begin = time.monotonic()
            while subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode:
                if time.monotonic() > begin + LONGEST:
                    return {"text": text, "missing": command}
                time.sleep(0.1)
            told["seconds"] = round(time.monotonic() - begin, 1)
            os.waitpid(pid, 0)
            return {"text": text, **told}
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        if done.returncode:
            text += f"\n{command}: {done.returncode}: {done.stdout}{done.stderr}\n"
        os.write(number, answer.encode())
    while (more := _read(number)) is not None:
        text += more
    return {"text": text, "status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}


def _read(number: int) -> str | None:
    """What has come; None at the end."""
    if not select.select([number], [], [], 0.2)[0]:
        return ""
    try:
        return os.read(number, 1 << 16).decode(errors="replace") or None
    except OSError:  # it has ended
        return None


if __name__ == "__main__":
    print(json.dumps(main(json.loads(os.environ[TERMINAL]))))
