"""A traced flow as a picture: the node with its bridge and uplinks, the hooks in order, the path, and where it ends.

Two lanes, the IP layer above and the bridge below. Each hook is a card; the columns follow the packet's order, and a
packet that changes lanes stays in its column. Lines run between columns and below the lanes: none crosses a card.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from netdoctor.output.svg import LETTER, LINE, Box, Drawing, Line, Point, height_of, lines_of
from netdoctor.output.walk_boxes import (
    CARD,
    DEVICE,
    POD,
    BoxSide,
    bridge_name,
    card_lines,
    device_lines,
    source_of,
    target_of,
)
from netdoctor.output.walk_text import heading, notices
from netdoctor.tracing.packet_path import BRIDGE, IP, Stay
from netdoctor.tracing.traced import Fate, Traced, pod_at
from netdoctor.twin.twin import NODE, OUTSIDE

GAP, EDGE, PAD = 44.0, 24.0, 14.0
LABEL = 22.0  # of a lane


def draw(traced: Traced, *, within_a_page: bool = False) -> str:
    """The picture as the text of an SVG file, or as an element of a page that has the pictures' style.

    A page says the ending itself.
    """
    return _Picture(traced, within_a_page=within_a_page).drawn()


def columns_of(stays: tuple[Stay, ...]) -> list[dict[str, Stay]]:
    """The hooks in columns, at most one in each lane; within a column in their order."""
    columns: list[dict[str, Stay]] = []
    for stay in stays:
        lane = BRIDGE if stay.layer == BRIDGE else IP
        if not columns or lane in columns[-1]:
            columns.append({})
        columns[-1][lane] = stay
    return columns


class _Picture:
    def __init__(self, traced: Traced, *, within_a_page: bool) -> None:
        self.traced, self.state, self.out = traced, traced.state, Drawing()
        self.within_a_page = within_a_page
        passage = traced.way.on_node
        self.stays = passage.stays if passage else ()
        self.columns = columns_of(self.stays)
        self.source, self.target = source_of(traced), target_of(traced)
        self.lines = {id(stay): card_lines(stay) for stay in self.stays}
        self._across()
        self.captions = list(self._captions())
        self._down()

    def _captions(self) -> Iterator[Line]:
        """What stands below the line that leads back."""
        way, width = self.traced.way, self.band[1] - self.band[0]
        back, error = way.back_on_node, next((p for p in way.error if p.where == NODE), None)
        if back:
            yield from lines_of(f"the answer: {' → '.join(stay.name for stay in back.stays)}", width)
            for translation in back.translations:
                for old, new in translation.changes():
                    yield from lines_of(f"{old} → {new} ({translation.by})", width, "nat")
        elif error:
            first = error.stays[0].before
            yield from lines_of(f"ICMP {first.icmp} from {first.source} to {first.destination}", width, "bad")
        elif self.reached and not self.traced.ending.arrived:
            yield from lines_of("no answer came back", width, "bad")

    # where everything is

    @property
    def reached(self) -> bool:
        """Whether the question came out at the last hook of its way."""
        if not self.stays or self.traced.way.question[-1].stop:
            return False
        last = self.stays[-1]
        through = ("postrouting", "input") if last.layer == IP else ("postrouting",)
        return last.passed and last.hook in through

    def _across(self) -> None:
        x = EDGE
        if self.source.kind == OUTSIDE:
            self.source_x, self.in_x = x, x + CARD + GAP
            self.node_left, x = self.in_x + DEVICE / 2, self.in_x + DEVICE + GAP
        else:
            self.node_left, self.source_x, self.in_x = x, x + PAD, 0.0
            x += PAD + CARD + GAP
        left = x - GAP / 2
        self.column_x = [x + number * (CARD + GAP) for number in range(len(self.columns))]
        x += max(1, len(self.columns)) * (CARD + GAP)
        self.band = (left, x - GAP / 2)
        if self.target.kind == OUTSIDE:
            self.out_x, self.target_x = x, x + DEVICE + GAP
            self.node_right, self.width = x + DEVICE / 2, self.target_x + CARD + EDGE
        else:
            self.out_x, self.target_x = 0.0, x
            self.node_right = x + CARD + PAD
            self.width = self.node_right + EDGE

    def _down(self) -> None:
        self.title = lines_of(heading(self.traced), self.width * 0.8, "title")
        self.node_top = 18 + 20 * len(self.title)
        top = self.node_top + 34 + LABEL
        heights = {
            lane: [height_of(self.lines[id(c[lane])]) for c in self.columns if lane in c] for lane in (IP, BRIDGE)
        }
        bridged = bool(heights[BRIDGE])
        for side in (self.source, self.target):
            heights[BRIDGE if bridged and side.kind == POD else IP].append(height_of(side.lines))
        self.ip = Box(self.band[0], top, self.band[1] - self.band[0], max(heights[IP], default=0.0))
        self.bridge: Box | None = None
        self.names = lines_of(bridge_name(self.traced, self.stays), self.ip.width, "dim")
        self.label = LABEL + 4 + LINE * (len(self.names) - 1)
        bottom = self.ip.bottom + PAD
        if bridged:
            self.bridge = Box(self.ip.x, bottom + 30, self.ip.width, max(heights[BRIDGE]))
            bottom = self.bridge.bottom + self.label
        self.back_y = bottom + 20
        self.node_bottom = self.back_y + 14 + LINE * len(self.captions) + 10
        room = self.width - 2 * EDGE
        good = self.traced.ending.arrived
        ending = lines_of(str(self.traced.ending), room * 0.9, "good" if good else "bad")
        self.ending = [] if self.within_a_page else ending  # a page has it above the picture
        self.ending += [line for notice in notices(self.traced) for line in lines_of(f"! {notice}", room)]
        self.height = self.node_bottom + 30 + 18 * len(self.ending)

    def _side_box(self, side: BoxSide, x: float) -> Box:
        lane = self.bridge if self.bridge and side.kind == POD else self.ip
        height = height_of(side.lines)
        return Box(x, lane.middle[1] - height / 2, CARD, height)

    def _device_box(self, x: float, lines: list[Line]) -> Box:
        height = height_of(lines)
        return Box(x, self.ip.middle[1] - height / 2, DEVICE, height)

    def _card_box(self, stay: Stay) -> Box:
        column = next(number for number, cards in enumerate(self.columns) if stay in cards.values())
        height = height_of(self.lines[id(stay)])
        lane = self.bridge if stay.layer == BRIDGE and self.bridge else self.ip
        return Box(self.column_x[column], lane.middle[1] - height / 2, CARD, height)

    # drawing

    def drawn(self) -> str:
        """Everything, from the back to the front."""
        self._frame()
        source, target = self._side_box(self.source, self.source_x), self._side_box(self.target, self.target_x)
        cards = [self._card_box(stay) for stay in self.stays]
        chain = [source, *self._uplink_in(), *cards, *self._uplink_out()]
        if self.reached:
            chain.append(target)
        out = self.out
        for before, after in pairwise(chain):
            out.arrow(_between(before, after))
        out.filled(source, "card", self.source.lines)
        out.filled(target, "card" if self.reached else "ghost", self.target.lines)
        for number, (stay, box) in enumerate(zip(self.stays, cards, strict=True), 1):
            out.filled(box, "stop" if stay.stop else "card", self.lines[id(stay)])
            out.number((box.right - 12, box.y + 13), number)
        self._back(source, target, chain[-1])
        out.lines(EDGE, self.node_bottom + 28, self.ending, 18)
        title = heading(self.traced)
        if self.within_a_page:
            title = f"{title}: {self.traced.ending}"
        return out.finished(self.width, self.height, title, within_a_page=self.within_a_page)

    def _uplink_in(self) -> Iterator[Box]:
        """The uplink by which the question comes in, drawn."""
        if self.source.kind == OUTSIDE:
            lines = device_lines(self.state, self.stays[0].interface_in if self.stays else "")
            box = self._device_box(self.in_x, lines)
            self.out.filled(box, "card", lines)
            yield box

    def _uplink_out(self) -> Iterator[Box]:
        """The uplink by which the question leaves, drawn; no part of its way where it did not get there."""
        if self.target.kind != OUTSIDE:
            return
        last = next((s.interface_out for s in reversed(self.stays) if s.interface_out and s.layer == IP), "")
        lines = device_lines(self.state, last) if last else [("uplink", "dim")]
        box = self._device_box(self.out_x, lines)
        self.out.filled(box, "card" if self.reached else "ghost", lines)
        if self.reached:
            yield box

    def _frame(self) -> None:
        out = self.out
        out.lines(EDGE, 26, self.title, 20)
        node = Box(self.node_left, self.node_top, self.node_right - self.node_left, self.node_bottom - self.node_top)
        out.box(node, "node")
        more = self._not_drawn()
        out.text(self.band[0] + 10, node.y + 22, f"node {self.traced.node}".strip(), "name")
        if more:
            words = f"and {more} more pod{'s' if more > 1 else ''}"
            out.text(self.band[0] + 10 + LETTER * len(f"node {self.traced.node}   "), node.y + 22, words, "dim")
        out.box(Box(self.ip.x, self.ip.y - LABEL, self.ip.width, self.ip.height + LABEL + PAD), "lane")
        out.text(self.ip.x + 10, self.ip.y - 7, "IP: routing and its rules", "dim")
        if self.bridge:
            box = self.bridge
            out.box(Box(box.x, box.y - PAD, box.width, box.height + PAD + self.label), "lane")
            out.lines(box.x + 10, box.bottom + 16, self.names)

    def _not_drawn(self) -> int:
        """How many more pods there are."""
        drawn = {self.traced.walk.flow.source} & {pod.name for pod in self.state.pods}
        if self.stays and (there := pod_at(self.state, self.stays[-1].after.destination)):
            drawn.add(there)
        return len(self.state.pods) + len(self.state.left_out) - len(drawn)

    def _back(self, source: Box, target: Box, last: Box) -> None:
        """The line that leads back to the sender, or the cross where there is none."""
        out, ending, way = self.out, self.traced.ending, self.traced.way
        home: Point = (source.middle[0], source.bottom)
        if not self.reached and not ending.arrived:
            at = (last.right + 14, last.middle[1])
            out.line([(last.right, last.middle[1]), at], "wrong")
            out.cross(at)
            if ending.word is Fate.STOPPED and way.error:
                x = last.right + 14
                out.arrow([(x, last.middle[1] + 10), (x, self.back_y), (home[0], self.back_y), home], "refusal")
        elif way.back_on_node:
            start: list[Point] = [(target.middle[0], target.bottom), (target.middle[0], self.back_y)]
            if ending.arrived:
                out.arrow([*start, (home[0], self.back_y), home], "back")
            else:
                out.line([*start, (home[0] + CARD / 2 + GAP, self.back_y)], "refusal")
                out.cross((home[0] + CARD / 2 + GAP - 8, self.back_y))
        elif not ending.arrived:
            out.line([(target.middle[0], target.bottom), (target.middle[0], self.back_y)], "refusal")
            out.cross((target.middle[0], self.back_y))
        out.lines(self.band[0] + 10, self.back_y + 20, self.captions)


def _between(before: Box, after: Box) -> list[Point]:
    """From one box to the next: straight up or down within a column, else through the gap before the next column."""
    if before.x == after.x:
        if after.y < before.y:
            return [(before.middle[0], before.y), (after.middle[0], after.bottom)]
        return [(before.middle[0], before.bottom), (after.middle[0], after.y)]
    start, end = (before.right, before.middle[1]), (after.x, after.middle[1])
    if abs(start[1] - end[1]) < 1:
        return [start, (end[0], start[1])]
    middle = after.x - GAP / 2
    return [start, (middle, start[1]), (middle, end[1]), end]
