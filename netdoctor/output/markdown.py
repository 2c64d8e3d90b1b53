"""Foreign text in Markdown as GitHub and GitLab read it: what a pod or a node wrote stays text.

It becomes no link, image, heading, table or HTML, mentions nobody and refers to no issue.
"""

from __future__ import annotations

import re

from netdoctor.redact import one_line

APART = "\u200b"  # a space without width, which no redacted line has: what follows is no name, number or address
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", APART: "&#8203;"}
ESCAPED = re.compile(r"([\\`*_\[\]|~])")
# @user, #123, and GitLab's !merge request, %milestone, ~label, ^alert, &epic, $snippet
MENTION = re.compile(r"([@#!%^~])(?=\S)|([&$])(?=\d)")
REFERENCE = re.compile(r"\b(GH-)(?=\d)", re.IGNORECASE)
ADDRESS = re.compile(r"(:)(?=//)|(?<![^\W_])(www)(?=\.)|\b(mailto|xmpp)(?=:)", re.IGNORECASE)
BEGINNING = re.compile(r"^(?=[-+>=#]|\d+[.)])")
RUN = re.compile(r"`+")


def text(value: object) -> str:
    """The value as plain text, redacted and in one line."""
    line = one_line(value).strip()
    for pattern in (MENTION, REFERENCE, ADDRESS):
        line = pattern.sub(rf"\g<0>{APART}", line)
    line = BEGINNING.sub(APART, line)
    line = ESCAPED.sub(r"\\\1", line)
    return "".join(ENTITIES.get(each, each) for each in line)


def code(value: object) -> str:
    """The value as code within a line; not for a table, where a bar ends the cell."""
    line = one_line(value).strip()
    if not line:
        return "–"
    fence = "`" * (_longest(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def block(lines: tuple[str, ...], indent: str = "") -> list[str]:
    """Commands to copy, each on a line of its own."""
    told = [one_line(line) for line in lines]
    fence = "`" * max(3, *(_longest(line) + 1 for line in told))
    return [f"{indent}{line}" for line in (f"{fence}sh", *told, fence)]


def _longest(line: str) -> int:
    """How many backticks stand in a row at most."""
    return max(map(len, RUN.findall(line)), default=0)
