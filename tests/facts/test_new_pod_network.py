"""A network namespace is a pod's only when the runtime has set up its loopback as well."""

from __future__ import annotations

import os
import subprocess

import pytest

from netdoctor.facts.traffic.new_pod import has_loopback


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace")
@pytest.mark.parametrize(("before", "up"), [("", False), ("ip link set lo up; ", True)])
def test_whether_lo_is_up(before: str, up: bool) -> None:
    line = f"{before}echo ready; exec sleep 30"
    with subprocess.Popen(["unshare", "--net", "sh", "-c", line], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            assert has_loopback(f"/proc/{process.pid}/ns/net") is up
        finally:
            process.kill()


def test_one_that_is_gone_has_none() -> None:
    assert not has_loopback("/run/netns/gone")
