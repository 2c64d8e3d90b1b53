"""The iptables rules of others, kept while firewalld adds its first direct rule and flushes their tables."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netdoctor.changes.file import FileState, put
from netdoctor.errors import CannotRead
from netdoctor.facts.node.iptables import Ruleset
from netdoctor.system.host import Host

KEPT = "/run/netdoctor-rules-of-others.json"  # there only while the tables may be empty, in case that we are killed
FAMILIES = ("iptables-nft", "ip6tables-nft")
SECONDS = 5.0


@contextmanager
def kept(host: Host) -> Iterator[None]:
    """Put back, after the block, each rule that is gone then. Raises CannotRead."""
    put_back(host)
    texts = {family: host.run([f"{family}-save"], timeout=SECONDS) for family in FAMILIES}
    put(KEPT, FileState(json.dumps(texts), 0o600, 0, 0))
    try:
        yield
    finally:
        put_back(host)


def put_back(host: Host) -> None:
    """Write what was kept and is gone, if anything was kept. Raises CannotRead."""
    stored = FileState.read(KEPT)
    if stored is None:
        return
    try:
        texts = {family: str(text) for family, text in json.loads(stored.data).items() if family in FAMILIES}
    except (ValueError, AttributeError, RecursionError) as error:
        advice = "iptables rules of others may be missing; delete the file when none are"
        raise CannotRead(KEPT, f"damaged: {advice}") from error
    for family, text in texts.items():
        now = Ruleset.parse(host.run([f"{family}-save"], timeout=SECONDS))
        if lines := missing(Ruleset.parse(text), now):
            host.run([f"{family}-restore", "--noflush", "--wait", "5"], timeout=2 * SECONDS, stdin=lines)
    Path(KEPT).unlink()


def missing(before: Ruleset, now: Ruleset) -> str:
    """What iptables-restore --noflush has to read so that what is gone of `before` is there again; "" when nothing is.

    A chain of others that has rules is left as it is: its owner has written it again.
    """
    text = []
    for table, chains in before.chains.items():
        declared, rules = [], []
        for chain, wanted in chains.items():
            there = now.rules(table, chain)
            if chain in before.policies.get(table, {}):
                short = Counter(wanted) - Counter(there)
                rules += [rule for rule in wanted if short[rule] > 0]
            elif not now.has_chain(table, chain) or (wanted and not there):
                declared.append(f":{chain} - [0:0]")
                rules += wanted
        if declared or rules:
            text += [f"*{table}", *declared, *rules, "COMMIT"]
    return "\n".join(text) + "\n" if text else ""
