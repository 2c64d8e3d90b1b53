"""Routes in words, as they are given to `ip route`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netdoctor.twin.routes import routes
from tests.twin.network import Node, real, small_node

pytestmark = real


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with small_node() as made:
        yield made


@pytest.mark.parametrize(
    "route",
    [
        "203.0.113.0/24 via 192.0.2.77 dev eth0 onlink",
        "203.0.114.0/24 dev br0",
        "203.0.115.0/24 via 192.0.2.1 dev eth0 table 100",
        "203.0.116.0/24 nexthop via 192.0.2.1 dev eth0 nexthop via 10.244.0.10 dev br0",
        "blackhole 203.0.117.0/24",
    ],
)
def test_the_interface_is_named(route: str, node: Node) -> None:
    node.sh(f"ip route add {route}")
    state = node.state().node
    assert route.removesuffix(" onlink") in [each.text(state) for each in routes(state)]
