"""Run as a program: `netdoctor` on a folder of settings that stands for a node: FOLDER REMEDY[,REMEDY] ARGUMENTS...

Its own namespace of networks is not looked at, so a repair needs `--without-rehearsal`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from netdoctor.cli import main
from netdoctor.diagnosis import check as check_module
from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.repair import proof
from netdoctor.system.host import Host
from tests.repair import folder_node


def run(folder: str, remedies: str, *arguments: str) -> None:
    """Run the command line with these repairs; it ends the process."""
    node = folder_node.Node(Path(folder))
    catalogue = node.catalogue(*(getattr(folder_node, name) for name in remedies.split(",")))
    Catalogue.load = classmethod(lambda _: catalogue)  # type: ignore[assignment]
    check_module.look = lambda *_, **__: node.look(catalogue)
    Host.is_root = property(lambda _: True)  # type: ignore[method-assign, assignment]
    proof.SETTLE_SECONDS, proof.PAUSE = 0.05, 0.01
    sys.argv = ["netdoctor", *arguments]
    main()


if __name__ == "__main__":
    run(*sys.argv[1:])
