"""docs/SECURITY.md names each program that netdoctor starts and each place of the node that it opens, and no others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from netdoctor.rehearsal import second_firewalld
from netdoctor.system import kernel_modules
from tests.conftest import ROOT

PAGE = (ROOT / "docs/SECURITY.md").read_text()
SOURCES = [path for top in ("netdoctor", "probes", "remedies") for path in sorted((ROOT / top).rglob("*.py"))
           if not any(parent.is_symlink() for parent in path.parents)]  # fmt: skip
# the only places from which a process is started
STARTERS = {
    "netdoctor/system/host.py", "netdoctor/system/bounded_process.py", "netdoctor/recording/confinement.py",
    "netdoctor/facts/gateways/kustomize.py",
    "netdoctor/repair/confirmation.py", "netdoctor/system/trace_table.py", "netdoctor/rehearsal/second_firewalld.py",
}  # fmt: skip
# programs whose name is not written where they are started, by file; the names are all in kernel_modules.PROGRAMS
DYNAMIC = {
    "netdoctor/system/nft_trace.py", "netdoctor/facts/node/firewalld.py", "netdoctor/facts/node/iptables.py",
    "netdoctor/rehearsal/rehearsal.py", "netdoctor/tracing/traced.py",
    "netdoctor/rehearsal/named_sources.py", "netdoctor/rehearsal/direct_rules.py",
    "netdoctor/changes/_foreign_rules.py", "netdoctor/changes/direct_rules.py",
    "netdoctor/changes/_conntrack.py", "netdoctor/changes/_iptables_nat.py", "netdoctor/changes/_iptables.py",
}  # fmt: skip
STARTS = re.compile(r"\b(os\.(system|popen|spawn\w*|exec\w*|posix_spawn\w*|fork\w*)|pty\.|shell=True|multiprocessing)")
# processes that become nobody, for each session with a Postgres, and for the names in a recording behind TAB; whoever
# starts them has a time limit and kills them
FORKS = {"netdoctor/facts/gateways/postgres_client.py": "os.fork", "netdoctor/terminal/completion.py": "os.fork"}
PLACE = re.compile(r"/(proc|sys|dev|etc|run|var|usr|lib|opt|root|home|tmp|snap)(/[\w./@-]*)?(?=$|[\s:{])")
NO_PLACE = {"/proxy/", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}  # a part of URLs; PATH
# of a pod's root, reached through /proc/PID/root
IN_POD = "/root/etc/resolv.conf"


def table(heading: str) -> list[list[str]]:
    section = PAGE.split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    assert rows
    return rows


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def started() -> Iterator[tuple[str, str]]:
    """File and program of each list that is given to a function called `run`; "" where the name is not a literal."""
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run"):
                continue
            given = node.args[0] if node.args else None
            owner = ast.unparse(node.func.value)
            if isinstance(given, ast.List) and given.elts:
                first = given.elts[0]
                yield short(path), str(first.value) if isinstance(first, ast.Constant) else ""
            elif owner in ("host", "Host()", "super()", "Host(loads=True)"):
                yield short(path), ""


PROGRAMS = {name for row in table("Each program that it starts") for name in named(row[0])}


def test_each_program_is_on_the_page() -> None:
    literal = {program for _, program in started() if program}
    other = {*second_firewalld.PROGRAMS, "kubectl", kernel_modules.EITHER}
    assert literal | kernel_modules.PROGRAMS.keys() | other == PROGRAMS


def test_a_program_whose_name_is_put_together_is_one_that_is_known() -> None:
    assert {file for file, program in started() if not program} <= DYNAMIC


def test_processes_are_started_in_these_places_and_by_no_shell() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert {match[0] for match in STARTS.finditer(text)} <= {FORKS.get(short(path))}, path
        if "subprocess" in re.sub(r'""".*?"""', "", text, flags=re.DOTALL):
            assert short(path) in STARTERS


def test_each_start_has_a_time_limit() -> None:
    for file in sorted(STARTERS):
        for node in ast.walk(parsed(ROOT / file)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "subprocess.run":
                assert any(keyword.arg == "timeout" for keyword in node.keywords), file


@cache
def places() -> dict[str, set[str]]:
    """Each literal that begins like a place of the node, with the files that have it; docstrings left out."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        tree = parsed(path)
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        prose = {id(node.body[0].value) for node in ast.walk(tree)
                 if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)}  # fmt: skip
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)) or id(node) in prose:
                continue
            match = PLACE.match(node.value)
            if match and node.value not in NO_PLACE and not node.value.startswith(IN_POD):
                found.setdefault(match[0].rstrip("/"), set()).add(short(path))
    return found


LISTED = [place for row in table("Each place on the node") for place in named(row[0])]


def covers(listed: str, place: str) -> bool:
    return place == listed or place.startswith(listed + "/")


def test_each_place_is_on_the_page() -> None:
    # what a second firewalld does not see; where no report is written; a root below a process; where snap has kubectl
    bare = {"/etc", "/dev", "/root", "/snap"}
    wrong = {place: files for place, files in places().items()
             if not any(covers(listed, place) for listed in LISTED) and place not in bare}  # fmt: skip
    assert wrong == {}


def test_no_place_on_the_page_is_made_up() -> None:
    for listed in LISTED:
        assert any(covers(listed, place) for place in places()), listed


def test_what_repairs_write_is_said_to_be_written() -> None:
    written = [place for row in table("Each place on the node") if row[2].strip() for place in named(row[0])]
    # read only: firewalld's socket, a name, the lock, which machine this is, and its operating system
    written += [
        "/run/dbus/system_bus_socket",
        "/usr/lib/firewalld/zones",
        "/dev/null",
        "/etc/modprobe.d",
        "/etc/machine-id",
        "/etc/os-release",
    ]
    for place, files in places().items():
        if any(file.startswith(("netdoctor/changes/", "remedies/", "netdoctor/journal")) for file in files):
            assert any(covers(listed, place) for listed in written), place
