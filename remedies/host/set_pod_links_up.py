"""Set the pods' bridge and its ports up.

## What it does
Sets the CNI's Linux bridge up, and each of its ports that is administratively down. The kernel then makes the route to
the bridge's network again, which it deleted when the bridge went down.

## What it costs
Nothing restarts. Pods reach again what the rules let them, other ports of the node among it.

## By hand
`ip link set INTERFACE up`.

## Undo
Sets the same interfaces down again. An interface that is gone by then is left out.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, remedy
from netdoctor.changes.link import UP, SetLink
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.links import Links
from netdoctor.model import FROM_PODS, Access


@remedy(fixes="pod-link-down", opens=(*FROM_PODS, Access.OUTSIDE_TO_POD, Access.OUTSIDE_TO_NODE_PORT))
def set_pod_links_up(
    findings: tuple[Finding, ...],  # noqa: ARG001 - each interface that is down
    links: Links,
    cni: CniConfig,
) -> Iterator[Change]:
    """The bridge first, then its ports."""
    bridge = links.named(cni.bridge)
    if bridge is None:
        return
    for link in (bridge, *(each for each in links.links if each.master == bridge.name)):
        if not link.up:
            yield SetLink.usual(link.name, link.index, UP, 0)
