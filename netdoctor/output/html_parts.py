"""Elements of a page, from text that somebody else may have written: it is escaped here, and is never an element."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from netdoctor.redact import one_line


def text(value: object) -> str:
    """The value as text, redacted and in one line; within an attribute's double quotes as well."""
    return html.escape(one_line(value), quote=True)


def code(value: object) -> str:
    """The value as code within a line."""
    return f"<code>{text(value)}</code>"


def block(lines: Iterable[object], kind: str = "") -> str:
    """Lines as they are typed or printed; `kind`: a class, whose block can be scrolled by keys."""
    inside = "\n".join(map(text, lines))
    scrolled = f' class="{kind}" tabindex="0"' if kind else ""
    return f"<pre{scrolled}><code>{inside}</code></pre>"


def details(title: str, inside: str) -> str:
    """A part that opens by a click; `title` and `inside` are elements already."""
    return f'<details><summary>{title}</summary><div class="inside">{inside}</div></details>' if inside else ""


def items(entries: Iterable[str], kind: str = "plain") -> str:
    """A list of elements; "" for none."""
    listed = "".join(f"<li>{entry}</li>" for entry in entries)
    return f'<ul class="{kind}">{listed}</ul>' if listed else ""


def steps(entries: Sequence[str]) -> str:
    """What is done one after the other, as elements: a numbered list where there are several."""
    listed = "".join(f"<li>{entry}</li>" for entry in entries)
    return f'<ol class="steps">{listed}</ol>' if len(entries) > 1 else "".join(entries)


def fields(rows: Iterable[tuple[str, str]]) -> str:
    """Labels and what belongs to them, as elements."""
    told = "".join(f"<dt>{text(label)}</dt><dd>{value}</dd>" for label, value in rows)
    return f'<dl class="fields">{told}</dl>'


def section(name: str, title: str, inside: str) -> str:
    """A part of the page with its heading; "" for none."""
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{title}</h2>{inside}</section>' if inside else ""
