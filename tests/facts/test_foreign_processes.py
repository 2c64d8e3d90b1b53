"""Processes of others that call themselves the container runtime, or say that their environment is all their memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netdoctor.facts.gateways.images import detours
from netdoctor.facts.node.connections import ssh_connection
from netdoctor.system.host import LARGEST_ENVIRONMENT, Host, process_environment

HUGE = 4 << 30
# prctl(PR_SET_MM, PR_SET_MM_MAP): anybody may say where the environment begins and ends
PROGRAM = f"""
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
if os.geteuid() == 0 and sys.argv[2] != "0":
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
libc.prctl(4, 1, 0, 0, 0)
libc.prctl(15, sys.argv[1].encode(), 0, 0, 0)
libc.mmap.restype = libc.sbrk.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
at = libc.mmap(None, {HUGE}, 3, 0x4022, -1, 0)
words = open("/proc/self/stat").read().rpartition(")")[2].split()
code, code_end, stack, data, data_end, heap, first, last = (int(words[n]) for n in (23, 24, 25, 42, 43, 44, 45, 46))
told = b"HTTPS_PROXY=http://192.0.2.1" + bytes(1)
ctypes.memmove(at, told, len(told))
fields = (ctypes.c_uint64 * 13)(
    code, code_end, data, data_end, heap, libc.sbrk(0), stack, first, last, at, at + {HUGE}, 0, 0xFFFFFFFF << 32
)
print(libc.prctl(35, 14, fields, ctypes.c_ulong(ctypes.sizeof(fields)), ctypes.c_ulong(0)), flush=True)
time.sleep(60)
"""


@contextmanager
def process(name: str, *, roots: bool = False) -> Iterator[int]:
    """A process of this name, whose environment is HUGE."""
    argv = [sys.executable, "-c", PROGRAM, name, "0" if roots else "65534"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            if running.stdout.readline().strip() != "0":
                pytest.skip("this kernel lets nobody say where its environment is")
            yield running.pid
        finally:
            running.kill()


@contextmanager
def little_memory() -> Iterator[None]:
    """Half a gigabyte more than this process has, and no more."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + (512 << 20), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_strangers_environment_of_many_gigabytes() -> None:
    begin = time.monotonic()
    with process("containerd"), little_memory():
        assert detours(Host()) == ""
    with process("bash") as pid, little_memory():
        assert ssh_connection({}, pid) == ""
        assert sum(map(len, process_environment(pid).values())) <= LARGEST_ENVIRONMENT
    assert time.monotonic() - begin < 20


@pytest.mark.skipif(os.geteuid() != 0, reason="a runtime is root's")
def test_roots_own_runtime_is_asked() -> None:
    with process("containerd", roots=True), little_memory():
        assert detours(Host()) == "containerd pulls through a proxy"


def test_another_users_runtime_is_none() -> None:
    if os.geteuid() != 0:
        pytest.skip("to be another user takes root")
    with process("crio"), little_memory():
        assert detours(Host()) == ""


def test_a_pods_runtime_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    of_pod = "0::/kubepods.slice/kubepods-pod11111111_2222_3333_4444_555555555555.slice/cri-containerd-1.scope"

    def read(host: Host, path: str | Path) -> str:
        return of_pod if str(path).endswith("/cgroup") else whole(host, path)

    whole = Host.read
    with process("crio", roots=True), little_memory():
        monkeypatch.setattr(Host, "read", read)
        assert detours(Host()) == ""


def test_a_file_without_an_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    from netdoctor.errors import CannotRead
    from netdoctor.system.host import LARGEST

    endless = tmp_path / "sparse"
    with endless.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(CannotRead, match="larger than 64 MB"):
        Host().read(endless)
    with pytest.raises(CannotRead, match="larger than 64 MB"):
        Host().read_or_none(endless)


def test_a_setting_of_the_kernel_is_read() -> None:
    """The kernel has no memory for whoever asks for megabytes of it."""
    assert Host().read("/proc/sys/net/ipv4/ip_forward").strip() in ("0", "1")
