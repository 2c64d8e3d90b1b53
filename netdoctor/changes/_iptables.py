"""Rules of iptables read and written in one step, by the programs that save and restore them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netdoctor.facts.node.iptables import Ruleset
from netdoctor.system.host import Host

NFT = "iptables-nft"
SECONDS = 5.0


def saved(host: Host, table: str, program: str = NFT, lock: Sequence[str] = ()) -> Ruleset:
    """The rules of a table. `lock`: a command that has the program use another lock. Raises CannotRead."""
    return Ruleset.parse(host.run([*lock, f"{program}-save", "-t", table], timeout=SECONDS))


def restore(host: Host, table: str, lines: Iterable[str], program: str = NFT, lock: Sequence[str] = ()) -> None:
    """Have a table's lines written, all or none, beside the rules that are there. Raises CannotRead."""
    text = "\n".join([f"*{table}", *lines, "COMMIT"]) + "\n"
    host.run([*lock, f"{program}-restore", "--noflush", "--wait", "5"], timeout=2 * SECONDS, stdin=text)
