"""Builds docs/ as a site into site/, without a warning, and with nothing in it that is loaded from elsewhere.

The pages are copied to .site/docs first: README.md becomes the start page, links to files outside the site
become their text, and a Mermaid diagram, which a browser would need a script from elsewhere for, becomes a list.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK, SITE = ROOT / ".site", ROOT / "site"
TOP = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NODE = re.compile(r'(\w+)\["([^"]*)"\]')
EDGE = re.compile(r"^\s*(\w+) (?:-->|-\.(.*?)\.->)(?:\|(.*?)\|)? (\w+)$")
LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*\bhref=\"?(?:https?:)?//[^>]*>"
)
CANONICAL = re.compile(r"rel=\"?(?:canonical|next|prev)")


def pages() -> dict[Path, Path]:
    """Each file of the site, below .site/docs, by its place in the checkout."""
    found = {ROOT / "docs" / path: path for path in _below(ROOT / "docs")}
    return found | {ROOT / name: Path(place) for name, place in TOP.items()}


def _below(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".1")


def rewritten(text: str, source: Path, places: dict[Path, Path]) -> str:
    """A page for the site: its links lead to pages of the site or are text, its diagrams are lists."""

    def link(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        name, hash_sign, anchor = target.partition("#")
        if "://" in target or target.startswith("#"):
            return match[0]
        path = Path(os.path.normpath(source.parent / name))
        place = places.get(path)
        if place is None:
            return words if path.exists() else match[0]  # what leads nowhere is the generator's to tell
        relative = os.path.relpath(place, places[source].parent)
        return f"{mark}[{words}]({relative}{hash_sign}{anchor})"

    return MERMAID.sub(lambda match: as_list(match[1]), LINK.sub(link, text))


def as_list(diagram: str) -> str:
    """The arrows of a Mermaid flowchart, one in each line of a list."""
    names = {name: _in_words(label) for name, label in NODE.findall(diagram)}
    lines = []
    for line in NODE.sub(r"\1", diagram).splitlines():
        if match := EDGE.match(line):
            start, dotted, label, end = match.groups()
            words = dotted or label
            lines.append(f"- {names[start]} →{f' *{words}* →' if words else ''} {names[end]}")
    return "\n".join(lines)


def _in_words(label: str) -> str:
    """A box of a diagram: the file in its first line, and what stands below it."""
    file, _, rest = label.partition("<br>")
    return f"`{file}` {rest}".strip()


def prepare() -> None:
    """Write what the site is built from to .site/docs."""
    shutil.rmtree(WORK / "docs", ignore_errors=True)
    places = pages()
    for source, place in places.items():
        target = WORK / "docs" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            target.write_text(rewritten(source.read_text(encoding="utf-8"), source, places), encoding="utf-8")
        else:
            shutil.copyfile(source, target)


def generator() -> Path | None:
    """The site's generator in an environment of its own; None where it is not installed."""
    program = WORK / "venv/bin/zensical"
    return program if program.exists() else None


def install() -> None:
    """Install the generator, in the versions and with the hashes of requirements/docs.txt."""
    print("installing the site's generator into .site/venv (half a minute)")
    subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True, timeout=120)
    pip = [str(WORK / "venv/bin/pip"), "install", "-q", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "-r", str(ROOT / "requirements/docs.txt")], check=True, timeout=600)


def build() -> str:
    """Build the site; what is wrong with it, "" for nothing."""
    prepare()
    program = generator()
    if program is None:
        return "the generator is not installed"
    shutil.rmtree(SITE, ignore_errors=True)
    done = subprocess.run(
        [program, "build", "--clean", "--strict"], check=False, capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    said = done.stdout + done.stderr
    # it ends with 0 also where the kernel gives its watcher no more inotify instances, and has built nothing then
    if done.returncode or "arning" in said or not (SITE / "index.html").exists():
        return said
    return "\n".join(loaded_from_elsewhere())


def loaded_from_elsewhere() -> list[str]:
    """What a page of the site has a browser load from another host."""
    found = []
    for path in sorted(SITE.rglob("*.html")):
        for match in LOADED.finditer(path.read_text(encoding="utf-8")):
            if not CANONICAL.search(match[0]):
                found.append(f"{path.relative_to(ROOT)}: {match[0]}")
    return found


def main() -> int:
    """Exit status: 0 built, 1 there were warnings."""
    if generator() is None:
        install()
    wrong = build()
    print(wrong or f"{SITE.relative_to(ROOT)}/index.html", file=sys.stderr if wrong else sys.stdout)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
