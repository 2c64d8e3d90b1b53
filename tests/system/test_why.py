"""Errnos, and the ends of programs, as the word that code decides by."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from netdoctor.errors import CannotRead, Why
from netdoctor.system.foreign_files import Folder
from netdoctor.system.host import Host, ProgramFailed

ENDS = [
    (["/nonexistent"], Why.ABSENT),
    (["ls", "/nonexistent"], Why.ABSENT),
    (["/etc"], Why.NOT_PERMITTED),
    (["sh", "-c", "echo 'Error: Could not process rule: Operation not supported' >&2; exit 1"], Why.UNSUPPORTED),
    (["sh", "-c", "echo 'Error: No such file or directory'; echo 'list ruleset'; exit 1"], Why.ABSENT),
    (["sh", "-c", "exit 4"], Why.FAILED),
    (["sleep", "9"], Why.NO_ANSWER),
]


@pytest.mark.parametrize(("argv", "why"), ENDS)
def test_how_a_program_ended(argv: list[str], why: Why) -> None:
    with pytest.raises(CannotRead) as raised:
        Host(loads=True).run(argv, timeout=0.3)
    assert raised.value.why is why


def test_all_that_a_program_said_can_be_read() -> None:
    with pytest.raises(ProgramFailed) as raised:
        Host(loads=True).run(["sh", "-c", "echo one >&2; echo an error >&2; echo three >&2; exit 1"])
    assert (raised.value.reason, raised.value.said) == ("an error", "one\nan error\nthree")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.ENOENT, Why.ABSENT), (errno.ENOTDIR, Why.ABSENT), (errno.ELOOP, Why.LINK),
        (errno.EACCES, Why.NOT_PERMITTED), (errno.EPERM, Why.NOT_PERMITTED), (errno.EOPNOTSUPP, Why.UNSUPPORTED),
        (errno.EIO, Why.FAILED),
    ],
)  # fmt: skip
def test_what_the_system_refuses(number: int, why: Why) -> None:
    words = os.strerror(number)
    for error in (number, OSError(number, words)):
        told = CannotRead.of("/x", error, "it cannot be read: ")
        assert (str(told), told.why) == (f"/x: it cannot be read: {words}", why)


def test_an_error_without_an_errno_keeps_its_words() -> None:
    told = CannotRead.of("/x", OSError("it is gone"))
    assert (str(told), told.why) == ("/x: it is gone", Why.FAILED)


def test_a_link_in_a_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(CannotRead) as raised, Folder.held(str(tmp_path / "link")):
        pass
    assert raised.value.why is Why.LINK
    with Folder.held(str(tmp_path)) as folder:
        trouble = folder.trouble("link")
        assert trouble is not None
        assert (trouble.source, trouble.why) == (str(tmp_path / "link"), Why.LINK)
        assert folder.trouble("nothing") is None
