"""What can go wrong, and the exit status that it owns.

::

    NetdoctorError                  3  could not tell, could not do
    ├── CannotRead                     a source gave no fact (an outcome, not an end: the probes say unknown)
    ├── BadInput                    2  a flag, file or report that cannot be understood
    ├── Drifted                        the world is no longer as the plan (or the undo) saw it
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


class BadInput(NetdoctorError):
    """Something the user gave cannot be understood."""

    exit_code = 2


class Drifted(NetdoctorError):
    """The world has changed since the plan was made."""


class JournalError(NetdoctorError):
    """A journal cannot be read or written."""


class UnfinishedRun(NetdoctorError):
    """An earlier repair was interrupted and has to be undone or resumed first."""


class Locked(NetdoctorError):
    """Another netdoctor holds the lock."""
