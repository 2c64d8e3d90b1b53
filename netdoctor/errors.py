"""What can go wrong, and the exit status that it owns.

::

    NetdoctorError                  3  could not tell, could not do
    ├── CannotRead                     a source gave no fact (an outcome, not an end: the probes say unknown)
    │   └── IsLink                     a link where a file of ours belongs
    ├── BadInput                    2  a flag, file or report that cannot be understood
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


class NetdoctorError(Exception):
    """One clear sentence for the user, and an exit status."""

    exit_code = 3


class CannotRead(NetdoctorError):
    """A source could not be read: where, and why."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source, self.reason = source, reason


class IsLink(CannotRead):
    """A symbolic link stands where netdoctor reads or writes a file of its own."""

    def __init__(self, path: str) -> None:
        advice = "put the file itself in its place, or remove the link"
        what = f"is a symbolic link; netdoctor does not follow symbolic links when writing: {advice}"
        super().__init__(path, f"it {what}")
        self.args = (f"{path} {what}",)


class BadInput(NetdoctorError):
    """Something the user gave cannot be understood."""

    exit_code = 2


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
