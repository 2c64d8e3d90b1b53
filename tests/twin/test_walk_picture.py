"""The picture of a trace: valid XML that needs nothing else; no box lies on another, no text leaves its box."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from netdoctor.output.svg import INSET, LETTER, wrapped
from netdoctor.output.walk_picture import columns_of, draw
from netdoctor.system.traffic import Answer, Reply
from netdoctor.tracing.ends import FlowEnd
from netdoctor.tracing.traced import Traced
from netdoctor.twin.twin import NODE
from netdoctor.twin.walk import REQUEST
from tests.twin.walks import (
    CLIENT,
    DNS,
    bridged_uplink,
    hook,
    lost,
    node_state,
    outwards,
    packet,
    rejected,
    to_service,
    traced,
)

SVG = "{http://www.w3.org/2000/svg}"
LONG = (
    "inet", "filter", "a_chain_with_a_name_that_is_far_too_long_for_any_card_at_all", 7,
    "ip saddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } tcp dport { 53, 80, 443, 5432, 8443, 30000-32767 } "
    "meta mark and 0x0000ff00 == 0x00004200 reject with icmpx admin-prohibited comment \"<&> \\\"quoted\\\"\"", "drop",
)  # fmt: skip


def stopped_by_a_long_rule() -> Traced:
    return traced(outwards(LONG, until="postrouting"), Reply(Answer.TIMEOUT, 60), FlowEnd("", "8.8.8.8", 53))


def sixth() -> Traced:
    far = "[2001:db8:1234:5678:9abc:def0:1234:5678]"
    ends = packet("10.77.0.2:40000 > 10.77.0.2:10250", "tcp")
    ends = replace(ends, source="2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", destination=far.strip("[]"))
    after = replace(ends, destination="2001:db8:ffff:eeee:dddd:cccc:bbbb:aaaa")
    steps = [
        *hook(REQUEST, "output", ">eth0", before=ends, after=after),
        *hook(REQUEST, "postrouting", ">eth0", before=after),
    ]
    return traced(steps, Reply(Answer.TIMEOUT, 60), FlowEnd("", far.strip("[]"), 10250), source=NODE)


WALKS: dict[str, Callable[[], Traced]] = {
    "to a Service": to_service,
    "rejected": rejected,
    "not masqueraded": lost,
    "by a bridge": bridged_uplink,
    "not forwarded": lambda: lost("forward"),
    "a long rule": stopped_by_a_long_rule,
    "IPv6": sixth,
    "never on the node": lambda: traced([], Reply(Answer.NET_UNREACHABLE, 1), FlowEnd("", "8.8.8.8", 53)),
    "stopped at the bridge": lambda: traced(
        [outwards()[0], replace(outwards()[0], table="mine", chain="guard", handle=3, text="drop", verdict="drop")],
        Reply(Answer.TIMEOUT, 60),
        FlowEnd("", "8.8.8.8", 53),
    ),
    "many pods": lambda: replace(to_service(), state=node_state(CLIENT, DNS, *(f"default/pod-{n}" for n in range(9)))),
}


@pytest.fixture(params=WALKS, ids=str)
def walk(request: pytest.FixtureRequest) -> Traced:
    return WALKS[str(request.param)]()


def boxes(root: ElementTree.Element, *kinds: str) -> list[tuple[float, float, float, float]]:
    found = []
    for rect in root.iter(f"{SVG}rect"):
        if rect.get("class") in kinds:
            x, y, width, height = (float(rect.get(name, "0")) for name in ("x", "y", "width", "height"))
            found.append((x, y, x + width, y + height))
    return found


def test_it_needs_nothing_else(walk: Traced) -> None:
    picture = draw(walk)
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    assert not {element.tag for element in root.iter()} & {f"{SVG}{tag}" for tag in ("script", "image", "use", "a")}
    assert not re.search(r"url\(|@import|href", picture)
    assert "prefers-color-scheme: dark" in picture


def test_no_box_lies_on_another(walk: Traced) -> None:
    root = ElementTree.fromstring(draw(walk))
    for a, b in combinations(boxes(root, "card", "stop", "ghost"), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    assert all(min(x, y) >= 0 and right <= width and low <= height
               for x, y, right, low in boxes(root, "card", "stop", "ghost", "lane", "node"))  # fmt: skip


def test_no_text_leaves_its_box_or_lies_on_another(walk: Traced) -> None:
    root = ElementTree.fromstring(draw(walk))
    cards = boxes(root, "card", "stop", "ghost")
    seen = []
    for text in root.iter(f"{SVG}text"):
        if text.get("class") in ("number", "title"):
            continue
        x, y = float(text.get("x", "0")), float(text.get("y", "0"))
        right = x + LETTER * len(text.text or "")
        assert right <= float(root.get("width", "0"))
        for box in cards:
            if box[0] <= x <= box[2] and box[1] <= y <= box[3]:
                assert right <= box[2] - INSET + 1, text.text
                assert y <= box[3] - 3, text.text
        for box in boxes(root, "lane"):
            if box[0] <= x <= box[2] and box[1] <= y <= box[3]:
                assert right <= box[2], text.text
        seen.append((x, y - 9, right, y + 2))
    for a, b in combinations(seen, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)


def test_lines_cross_no_card(walk: Traced) -> None:
    root = ElementTree.fromstring(draw(walk))
    cards = boxes(root, "card", "stop", "ghost")
    for path in root.iter(f"{SVG}path"):
        if path.get("class") not in ("path", "back", "refusal"):
            continue
        points = [tuple(map(float, pair.split())) for pair in path.get("d", "")[1:].split(" L")]
        for (x, y), (to_x, to_y) in pairwise(points):
            for left, top, right, low in cards:
                inside_x = min(x, to_x) < right - 1 and max(x, to_x) > left + 1
                inside_y = min(y, to_y) < low - 1 and max(y, to_y) > top + 1
                assert not (inside_x and inside_y), (path.get("d"), (left, top, right, low))


def test_it_says_what_happened() -> None:
    service, refused = draw(to_service()), draw(rejected())
    for words in ("default/client", "10.244.0.9", "veth0", "bridge bridge 10.244.0.1/16, 3 ports", "node minikube",
                  "10.96.0.10:53", "→ 10.244.0.10:53", "and 1 more pod<"):  # fmt: skip
        assert words in service, words
    assert "bridge bridge 10.244.0.1/16, 3 ports; bridge br-up 10.77.0.2/24, 1 port" in draw(bridged_uplink())
    assert 'class="stop"' not in service
    assert 'class="stop"' in refused
    for words in ("STOPPED", "filter_FORWARD_POLICIES,", "ICMP 3/13 from 10.244.0.1 to 10.244.0.9", "8.8.8.8:53"):
        assert words in refused
    assert "no answer came back" in draw(lost())


def test_a_packet_that_changes_lanes_stays_in_its_column() -> None:
    way = to_service().way.on_node
    assert way
    columns = columns_of(way.stays)
    assert [len(column) for column in columns] == [2, 2, 2]
    assert len(columns_of(())) == 0


def test_secrets_stay_out() -> None:
    rule = (*LONG[:4], 'tcp dport 80 log prefix "token=verysecretvalue" drop', "drop")
    assert "verysecretvalue" not in draw(traced(outwards(rule, until="postrouting"), Reply(Answer.TIMEOUT, 60),
                                                FlowEnd("", "8.8.8.8", 53)))  # fmt: skip


def test_wrapping_breaks_names_only_where_it_has_to() -> None:
    assert wrapped("DNAT by KUBE-SEP-SISP6ORRA37L3ZYK", 200) == ["DNAT by", "KUBE-SEP-SISP6ORRA37L3ZYK"]
    assert wrapped("kube-system/coredns-8547bb4c78-bgxb4", 200) == ["kube-system/coredns-", "8547bb4c78-bgxb4"]
    assert wrapped("", 200) == [""]
