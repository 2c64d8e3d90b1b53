"""The machine that netdoctor runs on: the one way to its files and commands."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead, Why
from netdoctor.redact import redact
from netdoctor.system import kernel_modules
from netdoctor.system.foreign_files import Folder
from netdoctor.system.packages import not_installed
from netdoctor.system.pod_cgroup import pod_uid

LARGEST = 64 << 20  # bytes of a file
PART = 1 << 16  # bytes
LARGEST_IN_POD = 64 << 10  # bytes of a file that a pod may write
LARGEST_ENVIRONMENT = 1 << 20  # bytes: a process may say that its environment is all of its memory
# what programs repeat of the kernel's words, which LC_ALL=C leaves in English
KERNEL_WORDS = {
    os.strerror(number): Why.of_errno(number)
    for number in (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
}


class ProgramFailed(CannotRead):
    """A program ended with an error status; `said` is all that it wrote about it, to be read like any output."""

    def __init__(self, command: str, said: str) -> None:
        lines = said.splitlines()
        reason = next((line for line in lines if "rror" in line), lines[-1])  # usage and hints follow the error
        why = next((why for words, why in KERNEL_WORDS.items() if words in reason), Why.FAILED)
        super().__init__(command, reason, why)
        self.said = said


@dataclass(frozen=True, slots=True)
class Host:
    """Files and commands of this machine. Reads and runs only what it is asked for."""

    live: bool = True  # false where a recording of another machine is judged: this one is not the patient
    loads: bool = False  # whether its commands may load kernel modules: where something is changed, and nowhere else

    def read(self, path: str | Path) -> str:
        """A file's text, undecodable bytes replaced. Raises CannotRead, also for more than LARGEST bytes."""
        try:
            return _text(path)
        except OSError as error:
            raise CannotRead.of(str(path), error) from error

    def read_or_none(self, path: str | Path) -> str | None:
        """A file's text, or None where there is no such file. Raises CannotRead, also for more than LARGEST bytes."""
        try:
            return _text(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise CannotRead.of(str(path), error) from error

    def read_in_pod(self, uid: str, pid: str, path: str) -> str | None:
        """A small file as a process of this pod sees it, None where it has none. Raises CannotRead.

        The image and the pod decide what stands there, so it is read as `foreign_files` reads.
        """
        with Folder.root_of(pid) as root:
            # asked after its root is held: a process that ends leaves its number to another one
            if pod_uid(self.read(f"/proc/{pid}/cgroup")) != uid:
                raise CannotRead(f"/proc/{pid}/root", "the process has ended")
            found = root.read_as_its_root(path, LARGEST_IN_POD)
        return None if found is None else found.text

    def run(self, argv: Sequence[str], timeout: float = 3.0, stdin: str | None = None) -> str:
        """A command's standard output.

        Raises ProgramFailed when it fails, CannotRead when it is missing, exceeds `timeout` seconds, or would have a
        kernel module loaded.
        """
        if not self.loads:
            kernel_modules.allow(argv, stdin)
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                list(argv),
                check=False,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                env=environment,
                input=stdin if stdin is not None else "",
            )
        except subprocess.TimeoutExpired as error:
            raise CannotRead(argv[0], f"no answer within {timeout:g} s", Why.NO_ANSWER) from error
        except FileNotFoundError as error:
            raise not_installed(argv[0]) from error
        except OSError as error:
            raise CannotRead.of(argv[0], error) from error
        if done.returncode:
            said = redact(done.stderr.strip() or done.stdout.strip()) or f"exit status {done.returncode}"
            raise ProgramFailed(" ".join(argv), said)
        return done.stdout

    @property
    def is_root(self) -> bool:
        """Whether this process may read and change everything."""
        return os.geteuid() == 0


def process_environment(pid: str | int) -> dict[str, str]:
    """The variables of a process, as far as they stand in its first LARGEST_ENVIRONMENT bytes. Raises OSError."""
    data = _beginning(Path("/proc", str(int(pid)), "environ"), LARGEST_ENVIRONMENT)
    pairs = (pair.partition("=") for pair in data.decode(errors="replace").split("\0"))
    return {name: value for name, _, value in pairs if name}


def _text(path: str | Path) -> str:
    """Raises OSError, CannotRead."""
    data = _beginning(Path(path), LARGEST + 1)
    if len(data) > LARGEST:
        raise CannotRead(str(path), f"it is larger than {LARGEST >> 20} MB")
    return data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _beginning(path: Path, most: int) -> bytes:
    """The first bytes of a file. Raises OSError."""
    parts = []
    with path.open("rb", buffering=0) as file:
        # the kernel sets aside as much as is asked for of a setting
        while most > 0 and (part := file.read(min(most, PART))):
            parts.append(part)
            most -= len(part)
    return b"".join(parts)
