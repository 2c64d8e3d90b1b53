"""Prints what a twin costs: small, with 5,000 Services, and twelve at once. Needs root; uses throw-away namespaces.

The node is made for it (tests/twin/network.py), and its rules are kube-proxy's in mode iptables.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from netdoctor.experiments.search import Search
from netdoctor.experiments.work_limit import WorkLimit
from netdoctor.system.host import Host
from netdoctor.twin.asked import Asked
from netdoctor.twin.build import build
from netdoctor.twin.recorded_state import size_of
from tests.twin.network import CLUSTER, FLOWS, Node, small_node

T = TypeVar("T")
SERVICES, TWINS, RUNS = 5000, 12, 5
MASKED = "-A {chain} -s {pod}/32 {note} -j MARK --set-xmark 0x4000/0x4000"


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what came of it."""
    begin = time.monotonic()
    made = work()
    return time.monotonic() - begin, made


def kube_proxy_rules(services: int) -> str:
    """As iptables-restore takes them: a chain for each Service, and one for its endpoint."""
    chains, rules = [], []
    for n in range(services):
        address, pod = f"10.{97 + (n >> 16)}.{n >> 8 & 255}.{n & 255}", f"10.244.{n >> 8 & 255}.{n & 255}"
        service, end, note = f"KUBE-SVC-{n:016X}", f"KUBE-SEP-{n:016X}", f'-m comment --comment "shop/service-{n}:http"'
        chains += [f":{service} - [0:0]", f":{end} - [0:0]"]
        rules += [
            f"-A KUBE-SERVICES -d {address}/32 -p tcp {note} -m tcp --dport 80 -j {service}",
            f"-A {service} {note} -j {end}",
            MASKED.format(chain=end, pod=pod, note=note),
            f"-A {end} -p tcp {note} -m tcp -j DNAT --to-destination {pod}:8080",
        ]
    return "\n".join(["*nat", *chains, *rules, "COMMIT", ""])


def memory() -> float:
    """Megabytes of kernel memory in slabs and per-CPU areas, and of this process."""
    found = {line.split(":")[0]: int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()}
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (found["Slab"] + found["Percpu"]) / 1024 + pages * resource.getpagesize() / 1e6


def costs(node: Node, what: str, runs: int) -> None:
    """Capture, build and one flow; the shortest and the longest of so many."""
    found: dict[str, list[float]] = {"capture": [], "build": [], "one flow": [], "all three": []}
    for _ in range(runs):
        captured, state = timed(node.state)
        built, twin = timed(lambda s=state: build(s))  # type: ignore[misc]
        asked, _ = timed(lambda t=twin: t.begin(FLOWS["service"]))  # type: ignore[misc]
        twin.close()
        for name, seconds in zip(found, (captured, built, asked, captured + built + asked), strict=True):
            found[name].append(seconds)
    rules = sum(each.kind == 6 for each in state.node.nftables)
    print(
        f"{what}: {len(state.node.nftables)} nftables objects ({rules} rules), recording {size_of(state) / 1e6:.1f} MB"
    )
    for name, times in found.items():
        print(f"  {name:10} {1000 * min(times):7.0f} to {1000 * max(times):.0f} ms")


def search(node: Node) -> None:
    """A search with one fault, on the node as it is."""
    from netdoctor.experiments.interventions import Situation

    state = node.state()
    asked = [Asked(name, FLOWS[name], node.ask(FLOWS[name])) for name in ("outside", "service")]
    made = Search(
        state,
        lambda a, way, legacy: Situation(state, a.flow, way, legacy, CLUSTER),
        lambda *_: "",
        WorkLimit(),
    )
    seconds, found = timed(lambda: made.run([a for a in asked if not a.reply.arrived], list))
    cures = sorted({one.name for each in found for cure in each.cures for one in cure})
    print(f"  search     {seconds:7.1f} s, {made.copies} copies: {', '.join(cures)}")


def main() -> None:
    """The figures, line by line."""
    with small_node() as node:
        costs(node, "small", RUNS)
        node.sh("iptables-nft -I FORWARD -p udp --dport 53 -j DROP")
        search(node)
        node.sh("iptables-nft -D FORWARD -p udp --dport 53 -j DROP")
        state = node.state()
        gc.collect()
        before = memory()
        seconds, twins = timed(lambda: [build(state) for _ in range(TWINS)])
        print(f"{TWINS} small twins side by side: {memory() - before:.1f} MB, built in {seconds:.2f} s")
        for twin in twins:
            twin.close()
        node.namespaces["node"].run(
            lambda: Host().run(["iptables-nft-restore", "--noflush"], timeout=60, stdin=kube_proxy_rules(SERVICES))
        )
        costs(node, f"{SERVICES} Services", 3)
        node.sh("iptables-nft -I FORWARD -p udp --dport 53 -j DROP")
        search(node)
        state = node.state()
        gc.collect()
        before = memory()
        twin = build(state)
        print(f"one twin with {SERVICES} Services: {memory() - before:.0f} MB")
        twin.close()


if __name__ == "__main__":
    main()
