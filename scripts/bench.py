"""Prints the figures of the budgets: what, wanted, measured. Those of a node are measured on a lab called bench."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "tests/lab/lab"
RUNS = 15
SERVICES = 10_000
# every packet is dropped; the jobs of kube-proxy and the kubelet go on
BLACK_HOLE = "for chain in INPUT OUTPUT FORWARD; do iptables -I $chain -j DROP; done"
# the peak of the process itself, without the commands that it runs
PEAK = (
    "import resource, sys; sys.argv[1:] = ['check', '--output', 'json']\nfrom netdoctor.cli import main\n"
    "try: main()\nfinally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
)


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str
    wanted: float
    measured: float
    unit: str

    def __str__(self) -> str:
        """As the table shows it."""
        verdict = "" if self.measured <= self.wanted else "  MISSED"
        return f"{self.what:58} {self.wanted:>8g} {self.unit:3} {self.measured:>9.2f} {self.unit:3}{verdict}"


def seconds_of(argv: list[str]) -> float:
    """The processor's time that a process takes: a busy machine changes it less than the wall clock."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, capture_output=True, cwd="/")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def help_against_click() -> Figure:
    """Both in turn, so that a busy machine slows both."""
    pairs = []
    for _ in range(RUNS):
        bare = seconds_of([sys.executable, "-c", "import click"])
        ours = seconds_of([sys.executable, "-c", "from netdoctor.cli import main; main()", "--help"])
        pairs.append((bare, ours))
    return Figure("netdoctor --help, against importing click", 1.5,
                  statistics.median(o for _, o in pairs) / statistics.median(b for b, _ in pairs), "x")  # fmt: skip


def catalogue() -> Figure:
    """The files of probes, after the facts that they ask for are imported."""
    code = (
        "import sys, time\nfrom netdoctor.diagnosis.catalogue import Catalogue\nCatalogue.load()\n"
        "for name in [m for m in sys.modules if m.startswith('netdoctor.probes.')]: del sys.modules[name]\n"
        "begin = time.perf_counter()\nfound = Catalogue.load()\n"
        "print((time.perf_counter() - begin) * 1000 / len(found.probes))"
    )
    found = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True) for _ in range(5)]
    return Figure("loading the catalogue, for 100 probes", 50, min(float(f.stdout) for f in found) * 100, "ms")


def kube_proxy_rules(services: int) -> str:
    """What iptables-save prints on a node with so many Services, each with two endpoints."""
    chains = ["*nat", ":PREROUTING ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]",
              ":KUBE-SERVICES - [0:0]"]  # fmt: skip
    rules = ["-A PREROUTING -j KUBE-SERVICES", "-A OUTPUT -j KUBE-SERVICES"]
    for n in range(services):
        name, address = f"shop/service-{n}:http", f"10.{96 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"
        service, comment = f"KUBE-SVC-{n:016X}", f'-m comment --comment "{name}'
        chains.append(f":{service} - [0:0]")
        rules.append(f'-A KUBE-SERVICES -d {address}/32 -p tcp {comment} cluster IP" -m tcp --dport 80 -j {service}')
        for e in (1, 2):
            pod, end = f"10.244.{n >> 7 & 255}.{n & 127 | e << 7}", f"KUBE-SEP-{n:015X}{e}"
            chains.append(f":{end} - [0:0]")
            rules.append(f'-A {service} {comment} -> {pod}:8080" -m statistic --mode random -j {end}')
            rules.append(f'-A {end} -s {pod}/32 {comment}" -j KUBE-MARK-MASQ')
            rules.append(f'-A {end} -p tcp {comment}" -m tcp -j DNAT --to-destination {pod}:8080')
    return "\n".join([*chains, *rules, "COMMIT", ""])


def ten_thousand_services() -> Iterator[Figure]:
    """Parsing and judging, against the plain reading of the same text by a process."""
    from netdoctor.facts.cluster.services import services_in_rules
    from netdoctor.facts.node.iptables import EMPTY, Iptables, Ruleset, masquerade_sources
    from netdoctor.facts.node.kube_proxy_rules import in_iptables

    text = kube_proxy_rules(SERVICES)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()

        def read() -> None:
            subprocess.run(["cat", file.name], check=True, capture_output=True, encoding="utf-8")

        def judge() -> None:
            rules = Ruleset.parse(text)
            assert len(services_in_rules(rules.rules("nat", "KUBE-SERVICES"))) == SERVICES
            assert len(in_iptables(Iptables(rules, EMPTY)).ports) == SERVICES
            masquerade_sources(rules)

        plain, ours = shortest(read), shortest(judge)
    words = f"{SERVICES} Services ({len(text) / 1e6:.0f} MB): parse and judge"
    yield Figure(words, 500, ours * 1000, "ms")
    yield Figure(f"{SERVICES} Services: plain reading of the same text", 500, plain * 1000, "ms")


def shortest(action: Callable[[], object]) -> float:
    """The shortest of five."""
    found = []
    for _ in range(5):
        begin = time.perf_counter()
        action()
        found.append(time.perf_counter() - begin)
    return min(found)


def lab(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """A verb of the lab."""
    return subprocess.run([str(LAB), *arguments], check=False, capture_output=True, text=True, timeout=timeout)


def on_node(command: str) -> subprocess.CompletedProcess[str]:
    """Shell lines on the node."""
    return lab("exec", "--name", "bench", "--", "sh", "-c", command)


def on_a_node() -> Iterator[Figure]:
    """A healthy node, the same one with every packet dropped, and what it takes of memory."""
    try:
        seconds = []
        for _ in range(5):
            report = json.loads(on_node("netdoctor check --output json").stdout)
            seconds.append(float(report["seconds"]))
        yield Figure("check, healthy node, with test pod", 2, statistics.median(seconds), "s")
        python = on_node("head -1 $(command -v netdoctor)").stdout.strip().removeprefix("#!")
        done = lab("exec", "--name", "bench", "--", python, "-c", PEAK)
        yield Figure("peak memory of check", 120, int(done.stderr.split()[-1]) / 1024, "MB")
        broken = on_node(BLACK_HOLE)
        assert broken.returncode == 0, broken.stderr
        begin = time.monotonic()
        on_node("netdoctor check --output json")
        yield Figure("check, every packet black-holed", 6, time.monotonic() - begin, "s")
    finally:
        lab("down", "--name", "bench")


def main() -> None:
    """The table, line by line."""
    print(f"{'what':58} {'wanted':>12} {'measured':>13}")
    print(help_against_click(), flush=True)
    print(catalogue(), flush=True)
    for figure in ten_thousand_services():
        print(figure, flush=True)
    if not LAB.exists() or lab("require").returncode:
        print("the figures of a node: the lab cannot be had here (tests/lab/lab require says why)")
        return
    came = lab("reset", "--name", "bench", timeout=300)
    if came.returncode:
        print(f"the figures of a node: {(came.stderr or came.stdout).strip().splitlines()[-1:]}")
        return
    for figure in on_a_node():
        print(figure, flush=True)


if __name__ == "__main__":
    main()
