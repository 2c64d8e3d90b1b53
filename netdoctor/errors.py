"""What can go wrong, and the exit status that it owns.

::

    NetdoctorError                  3  could not tell, could not do
    ├── CannotRead                     a source gave no fact (an outcome, not an end: the probes say unknown)
    │   ├── IsLink                     a link where a file of ours belongs
    │   └── NotInstalled               a program that this machine does not have
    ├── BadInput                    2  a flag, file or report that cannot be understood
    │   └── BadRecording               a recording that cannot be used
    ├── NoConsent                   2  nobody has said that the changes shown may be made
    ├── Drifted                        the world is no longer as the plan (or the undo) saw it
    ├── NotRehearsable                 a change that reaches beyond a copy of the node's network
    ├── Exposed                        a repair that would open more than it has to
    ├── JournalError                   a journal that cannot be read or written
    ├── UnfinishedRun                  an earlier repair was interrupted
    └── Locked                         another netdoctor is changing this host

Exit status: 0 healthy or done, 1 faults found (or a repair that was rolled back), 2 usage, 3 could not tell.
"""

from __future__ import annotations

import errno
import os
from enum import StrEnum


class Why(StrEnum):
    """Why a source gave no fact, as far as something tells it apart; the sentence beside it is for people."""

    ABSENT = "absent"  # there is no such file, program or table
    LINK = "link"  # a symbolic link stands where none is followed
    NOT_PERMITTED = "not-permitted"
    UNSUPPORTED = "unsupported"  # this kernel cannot do it
    NO_ANSWER = "no-answer"  # whoever was asked said nothing in time, or nothing that it could have said
    NO_MODULES = "no-modules"  # the cluster, or the manifests, have none
    NO_NETWORK = "no-network"  # a test pod was made, and the CNI did not connect it
    NOT_RECORDED = "not-recorded"  # the recording does not hold it
    STARTING = "starting"  # it was started a moment ago, and nothing speaks against its getting ready
    OLDER = "older"  # the recording is older than this fact: what is judged of it is left out, and counts neither way
    FAILED = "failed"  # anything else

    @classmethod
    def of_errno(cls, number: int | None) -> Why:
        """What an errno means here."""
        return ERRNOS.get(number or 0, cls.FAILED)


ERRNOS = {
    errno.ENOENT: Why.ABSENT,
    errno.ENOTDIR: Why.ABSENT,
    errno.ELOOP: Why.LINK,
    errno.EACCES: Why.NOT_PERMITTED,
    errno.EPERM: Why.NOT_PERMITTED,
    errno.EOPNOTSUPP: Why.UNSUPPORTED,
    errno.EAFNOSUPPORT: Why.UNSUPPORTED,
    errno.EPROTONOSUPPORT: Why.UNSUPPORTED,
}


class NetdoctorError(Exception):
    """One clear sentence for the user, and an exit status."""

    exit_code = 3


class CannotRead(NetdoctorError):
    """A source could not be read: where, why in a word for the code, and the reason in words for people."""

    def __init__(self, source: str, reason: str, why: Why = Why.FAILED) -> None:
        # a reason that begins with its source is a whole sentence
        super().__init__(reason if reason.startswith(f"{source} is ") else f"{source}: {reason}")
        self.source, self.reason, self.why = source, reason, why

    @classmethod
    def of(cls, source: str, error: OSError | int, before: str = "") -> CannotRead:
        """What the system has refused, as an exception or an errno, in its words; `before` says what was tried."""
        if isinstance(error, int):
            error = OSError(error, os.strerror(error))
        return CannotRead(source, f"{before}{error.strerror or error}", Why.of_errno(error.errno))


class NotInstalled(CannotRead):
    """A program is not installed; `command` installs it, "" where that is not known."""

    def __init__(self, program: str, command: str) -> None:
        super().__init__(program, f"{program} is not installed" + (f": {command}" if command else ""), Why.ABSENT)


class IsLink(CannotRead):
    """A symbolic link stands where netdoctor reads or writes a file of its own."""

    def __init__(self, path: str) -> None:
        advice = "put the file itself in its place, or remove the link"
        what = f"is a symbolic link; netdoctor does not follow symbolic links when writing: {advice}"
        super().__init__(path, f"it {what}", Why.LINK)
        self.args = (f"{path} {what}",)


class BadInput(NetdoctorError):
    """Something the user gave cannot be understood."""

    exit_code = 2


class BadRecording(BadInput):
    """A recording that cannot be used."""

    def named(self, path: str) -> BadRecording:
        """The same of the file that the user named; "-" is standard input."""
        return BadRecording(f"{'standard input' if path == '-' else path}: {self}")


class NoConsent(NetdoctorError):
    """Nobody can be asked whether the changes that were shown may be made."""

    exit_code = 2


class Drifted(NetdoctorError):
    """The world has changed since the plan was made."""


class NotRehearsable(NetdoctorError):
    """A change reaches beyond a network namespace, so a copy of the node's network cannot show what it does."""


class Exposed(NetdoctorError):
    """A repair would let in more than it has to."""


class JournalError(NetdoctorError):
    """A journal cannot be read or written."""


class UnfinishedRun(NetdoctorError):
    """An earlier repair was interrupted and has to be undone or resumed first."""


class Locked(NetdoctorError):
    """Another netdoctor holds the lock."""
