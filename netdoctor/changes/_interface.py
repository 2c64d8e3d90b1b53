"""An interface by its name and number, and one request to the kernel about it."""

from __future__ import annotations

import os

from netdoctor.errors import CannotRead
from netdoctor.twin.state import Link
from netdoctor.twin.wire.messages import LinkMessage
from netdoctor.twin.wire.netlink import ROUTE, Netlink
from netdoctor.twin.wire.rtnl import Request
from netdoctor.twin.wire.uapi.rtnetlink import RTM


def interface(name: str, index: int) -> Link | None:
    """The interface, None where it is gone or another one has its name. Raises CannotRead."""
    with Netlink(ROUTE) as netlink:
        links = [Link(body) for _, body in netlink.dump(RTM.GETLINK, LinkMessage.request_for())]
    return next((link for link in links if (link.name, link.index) == (name, index)), None)


def change_interface(name: str, request: Request, what: str) -> None:
    """Make a request; `what` says what of the interface it changes. Raises CannotRead where the kernel refuses it."""
    with Netlink(ROUTE) as netlink:
        code = netlink.request([request])[0]
    if code:
        raise CannotRead(f"interface {name}", f"{what}: {os.strerror(code)}")
