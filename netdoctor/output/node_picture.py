"""The node as a picture: its pods, the bridges, the hooks of netfilter with their tables, the uplinks, the outside.

Each pod says whether its connections fail. Where a flow was stopped, the hook is marked, with the rule in its card.
"""

from __future__ import annotations

from collections.abc import Iterable

from netdoctor.diagnosis.traced_cause import AskedPods
from netdoctor.output.svg import LINE, Box, Drawing, Line, Point, height_of, lines_of
from netdoctor.output.walk_boxes import device_lines, stop_lines
from netdoctor.redact import excerpt
from netdoctor.tracing.traced import Traced
from netdoctor.twin.hooked_tables import tables_at_hooks
from netdoctor.twin.state import NetworkState
from netdoctor.twin.uplinks import pod_bridges, pod_ports, uplinks

POD, BRIDGE, HOOK, UPLINK, OUTSIDE = 210.0, 150.0, 250.0, 132.0, 110.0  # widths
EDGE, GAP, PAD, BETWEEN = 24.0, 52.0, 16.0, 10.0
TITLE = 44.0
LONGEST_NAME = 80  # letters of the node's name
MOST_PODS, MOST_UPLINKS = 6, 4
WORKS: Line = ("✓ what was asked works", "good")
NOT_ASKED: Line = ("not asked", "dim")
Card = tuple[str, list[Line]]  # the class of its box, and its lines


def draw_node(traced: Traced, asked: AskedPods) -> str:
    """The node of a traced flow, as an element of a page that has the pictures' style."""
    return _NodePicture(traced, asked).drawn()


