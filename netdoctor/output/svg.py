"""Boxes, wrapped text and arrows as SVG: one file that needs nothing else, for light and dark readers."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from netdoctor.redact import one_line

SIZE = 11.5  # of the letters; every font is one of equal widths, so that lengths are known
LETTER = SIZE * 0.602
LINE = 15.0
INSET = 10.0
# name: light, dark
COLOURS = {
    "paper": ("#ffffff", "#14171c"),
    "ink": ("#1c2430", "#e4e9f0"),
    "dim": ("#5d6977", "#97a3b3"),
    "node": ("#f6f8fa", "#1a1f27"),
    "lane": ("#e9eef4", "#232b36"),
    "card": ("#ffffff", "#2d3744"),
    "edge": ("#9aa7b6", "#566475"),
    "path": ("#0b62c4", "#62a8ff"),
    "good": ("#157a3c", "#4fce82"),
    "bad": ("#c0202c", "#ff7b81"),
    "stop": ("#fdeced", "#43212a"),
    "nat": ("#8226a8", "#d69af2"),
}
RULES = """
svg text {{ font: {size}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: {ink}; }}
svg .title {{ font-size: 14px; font-weight: bold; }} svg .name {{ font-weight: bold; }} svg .dim {{ fill: {dim}; }}
svg .nat, svg .bad, svg .good {{ font-weight: bold; }}
svg .nat {{ fill: {nat}; }} svg .bad {{ fill: {bad}; }} svg .good {{ fill: {good}; }}
svg .paper {{ fill: {paper}; }} rect.lane {{ fill: {lane}; }}
rect.node {{ fill: {node}; stroke: {edge}; stroke-width: 1.5; }}
rect.card {{ fill: {card}; stroke: {edge}; }} rect.stop {{ fill: {stop}; stroke: {bad}; stroke-width: 2; }}
rect.ghost {{ fill: {paper}; stroke: {edge}; stroke-dasharray: 4 3; }}
svg path {{ fill: none; stroke-width: 2; stroke-linejoin: round; }} svg .cross {{ stroke-width: 3; }}
svg .path {{ stroke: {path}; }} svg .wrong {{ stroke: {bad}; }}
svg .back {{ stroke: {good}; stroke-dasharray: 6 4; }} svg .refusal {{ stroke: {bad}; stroke-dasharray: 6 4; }}
svg path.head {{ stroke: none; }} svg .head.path, svg .disc {{ fill: {path}; }} svg .head.back {{ fill: {good}; }}
svg .head.refusal, svg .head.wrong {{ fill: {bad}; }}
svg .number {{ fill: {paper}; font-weight: bold; text-anchor: middle; }}
"""
STYLE = (
    RULES.format(size=SIZE, **{name: pair[0] for name, pair in COLOURS.items()})
    + "@media (prefers-color-scheme: dark) {"
    + RULES.format(size=SIZE, **{name: pair[1] for name, pair in COLOURS.items()})
    + "}"
)
Line = tuple[str, str]  # a line of text and its class
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> Point:
        """Its middle."""
        return self.x + self.width / 2, self.y + self.height / 2


def wrapped(text: str, width: float) -> list[str]:
    """The text without secrets, in lines that fit into a box of this width."""
    letters = max(8, int((width - 2 * INSET) / LETTER))
    text = one_line(text)
    # a name is broken at its hyphens only where it has to be
    return textwrap.wrap(text, letters, break_on_hyphens=max(map(len, text.split()), default=0) > letters) or [""]


def lines_of(text: str, width: float, kind: str = "") -> list[Line]:
    """The same, each line with its class."""
    return [(line, kind) for line in wrapped(text, width)]


def height_of(lines: Sequence[Line]) -> float:
    """Of a box that holds these lines."""
    return LINE * len(lines) + INSET + 5


class Drawing:
    """What is drawn, from the back to the front."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def box(self, box: Box, kind: str) -> None:
        """An empty box."""
        corner = 10 if kind == "node" else 6
        self._parts.append(
            f'<rect class={quoteattr(kind)} x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
            f'height="{box.height:.1f}" rx="{corner}"/>'
        )

    def text(self, x: float, y: float, text: str, kind: str = "") -> None:
        """One line; `y` is where its letters stand."""
        self._parts.append(f'<text class={quoteattr(kind)} x="{x:.1f}" y="{y:.1f}">{escape(one_line(text))}</text>')

    def lines(self, x: float, y: float, lines: Sequence[Line], step: float = LINE) -> None:
        """Lines, one below the other; `y` is where the first one's letters stand."""
        for number, (text, kind) in enumerate(lines):
            self.text(x, y + number * step, text, kind)

    def filled(self, box: Box, kind: str, lines: Sequence[Line]) -> None:
        """A box with its lines."""
        self.box(box, kind)
        self.lines(box.x + INSET, box.y + INSET + 7, lines)

    def number(self, at: Point, number: int) -> None:
        """A disc with a number."""
        self._parts.append(f'<circle class="disc" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="9"/>')
        self.text(at[0], at[1] + 4, str(number), "number")

    def arrow(self, points: Sequence[Point], kind: str = "path") -> None:
        """A line through these points, with a head at its end."""
        (x, y), (from_x, from_y) = points[-1], points[-2]
        along = (x > from_x) - (x < from_x), (y > from_y) - (y < from_y)
        base = x - 8 * along[0], y - 8 * along[1]
        self.line([*points[:-1], base], kind)
        wing = 4.5 * along[1], 4.5 * along[0]
        self._parts.append(
            f'<path class="head {kind}" d="M{x:.1f} {y:.1f} L{base[0] + wing[0]:.1f} {base[1] + wing[1]:.1f} '
            f'L{base[0] - wing[0]:.1f} {base[1] - wing[1]:.1f} Z"/>'
        )

    def line(self, points: Sequence[Point], kind: str = "path") -> None:
        """A line through these points."""
        way = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path class={quoteattr(kind)} d="M{way}"/>')

    def cross(self, at: Point) -> None:
        """Where it ends."""
        x, y = at
        way = f"M{x - 6:.1f} {y - 6:.1f} L{x + 6:.1f} {y + 6:.1f} M{x - 6:.1f} {y + 6:.1f} L{x + 6:.1f} {y - 6:.1f}"
        self._parts.append(f'<path class="wrong cross" d="{way}"/>')

    def finished(self, width: float, height: float, title: str, *, within_a_page: bool = False) -> str:
        """The whole picture: a file, or an element of a page that has STYLE already."""
        size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img"'
        title = one_line(title)
        if within_a_page:
            head = [f"<svg {size} aria-label={quoteattr(title)}>"]
        else:
            head = [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
                f"<title>{escape(title)}</title>",
                f"<style>{STYLE}</style>",
            ]
        paper = f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>'
        return "\n".join([*head, paper, *self._parts, "</svg>\n"])
