"""The path of a failing flow in the HTML report: drawn as the node is, and as it would be after the repair."""

from __future__ import annotations

from netdoctor.diagnosis.traced_cause import TracedCause
from netdoctor.output import html_parts as part
from netdoctor.output.layout import rendered
from netdoctor.output.node_picture import draw_node
from netdoctor.output.walk_picture import draw
from netdoctor.output.walk_text import render
from netdoctor.tracing.traced import Traced

COLUMNS = 100  # of the path in words
ROUTE = "The path of a failing flow"


def path_section(traced: TracedCause | str) -> str:
    """Both pictures; or the reason why there are none, as one sentence."""
    if isinstance(traced, str):
        return part.section("path", ROUTE, f'<p class="quiet">Not drawn: {part.text(traced)}.</p>')
    intro = (
        "<p>netdoctor sent this packet through a copy of the node and followed it hook by hook. "
        "Nothing on the node was touched.</p>"
    )
    before = _figure("before", "As the node is", traced.before)
    if traced.after:
        made = "; ".join(map(part.text, traced.changes))
        after = _figure("after", f"After the repair: {made}", traced.after)
    else:
        after = f'<h3 class="later">After the repair</h3><p class="quiet">Not drawn: {part.text(traced.reason)}.</p>'
    node = part.section("node", "The node", _scrolled(draw_node(traced.before)))
    return node + part.section("path", ROUTE, intro + before + after)


def _scrolled(picture: str) -> str:
    """A picture in a frame that is scrolled by keys, where the window is narrow."""
    return f'<div class="picture" role="group" tabindex="0" aria-label="Picture, scrolls sideways">{picture}</div>'


def _figure(name: str, title: str, traced: Traced) -> str:
    """One walk: its picture, which is scrolled within its frame, and the same in words."""
    kind = "good" if traced.ending.arrived else "bad"
    word, _, rest = str(traced.ending).partition(" ")
    words = rendered(render(traced), COLUMNS, colors=False).splitlines()
    return (
        f'<figure aria-labelledby="{name}"><figcaption><h3 id="{name}">{title}</h3>'
        f'<b class="{kind}">{part.text(word)}</b> {part.text(rest)}</figcaption>'
        f"{_scrolled(draw(traced, within_a_page=True))}</figure>"
        f"{part.details('The same path in words', part.block(words, 'words'))}"
    )
