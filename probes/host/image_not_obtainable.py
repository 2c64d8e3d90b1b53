"""An image of the modules is not on the node and cannot be pulled.

## What it checks
Each image that the modules' workloads name: among those on the node (as the node and its container runtime list them),
else whether its registry's name resolves on the host and its port answers. Nothing is pulled, so it stays unknown
whether the registry has the tag and grants access.

## Why it matters
The pods stay in ErrImagePull or ErrImageNeverPull.

## When it is not a fault
When the container runtime pulls through a mirror or a proxy, asking the registry proves nothing: the result is unknown.

## By hand
`ctr -n k8s.io images ls -q`; `crictl pull IMAGE`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Subject, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.gateways.gateways import Modules, needed
from netdoctor.facts.gateways.images import NEVER, Images, NodeImage
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.system.traffic import Answer


@probe(
    area=Area.GATEWAYS,
    healthy="the images are available",
)
def image_not_obtainable(
    modules: Modules | CannotRead, images: Images | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """Images that are not here and cannot be pulled."""
    needed(modules)
    if isinstance(images, CannotRead):
        raise images
    lost = [(image, why) for image in images.items if (why := trouble(image))]
    certain = [(image, why) for image, why in lost if not image.detour]
    if certain:
        first, why = certain[0]
        more = f" (and {len(certain) - 1} more)" if len(certain) > 1 else ""
        yield Finding(
            f"image {first.name}{more} for {', '.join(first.users)} is not available: {why}",
            tuple(Evidence(f"image {i.name}, {i.pull_policy}", w, "on the node, or its registry answers")
                  for i, w in certain[:5]),
            Subject(node=this.name),
            confidence=Confidence.CONFIRMED,
            by_hand=tuple(line for image, _ in certain[:3] for line in command("sudo crictl pull {}", image.name)),
        )  # fmt: skip
    elif lost:
        raise CannotRead(f"image {lost[0][0].name}", f"{lost[0][1]}, but {lost[0][0].detour}")


def trouble(image: NodeImage) -> str:
    """Why the image is not available, "" where it is."""
    missing = "it is not on the node"
    if not image.wants_registry:
        return "" if image.present else f"{missing}, and its pull policy is {NEVER}"
    where = f"{missing}, and" if not image.present else f"its pull policy is {image.pull_policy}, and"
    if not image.resolved:
        return f"{where} {image.registry.rpartition(':')[0]} does not resolve on the host"
    if image.reply is None or image.reply.answer is not Answer.OK:
        return f"{where} {image.registry} does not answer the host: {image.reply}"
    return ""
