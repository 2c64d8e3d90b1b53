"""The hand-written documents are true: every command in them is run, every link leads somewhere, every path is there.

A comment before a block says where it is run, how it ends and what its output has to hold:

    <!-- run: node broken | exit 1 | gate: CLOSED -->     in the checkout on the lab's node, at this point of its story
    <!-- run: clone | k8s/.env.example -->                 in a copy of this repository, beside a git server of its own
    <!-- not run: it needs minikube -->                    counted and printed
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Lab

DOCUMENTS = ("HANDOFF", "DEPLOYMENT-STATUS", "SECURITY", "MODULAR-ARCHITECTURE", "GITHUB-SETUP", "STRUCTURE")
# what happens to the node, and in this order; the blocks of a stage are run in the order of DOCUMENTS
STAGES = ("broken", "fixed", "changed", "deployed", "undone", "by-hand")
PLACES = ("clone", *(f"node {stage}" for stage in STAGES))
MOST_NOT_RUN = 1
# what a reader replaces: GitHub's repository, the manifests, the network that may come in
IN_CLONE = {"git@github.com:YOU/netdoctor.git": "../github.git"}
ON_NODE = {
    "--kustomization k8s": "--kustomization overlays/lab",
    "  - ../../k8s\n": "  - ../lab\n",
}
CANARY = "sk-" + "c0ffee0123456789" * 2  # not in one piece: this file is pushed
ENVIRONMENT = f"PROVIDER_BASE=http://example.com:8080/v1\nPROVIDER_KEY={CANARY}\n"
BREAK = ("firewall-cmd -q --reload", "sysctl -qw net.bridge.bridge-nf-call-iptables=0", "sleep 2")
# the gateways of the broken node are not started only to be replaced by those with the new keys
BEFORE_FIXED = "kubectl -n litellm delete deployment -l app.kubernetes.io/name=litellm"
# SECURITY.md on NodePorts: firewalld does not close them, the table of its example does
FROM_OUTSIDE = "curl -s -m 2 -o /dev/null http://10.77.0.2:30100/health/readiness"
RICH_RULE = "rich-rule='rule port port=30100-30500 protocol=tcp drop'"
SUDO = 'sudo() { "$@"; }\n'


@dataclass(frozen=True)
class Block:
    """Commands of a document, and the comment before them."""

    document: str
    line: int
    commands: str
    place: str  # "" where the comment says that they are not run
    status: int
    words: tuple[str, ...]
    reason: str = ""

    def __str__(self) -> str:
        return f"docs/{self.document}.md:{self.line}"

    def trouble(self, done: subprocess.CompletedProcess[str]) -> str:
        """What of its end or its output is not what the comment wants, "" for nothing."""
        said = done.stdout + done.stderr
        wrong = [f"exit status {done.returncode}, not {self.status}"] if done.returncode != self.status else []
        wrong += [f"it does not say {word!r}" for word in self.words if word not in said]
        wrong += ["it says a key"] if CANARY in said else []
        return f"{self}: {'; '.join(wrong)}\n{self.commands}\n{said}" if wrong else ""


def text_of(document: str) -> str:
    return (ROOT / "docs" / f"{document}.md").read_text()


def blocks() -> list[Block]:
    found = []
    for document in DOCUMENTS:
        text = text_of(document)
        for match in re.finditer(r"^```(?:bash|sh|shell|console)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            comment = text[: match.start()].rstrip("\n").rpartition("\n")[2]
            mark = re.fullmatch(r"<!-- (run|not run): (.+) -->", comment)
            assert mark, f"docs/{document}.md:{line}: no comment says where these commands are run"
            if mark[1] == "not run":
                found.append(Block(document, line, match[1], "", 0, (), mark[2]))
                continue
            place, *words = (word.strip() for word in mark[2].split(" | "))
            assert place in PLACES, f"docs/{document}.md:{line}: {place}"
            status = int(words.pop(0).removeprefix("exit ")) if words and words[0].startswith("exit ") else 0
            found.append(Block(document, line, match[1], place, status, tuple(words)))
    return found


def replaced(commands: str, table: dict[str, str]) -> str:
    for word, by in table.items():
        commands = commands.replace(word, by)
    return commands


def count(commands: str) -> int:
    """How many commands the lines hold, with continued lines and what goes into files left out."""
    bare = re.sub(r"<<'END'.*?^END$", "", commands, flags=re.DOTALL | re.MULTILINE).replace("\\\n", "")
    quoted = re.sub(r"'[^']*'", "''", bare)
    return sum(bool(line.strip()) and not re.match(r"\s*(then|else|fi|done|#)", line) for line in quoted.splitlines())


def test_every_block_says_where_it_is_run() -> None:
    found = blocks()
    not_run = [block for block in found if not block.place]
    for block in not_run:
        print(f"not run: {block}: {block.reason}: {'; '.join(block.commands.splitlines())}")
    run = [block for block in found if block.place]
    print(f"{sum(count(b.commands) for b in run)} commands in {len(run)} blocks are run, {len(not_run)} blocks are not")
    assert len(not_run) <= MOST_NOT_RUN
    assert {block.document for block in run} == set(DOCUMENTS)


def test_links_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            path = ROOT / "docs" / name if name else ROOT / "docs" / f"{document}.md"
            assert path.exists(), f"{document}: {target}"
            headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE) if anchor else []
            anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert not anchor or anchor in anchors, f"{document}: {target}"


def known() -> list[str]:
    """The files that git knows or would be told of next."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git working tree")
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=ROOT, timeout=30).stdout
    return [name for name in dict.fromkeys(listed.splitlines()) if (ROOT / name).is_file()]