class _NodePicture:
    def __init__(self, traced: Traced, asked: AskedPods) -> None:
        self.traced, self.state, self.asked, self.out = traced, traced.state, asked, Drawing()
        self.passage = traced.way.on_node
        self.shown = self._shown_pods()
        self.pods = [self._pod_card(pod) for pod in self.shown]
        links = {link.index: link for link in self.state.node.interfaces()}
        self.bridges = [links[index] for index in sorted(pod_bridges(self.state))]
        self.uplinks = [link.name for link in uplinks(self.state)][:MOST_UPLINKS]
        self.columns = [
            (POD, self._with_more(self.pods)),
            (BRIDGE, [self._device_card("bridge", bridge.name) for bridge in self.bridges]),
            (HOOK, list(self._hook_cards())),
            (UPLINK, [self._device_card("uplink", name) for name in self.uplinks]),
            (OUTSIDE, [("card", [("outside", "name")])]),
        ]

    def _shown_pods(self) -> list[NetworkState]:
        """The pod whose flow was followed first, then those that fail, then others."""
        source = self.traced.walk.flow.source
        return sorted(self.state.pods, key=lambda pod: (pod.name != source, not self._fails(pod)))[:MOST_PODS]

    def _fails(self, pod: NetworkState) -> bool:
        """Whether some connection of this pod fails: on the node, or the one that was followed in the copy."""
        followed = pod.name == self.traced.walk.flow.source and not self.traced.ending.arrived
        return followed or pod.name in self.asked.failing

    def _pod_card(self, pod: NetworkState) -> Card:
        name = "test pod" if pod.name == self.asked.test_pod else pod.name
        lines = [*lines_of(name, POD, "name"), *lines_of(pod.address, POD)]
        if self._fails(pod):
            kinds = ", ".join(self.asked.failing.get(pod.name, ()))
            return "stop", [*lines, *lines_of(f"✗ no answer from {kinds}" if kinds else "✗ its flow fails", POD, "bad")]
        return "card", [*lines, WORKS if pod.name in self.asked.asked else NOT_ASKED]

    def _device_card(self, what: str, name: str) -> Card:
        return "card", [(what, "dim"), *device_lines(self.state, name)]

    def _with_more(self, cards: list[Card]) -> list[Card]:
        more = len(self.state.pods) + len(self.state.left_out) - len(self.shown)
        failing = sum(self._fails(pod) for pod in self.state.pods if pod not in self.shown)
        lines = [(f"and {more} more pod{'s' if more > 1 else ''}", "dim")]
        if failing:
            lines.append((f"✗ connections of {failing} fail", "bad"))
        return [*cards, ("ghost", lines)] if more else cards

    def _hook_cards(self) -> Iterable[Card]:
        stop = next((stay for stay in self.passage.stays if stay.stop), None) if self.passage else None
        for name, tables in tables_at_hooks(self.state.node).items():
            lines = [*lines_of(name, HOOK, "name"), *lines_of(", ".join(tables) or "no rules", HOOK, "dim")]
            if stop and stop.stop and stop.hook == name:
                yield "stop", [*lines, *stop_lines(stop.stop)]
            else:
                yield "card", lines

    def drawn(self) -> str:
        """Everything, from the back to the front."""
        height = max(_height(cards) for _, cards in self.columns)
        top = TITLE + PAD
        left, placed = EDGE + PAD, []
        for width, cards in self.columns:
            placed.append(_stacked(cards, left, width, top + (height - _height(cards)) / 2))
            left += width + (GAP if cards else 0)
        bottom = top + height + PAD
        self._frame(placed, bottom)
        self._connect(placed)
        for (_, cards), boxes in zip(self.columns, placed, strict=True):
            for (kind, lines), box in zip(cards, boxes, strict=True):
                self.out.filled(box, kind, lines)
        title = f"node {self.traced.node}: {len(self.state.pods)} pods, {self.traced.ending}"
        return self.out.finished(left - GAP + EDGE, bottom + EDGE, title, within_a_page=True)

    def _frame(self, placed: list[list[Box]], bottom: float) -> None:
        """The node, whose edge the uplinks stand on, and the IP layer."""
        hooks, leading = placed[2], placed[3]
        right = leading[0].middle[0] if leading else hooks[0].right + PAD
        self.out.box(Box(EDGE, TITLE - 26, right - EDGE, bottom - TITLE + 26), "node")
        self.out.text(EDGE + PAD, TITLE - 6, excerpt(f"node {self.traced.node}", LONGEST_NAME), "name")
        lane = Box(hooks[0].x - PAD, hooks[0].y - PAD / 2, HOOK + 2 * PAD, hooks[-1].bottom - hooks[0].y + PAD)
        self.out.box(lane, "lane")

    def _connect(self, placed: list[list[Box]]) -> None:
        """Pods with their bridges, or with the IP layer where they have none; that with the uplinks, and on outside."""
        pods, bridges, hooks, leading, outside = placed
        ip_left, ip_right = hooks[0].x - PAD, hooks[0].right + PAD
        masters = {link.index: link.master for link in self.state.node.interfaces()}
        by_pod = {pod: masters[index] for index, pod in pod_ports(self.state).items()}
        by_index = {link.index: box for link, box in zip(self.bridges, bridges, strict=True)}
        for number in reversed(range(len(self.shown))):  # the failing ones last, on top of the others
            box, bridge = pods[number], by_index.get(by_pod.get(self.shown[number].name, 0))
            y = bridge.middle[1] if bridge else box.middle[1]
            kind = "wrong" if self.pods[number][0] == "stop" else "path"
            self._line((box.right, box.middle[1]), (bridge.x if bridge else ip_left, y), kind)
        for box in bridges:
            self._line((box.right, box.middle[1]), (ip_left, box.middle[1]))
        for box in leading:
            self._line((ip_right, box.middle[1]), (box.x, box.middle[1]))
            self._line((box.right, box.middle[1]), (outside[0].x, outside[0].middle[1]))

    def _line(self, start: Point, end: Point, kind: str = "path") -> None:
        """Through the gap before the end."""
        turn = end[0] - GAP / 3
        self.out.line([start, (turn, start[1]), (turn, end[1]), end], kind)


def _height(cards: list[Card]) -> float:
    return sum(height_of(lines) + BETWEEN for _, lines in cards) or LINE


def _stacked(cards: list[Card], x: float, width: float, y: float) -> list[Box]:
    """The boxes of these cards, one below the other."""
    boxes = []
    for _, lines in cards:
        boxes.append(Box(x, y, width, height_of(lines)))
        y += boxes[-1].height + BETWEEN
    return boxes
