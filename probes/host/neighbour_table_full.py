"""The kernel's table of neighbours is full.

## What it checks
The neighbours of IPv4 that the kernel knows (`/proc/net/stat/arp_cache`), against
`net.ipv4.neigh.default.gc_thresh3`. The table is one for the whole machine: `ip neigh` shows the part of one namespace.

## Why it matters
Each pod, and each host that a pod or the node talks to on its own network, takes an entry. Once the table is full, the
kernel adds none: packets to a new neighbour fail with `No buffer space available` or `Invalid argument`, now here and
now there. Its log says `neighbour: arp_cache: neighbor table overflow!`. The default of 1024 is small for many pods.

## When it mends itself
When entries that nobody uses are removed, which the kernel tries all the time at this point.

## By hand
`sysctl -w net.ipv4.neigh.default.gc_thresh3=8192`, `gc_thresh2` to half of that, and both in a file of /etc/sysctl.d.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Subject, Values, probe
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.neighbour_table import NeighbourTable
from netdoctor.shell import all_of, command
from netdoctor.symptoms import POD_TRAFFIC

FULL = 0.98  # of the limit: entries come and go while they are counted
SETTING = "net.ipv4.neigh.default.gc_thresh3"


@probe(area=Area.NODE, healthy="the table of neighbours has room", explains=("coredns-upstream-dead", *POD_TRAFFIC))
def neighbour_table_full(table: NeighbourTable, this: ThisNode) -> Iterator[Finding]:
    """As many entries as there may be."""
    if not table.most:
        raise NotApplicable("the limit is another namespace's")
    if table.entries < FULL * table.most:
        return
    data = Values(setting=SETTING, value=str(table.most), count=table.entries, of=table.most)
    yield Finding(
        f"the table of neighbours is full, {table.entries} of {table.most}: packets to a new neighbour are dropped",
        (Evidence(f"neighbours, and {SETTING}", f"{table.entries} of {table.most}", "well below the limit", data),),
        Subject(node=this.name),
        by_hand=all_of(
            command("sudo sysctl -w net.ipv4.neigh.default.gc_thresh{}={}", number, value)
            for number, value in ((3, 8 * table.most), (2, 4 * table.most))
        ),
    )
