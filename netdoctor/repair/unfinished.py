"""What stands in the way of a new repair: a run that waits to be confirmed, and runs that were interrupted."""

from __future__ import annotations

from netdoctor.errors import UnfinishedRun
from netdoctor.repair.confirmation import notice, pending
from netdoctor.repair.journal import Closed, reopen
from netdoctor.repair.runs import unfinished, what_happened


def deal_with_unfinished(resume: bool) -> None:
    """Keep what interrupted runs have changed where `resume` says so. Raises UnfinishedRun for any other of them."""
    if (waits := pending()) is not None:
        raise UnfinishedRun(notice(waits))
    for journal in unfinished():
        if not resume:
            raise UnfinishedRun(
                f"{what_happened(journal)}: roll it back with `netdoctor undo`, or keep what it changed and go on with "
                "`netdoctor fix --resume`"
            )
        reopen(journal)
        journal.close(Closed.RESUMED)
