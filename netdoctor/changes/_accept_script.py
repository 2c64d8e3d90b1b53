"""What makes rules of `accept_rules` again at boot: a script for /bin/sh, run by a unit.

A file of rules alone would not do: they have to stand before a rule of somebody else, whose place in its chain the boot
decides.
"""

from __future__ import annotations

from collections.abc import Iterable

from netdoctor.changes._accepted import LABEL
from netdoctor.changes.accept_rules import DOCKER_USER, AcceptRules

NAME, TITLE = "accept.sh", "Packets of pods are accepted, as netdoctor fix has made it"
FUNCTIONS = f"""\
# accept PROGRAM CHAIN BEFORE RULE...: a rule before another one, or at the end where BEFORE is empty; none twice
accept() {{
    program=$1 chain=$2 before=$3
    shift 3
    "$program" -w 5 -C "$chain" "$@" 2>/dev/null && return
    place=$("$program" -w 5 -S "$chain" | grep '^-A' | grep -nxF -e "$before" | head -n 1 | cut -d : -f 1)
    if [ -n "$place" ]; then
        "$program" -w 5 -I "$chain" "$place" "$@"
    elif [ -z "$before" ] || [ "$chain" = {DOCKER_USER} ]; then
        "$program" -w 5 -A "$chain" "$@"
    fi
}}

# accept_nft FAMILY TABLE CHAIN BEFORE RULE: the same in a chain of nftables
accept_nft() {{
    listed=$(nft -a -s list chain "$1" "$2" "$3") || return
    export before="$4 # handle "
    place=$(printf '%s\\n' "$listed" | sed 's/^[[:space:]]*//' |
        awk 'index($0, ENVIRON["before"]) == 1 {{print substr($0, length(ENVIRON["before"]) + 1); exit}}')
    if [ -z "$4" ]; then
        nft add rule "$1" "$2" "$3" "$5"
    elif [ -n "$place" ]; then
        nft insert rule "$1" "$2" "$3" position "$place" "$5"
    fi
}}

# forget_nft FAMILY TABLE CHAIN: deletes what this script wrote when it ran before
forget_nft() {{
    for handle in $(nft -a list chain "$1" "$2" "$3" | sed -n 's/.*comment "{LABEL}" # handle //p'); do
        nft delete rule "$1" "$2" "$3" handle "$handle"
    done
}}

"""


def script(changes: Iterable[AcceptRules]) -> str:
    """The script that makes these rules."""
    lines: list[str] = []
    for change in changes:
        lines += change.boot_lines()
    return FUNCTIONS + "\n".join(lines) + "\n"
