"""Programs that the lab started, found again by what was written down about them."""

# ruff: noqa: PTH123 -- pathlib takes longer to import than all that `exec` needs

from contextlib import suppress


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; raises OSError when there is no such process."""
    with open(f"/proc/{pid}/stat", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()


def identity(pid: int) -> str:
    """A process's id and start time: unlike the id alone never used again. Raises OSError."""
    return f"{pid} {stat(pid)[19]}"


def alive(record: str) -> int | None:
    """The pid of the process whose identity is in this file, while it runs."""
    with suppress(OSError, ValueError, IndexError), open(record) as file:
        pid = int((text := file.read()).split()[0])
        if identity(pid) == text and stat(pid)[0] != "Z":
            return pid
    return None


def spawned(folder: str, name: str) -> int | None:
    """The pid of a program started by `spawn`, while it runs."""
    return alive(f"{folder}/{name}.process")


def container_init(folder: str) -> int | None:
    """The pid of the init of the container whose run folder this is, None when it does not run."""
    if nspawn := spawned(folder, "nspawn"):
        with suppress(OSError, IndexError):
            with open(f"/proc/{nspawn}/task/{nspawn}/children") as file:
                children = file.read().split()
            for child in children:
                with open(f"/proc/{child}/status") as file:
                    status = file.read()
                ids = status.split("NSpid:", 1)[1].split("\n")[0].split()
                if status.startswith("Name:\tsystemd\n") and ids[-1] == "1":
                    return int(child)
    return None
