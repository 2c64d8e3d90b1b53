"""What the kernel's routing would do with a packet, as `ip route get` asks it."""

from __future__ import annotations

from netdoctor.errors import CannotRead
from netdoctor.system.host import Host, ProgramFailed

KERNEL = "RTNETLINK answers: "  # how `ip` begins what the kernel says; other words are its own, and about no packet


def refused(host: Host, destination: str, source: str, interface: str) -> str:
    """The kernel's refusal of a packet that comes in from this interface, in its words.

    "" where it has a route for it, and where it could not be asked.
    """
    family = "-6" if ":" in destination else "-4"
    try:
        host.run(["ip", family, "route", "get", destination, "from", source, "iif", interface])
    except ProgramFailed as error:
        answers = [line for line in error.said.splitlines() if line.startswith(KERNEL)]
        return answers[0].removeprefix(KERNEL) if answers else ""
    except CannotRead:  # no `ip`, or no answer of it
        return ""
    return ""
