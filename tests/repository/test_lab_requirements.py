"""A node that does not come up because the machine lacks something says what."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from tests.lab.nodelab.requirements import FEW_INSTANCES, INOTIFY, few_inotify_instances


def test_few_inotify_instances_are_named(tmp_path: Path) -> None:
    made = [ctypes.CDLL(None).inotify_init() for _ in range(3)]
    try:
        limit = tmp_path / INOTIFY.name
        limit.write_text(f"{FEW_INSTANCES + 2}\n")
        said = few_inotify_instances(limit, tmp_path)
        assert said == "", "none is in use in an empty /proc"
        proc = tmp_path / "1"
        proc.mkdir()
        (proc / "fd").symlink_to("/proc/self/fd")
        said = few_inotify_instances(limit, tmp_path)
        assert f"of {FEW_INSTANCES + 2} inotify instances are in use" in said
        assert said.endswith("raise fs.inotify.max_user_instances")
    finally:
        for each in made:
            os.close(each)
