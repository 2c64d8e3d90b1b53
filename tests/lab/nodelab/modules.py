"""The prepared cluster with the gateway modules' images in it: the layer that `up --modules` starts from."""

from pathlib import Path

from .cluster import Lab
from .config import CHECKOUT
from .module_images import STEPS as IMAGE_STEPS
from .module_images import archives
from .prepare import PREPARED
from .processes import LabError
from .readiness import wait_ready
from .roots import NODEFILES, ROOTFS
from .steps import Step

PLACE = "opt/modules"  # where the checkout's manifests are on the node
MANIFESTS = ("k8s", "overlays")
VOLUME = "mkdir -p -m 777 /var/lib/lab-volumes/postgres && chmod 777 /var/lib/lab-volumes/postgres"


def build_layer(out: Path) -> None:
    """Boot the prepared cluster, import the images, stop, and keep what changed."""
    lab = Lab("prepare")
    with lab.lock():
        lab.down()
        try:
            layers = [PREPARED.folder / "upper", NODEFILES.folder, ROOTFS.folder]
            lab.start(layers, PREPARED.folder / "containerd")
            lab.node.import_images(archives())
            lab.exec(VOLUME, check=True)
            wait_ready(lab.node, 180)
            lab.node.power_off()
            for part in ("upper", "containerd"):
                (lab.node.run / part).rename(out / part)
        finally:
            lab.down()


def manifests() -> dict[str, str]:
    """The checkout's manifests, by their paths on the node; without the keys that somebody may have made there.

    Raises LabError when there are none.
    """
    for name in MANIFESTS:
        if not (CHECKOUT / name).is_dir():
            raise LabError(f"the checkout has no folder {name}, which --modules puts on the node")
    files = [p for name in MANIFESTS for p in sorted((CHECKOUT / name).rglob("*")) if p.is_file()]
    return {f"{PLACE}/{p.relative_to(CHECKOUT)}": p.read_text() for p in files if p.name != ".env"}


LAYER = Step("modules", "the cluster with the modules' images", "40 s", build_layer, lambda: [VOLUME],
             (PREPARED, *IMAGE_STEPS))  # fmt: skip
STEPS = (*IMAGE_STEPS, LAYER)
