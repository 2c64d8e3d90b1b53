"""Who may change what a path leads to, and reading or running something with another user's rights."""

from __future__ import annotations

import os
import pwd
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from netdoctor.errors import CannotRead

ANYBODY = -1  # among the writers of a path: users whom nobody can name
NOBODY = 65534
MOST_LINKS = 40  # as the kernel has it
READ_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Account:
    """A user and their groups."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str

    @classmethod
    def of(cls, uid: int) -> Account:
        """The account with this number; without an entry in passwd it has no group of its own."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return cls(uid, NOBODY, (), f"user {uid}", "/")
        groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
        return cls(uid, entry.pw_gid, groups, entry.pw_name, entry.pw_dir)

    @classmethod
    def nobody(cls) -> Account:
        """Somebody who may read only what everybody may."""
        return cls(NOBODY, NOBODY, (), "nobody in particular", "/")

    @classmethod
    def behind_sudo(cls) -> Account | None:
        """Who called sudo; None where nobody did, or root itself."""
        uid = os.environ.get("SUDO_UID", "")
        if os.geteuid() != 0 or not (uid.isascii() and uid.isdigit()) or int(uid) == 0:
            return None
        return cls.of(int(uid))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and what it wrote."""

    status: int
    stdout: bytes
    stderr: bytes


def writers(path: str) -> frozenset[int]:
    """The users besides root who may change what this path leads to: of the file, of each link and each folder.

    ANYBODY is among them where a group or everybody may write. Raises OSError where the path leads nowhere.
    """
    found: set[int] = set()
    waiting = [part for part in str(Path(path).absolute()).split("/") if part]
    place, links = "/", 0
    _judge(os.lstat("/"), found)
    while waiting:
        part = waiting.pop(0)
        if part in (".", ".."):
            place = str(Path(place).parent) if part == ".." else place
            continue
        here = f"{place.rstrip('/')}/{part}"
        about = os.lstat(here)
        _judge(about, found)
        if not stat.S_ISLNK(about.st_mode):
            place = here
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(40, "too many levels of symbolic links", path)
        target = str(Path(here).readlink())
        place = "/" if target.startswith("/") else place
        waiting = [part for part in target.split("/") if part] + waiting
    return frozenset(found)


def _judge(about: os.stat_result, found: set[int]) -> None:
    if about.st_uid != 0:
        found.add(about.st_uid)
    # in root's sticky folder nobody can replace what belongs to somebody else
    sticky = stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX
    if about.st_mode & 0o022 and not stat.S_ISLNK(about.st_mode) and not sticky:
        found.add(ANYBODY)


def account_for(uids: frozenset[int]) -> Account | None:
    """With whose rights to use what these users may change: None for root's own, nobody's where several may."""
    if not uids:
        return None
    (uid, *others) = sorted(uids)
    return Account.nobody() if others or uid == ANYBODY else Account.of(uid)


def described(uids: frozenset[int]) -> str:
    """Who these users are, in words."""
    names = [Account.of(uid).name for uid in sorted(uids) if uid != ANYBODY]
    return " and ".join([*names, *(["others"] if ANYBODY in uids else [])])


def read_as(path: str, account: Account | None, limit: int) -> bytes:
    """A regular file of at most `limit` bytes, read with this account's rights (None: with those of this process).

    Raises CannotRead.
    """
    if account is not None:
        head = next((p for p in ("/usr/bin/head", "/bin/head") if os.access(p, os.X_OK)), "head")
        argv = [head, "-c", str(limit + 1), "--", str(Path(path).absolute())]
        done = run_as(account, argv, {"LC_ALL": "C"}, READ_SECONDS, limit + 1)
        if done.status:
            reason = done.stderr.decode(errors="replace").strip().rpartition(": ")[2] or "it cannot be read"
            raise CannotRead(path, f"{reason}, read with the rights of {account.name}")
        data = done.stdout
    else:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise CannotRead(path, "not a regular file")
                data = file.read(limit + 1)
        except OSError as error:
            raise CannotRead(path, error.strerror or str(error)) from error
    if len(data) > limit:
        raise CannotRead(path, f"it is larger than {limit >> 10} KiB")
    return data


def run_as(
    account: Account | None, argv: Sequence[str], environment: Mapping[str, str], seconds: float, limit: int,
    directory: str = "/", stdin: bytes = b"",
) -> Ended:  # fmt: skip
    """Run a program with this account's rights, without a terminal, within a time and a number of bytes.

    Raises CannotRead where it cannot be started, takes too long or writes too much.
    """
    rights = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": account.groups}
    given = os.memfd_create("stdin", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(given), "wb") as file:
            file.write(stdin)
        os.lseek(given, 0, os.SEEK_SET)
        process = subprocess.Popen(
            list(argv), stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(environment),
            cwd=directory, start_new_session=True, **rights,  # type: ignore[call-overload]
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise CannotRead(argv[0], getattr(error, "strerror", "") or str(error)) from error
    finally:
        os.close(given)
    with process:
        try:
            return _collect(process, argv[0], time.monotonic() + seconds, seconds, limit)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _collect(process: subprocess.Popen[bytes], name: str, end: float, seconds: float, limit: int) -> Ended:
    assert process.stdout
    assert process.stderr
    said = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for stream in said:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            over = process.poll() is not None
            ready = selector.select(0 if over else max(0.0, min(0.05, end - time.monotonic())))
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                said[key.fileobj].extend(data)  # type: ignore[index]
                if not data:
                    selector.unregister(key.fileobj)
            if sum(map(len, said.values())) > limit + 65536:
                raise CannotRead(name, f"it writes more than {limit >> 10} KiB")
            if over and not ready:  # a child of it may hold the pipes open
                break
            if time.monotonic() > end:
                raise CannotRead(name, f"no answer within {seconds:g} s")
    try:
        status = process.wait(max(0.1, end - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise CannotRead(name, f"no answer within {seconds:g} s") from error
    return Ended(status, bytes(said[process.stdout]), bytes(said[process.stderr]))
