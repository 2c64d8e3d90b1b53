"""The path of a failing flow in the HTML report: drawn as the node is, and as it would be after the repair."""

from __future__ import annotations

from netdoctor.diagnosis.traced_cause import TracedCause
from netdoctor.model import Report
from netdoctor.output import html_parts as part
from netdoctor.output.layout import rendered
from netdoctor.output.node_picture import draw_node
from netdoctor.output.report_words import headed, summary
from netdoctor.output.walk_picture import draw
from netdoctor.output.walk_text import render
from netdoctor.tracing.traced import Traced

COLUMNS = 100  # of the path in words
ROUTE = "The path of a failing flow"
HINT = '<p class="hint">Scroll the drawing sideways to see all of it →</p>'  # shown in a narrow window alone


def path_section(traced: TracedCause | str, report: Report) -> str:
    """Both pictures, and which cause of the report they belong to; or in one sentence why there are none."""
    if isinstance(traced, str):
        return part.section("path", ROUTE, f'<p class="quiet">Not drawn: {part.text(traced)}.</p>')
    intro = (
        f"<p>The flow belongs to {_cause(traced, report)}.</p>"
        "<p>netdoctor sent this packet through a copy of the node and followed it hook by hook. "
        "Nothing on the node was touched.</p>"
    )
    before = _figure("before", "As the node is", traced.before)
    if traced.after:
        made = part.steps([part.text(change) for change in traced.changes])
        after = _figure("after", "After the repair", traced.after, made)
    else:
        after = f'<h3 class="later">After the repair</h3><p class="quiet">Not drawn: {part.text(traced.reason)}.</p>'
    node = part.section("node", "The node", _scrolled(draw_node(traced.before, traced.pods)))
    return node + part.section("path", ROUTE, intro + before + after)


def _cause(traced: TracedCause, report: Report) -> str:
    """The cause as the report heads it, with a link to it where the report has it."""
    for number, (word, diagnosis) in enumerate(headed(report), 1):
        if diagnosis == traced.diagnosis:
            return f'<a href="#cause-{number}">{word}</a>: {part.text(summary(diagnosis))}'
    return f"the cause: {part.text(summary(traced.diagnosis))}"


def _scrolled(picture: str) -> str:
    """A picture in a frame that is scrolled, also by keys, where the window is narrow."""
    return (
        f'{HINT}<div class="picture" role="group" tabindex="0" aria-label="Picture, scrolls sideways">{picture}</div>'
    )


def _figure(name: str, title: str, traced: Traced, made: str = "") -> str:
    """One walk: how it ends, its picture, and the same in words; `made`: what was changed before, as an element."""
    kind = "good" if traced.ending.arrived else "bad"
    word, _, rest = str(traced.ending).partition(" ")
    words = rendered(render(traced), COLUMNS, colors=False).splitlines()
    return (
        f'<figure aria-labelledby="{name}"><figcaption><h3 id="{name}">{title}</h3>{made}'
        f'<p><b class="{kind}">{part.text(word)}</b> {part.text(rest)}</p></figcaption>'
        f"{_scrolled(draw(traced, within_a_page=True))}</figure>"
        f"{part.details('The same path in words', part.block(words, 'words'))}"
    )