def test_the_structure_is_that_of_the_repository() -> None:
    files = known()
    (tree,) = re.findall(r"^```\n(.*?)^```$", text_of("STRUCTURE"), re.DOTALL | re.MULTILINE)
    paths, folder = [], ""
    for line in tree.splitlines():
        indented, name, about = re.fullmatch(r"( {2})?(\S+) {1,}(\S.*)", line).groups()  # type: ignore[union-attr]
        assert about
        folder = folder if indented else name
        paths.append(folder + name if indented else name)
    for path in paths:
        assert path in files or any(file.startswith(path) for file in files if path.endswith("/")), path
    tops = {file.partition("/")[0] + ("/" if "/" in file else "") for file in files}
    assert {path for path in paths if "/" not in path.rstrip("/")} == tops
    assert len(paths) == len(set(paths))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files of this repository where git knows nothing of them yet, with keys, and a server to push to."""
    place = tmp_path / "checkout"
    for name in known():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    (place / "k8s/.env").write_text(ENVIRONMENT)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", tmp_path / "github.git"], check=True, timeout=30)
    return place


@pytest.mark.thorough
def test_commands_in_a_clone(clone: Path) -> None:
    names = {f"GIT_{who}_{what}": "reader@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **names, "PATH": path, "HOME": str(clone.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    for block in (block for block in blocks() if block.place == "clone"):
        done = subprocess.run(
            ["bash", "-euc", SUDO + replaced(block.commands, IN_CLONE)], check=False, capture_output=True, text=True,
            cwd=clone, env=environment, timeout=60,
        )  # fmt: skip
        assert not block.trouble(done), block.trouble(done)
    server = ["git", "-C", str(clone.parent / "github.git"), "grep", "--count", CANARY, "main"]
    assert subprocess.run(server, check=False, capture_output=True, timeout=30).returncode == 1, "a key was pushed"


@pytest.mark.lab
@pytest.mark.timeout(2400)
def test_commands_on_a_node(lab: Lab) -> None:
    begin = time.monotonic()
    lab.reset("2.3", modules=True)
    lab.must(f"printf '{ENVIRONMENT}' > /opt/modules/k8s/.env")
    lab.must("; ".join(BREAK))
    told: dict[str, str] = {}
    troubles: list[str] = []  # all at once: a run takes minutes
    for stage in STAGES:
        for block in in_order(stage):
            at = time.monotonic()
            script = f"cd /opt/modules\n{SUDO}{replaced(block.commands, ON_NODE)}"
            done = lab.exec(["bash", "-euc", script], 400)
            took = time.monotonic() - at
            print(f"[{time.monotonic() - begin:6.1f} s] {block} ({stage}), {took:.1f} s: exit status {done.returncode}")
            troubles += [block.trouble(done)] if block.trouble(done) else []
            if "enable --now nodeports" in block.commands:
                assert lab.outside(FROM_OUTSIDE).returncode == 28
            if "disable --now nodeports" in block.commands:
                lab.must(f"firewall-cmd -q --zone=public --add-{RICH_RULE}")
                assert lab.outside(FROM_OUTSIDE).returncode == 0
                lab.must(f"firewall-cmd -q --zone=public --remove-{RICH_RULE}")
            if "--output markdown" in block.commands:
                told[stage] = done.stdout
        if stage == "broken":
            told[stage] = lab.exec("netdoctor status --output markdown").stdout
            lab.must(BEFORE_FIXED)
    assert not troubles, "\n\n".join(troubles)
    page = text_of("DEPLOYMENT-STATUS")
    for stage, part in (("broken", "broken"), ("deployed", "healthy")):
        written = page.partition(f"<!-- {part} -->")[2].partition(f"<!-- /{part} -->")[0]
        assert shape(told[stage]) == shape(written), "scripts/status-page"


def in_order(stage: str) -> list[Block]:
    """The blocks of a stage, document by document."""
    return [block for block in blocks() if block.place == f"node {stage}"]


def shape(page: str) -> list[str]:
    """What of a status does not depend on the moment: modules, ports, replicas, models, and whether all is well."""
    rows = [line.rpartition(" | ")[0] for line in page.splitlines() if line.startswith("| ")]
    return [*rows, "well" if "None: every module answers" in page else "not well"]
