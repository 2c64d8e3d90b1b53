"""What could not be asked, in few lines: once for each reason, however many checks it keeps from being made."""

from __future__ import annotations

import os
import pwd
from collections import Counter
from collections.abc import Iterable

from netdoctor.facts.cluster.this_node import NO_NODE
from netdoctor.model import UNASKED, Outcome, Result

BEFORE, AFTER = NO_NODE.split("{nodes}")
NOT_A_NODE = "this is not a Kubernetes node, or not one that netdoctor can read"


def without_node(reasons: Iterable[str]) -> str:
    """Why no API server could be asked on a machine that is not a node, by the reasons of checks; "" on a node."""
    for reason in reasons:
        if BEFORE in reason and reason.endswith(AFTER):
            return reason.partition(BEFORE)[2].removesuffix(AFTER)
    return ""


def cannot_check(why: str, command: str) -> list[str]:
    """What to say on a machine without node and cluster. `why`: what `without_node` found; `command` was called."""
    return [f"CANNOT CHECK  {NOT_A_NODE}", *_what_is_missing(why, command)]


def records_little(why: str) -> list[str]:
    """What to say of a recording that is made on such a machine."""
    return [f"WARNING  the recording tells little: {NOT_A_NODE}", *_what_is_missing(why, "record FILE")]


def _what_is_missing(why: str, command: str) -> list[str]:
    source, _, reason = why.partition(": ")
    lines = [f"  {source:10}  {reason}", f"  {'kubelet':10}  none has run here"]
    if os.geteuid() != 0:
        lines.append(f"  {'you are':10}  {_user()}; root can read more: sudo netdoctor {command}")
    return [*lines, "", "elsewhere: run it on the node, or name a cluster: --kubeconfig FILE"]


def unasked_lines(results: Iterable[Result], begin: str) -> list[str]:
    """How many checks could not be made, and the most frequent reason. `begin`: what is known beside that."""
    unasked = [result for result in results if result.outcome in UNASKED]
    lines = [f"COULD NOT TELL  {begin}, but {_checks(len(unasked))} could not be made"]
    reason = _most_frequent_reason(unasked)
    return [*lines, f"  ? {reason}"] if reason else lines


def not_made(results: Iterable[Result]) -> list[str]:
    """One line on the checks that could not be made, beside what is planned; none where all were."""
    unknown = [result for result in results if result.outcome is Outcome.UNKNOWN]
    if not unknown:
        return []
    reason = _most_frequent_reason(unknown)
    return ["", f"! {_checks(len(unknown))} could not be made, so a cause may be missing here: {reason}"]


def _checks(count: int) -> str:
    return "1 check" if count == 1 else f"{count} checks"


def _most_frequent_reason(unasked: list[Result]) -> str:
    """The reason of most of those that are unknown, and where the others are told; "" where none is."""
    reasons = Counter(result.reason for result in unasked if result.outcome is Outcome.UNKNOWN)
    if not reasons:
        return ""
    reason, of_them = reasons.most_common(1)[0]
    return reason + ("; netdoctor check shows the others" if of_them < len(unasked) else "")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"
