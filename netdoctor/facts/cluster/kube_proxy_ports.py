"""kube-proxy as its own ports tell of it: the mode in which it works, and that it is there inside another process.

k3s and MicroK8s run it inside a process of another name. What listens at a port counts only if it is root's: any user
of the node may listen there where kube-proxy does not.
"""

from __future__ import annotations

import json

from netdoctor.errors import CannotRead
from netdoctor.system.bounded_http import ask, bound
from netdoctor.system.host import Host
from netdoctor.system.patience import patience

MODES = ("iptables", "ipvs", "nftables")
HEALTHZ = "127.0.0.1:10256"  # unless healthzBindAddress says otherwise
HEALTHZ_KEYS = {"lastUpdated", "currentTime"}
LARGEST = 4096  # bytes of an answer
SECONDS = 0.5  # of a quiet machine: it is on this one
LISTENING, ROOT = "0A", "0"  # the state and the uid in /proc/net/tcp
TABLES = ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6")


def told_mode(host: Host, address: str) -> str:
    """The mode that root's kube-proxy says it works in at this address, "" where it does not say so at once."""
    if not port_is_roots(host, address):
        return ""
    said = _text(address, "/proxyMode").strip()
    return said if said in MODES else ""


def inside_another_process(host: Host, address: str) -> tuple[str, str] | None:
    """The mode of a kube-proxy that no process is named after, and how it is known to run; None where none does.

    The mode is "" where its health check alone answers.
    """
    if mode := told_mode(host, address):
        return mode, f"inside another process, which says so at http://{address}/proxyMode"
    if port_is_roots(host, HEALTHZ) and _is_healthz(_text(HEALTHZ, "/healthz")):
        return "", f"inside another process, which answers at http://{HEALTHZ}/healthz"
    return None


def port_is_roots(host: Host, address: str) -> bool:
    """Whether root listens at the port in netdoctor's own network, at whatever address, and nobody else."""
    port, owners = int(address.rpartition(":")[2]), set()
    for table in TABLES:
        try:
            lines = (host.read_or_none(table) or "").splitlines()[1:]
        except CannotRead:
            continue
        for line in lines:
            words = line.split()
            if len(words) > 7 and words[3] == LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                owners.add(words[7])
    return owners == {ROOT}


def _is_healthz(text: str) -> bool:
    """Whether kube-proxy's health check says this: another program's would hardly name these two."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.keys() >= HEALTHZ_KEYS


def _text(address: str, path: str) -> str:
    """What is answered at once, whatever its status; "" for nothing."""
    said = answer(address, path)
    return said[1] if said else ""


def answer(address: str, path: str, within: float = SECONDS) -> tuple[int, str] | None:
    """Status and text of what is answered within these seconds of a quiet machine; None for nothing."""
    import urllib3

    seconds = patience(within)
    try:
        with bound(urllib3.PoolManager()) as manager:
            url = f"http://{address}{path}"
            reply = ask(manager, "GET", url, headers=(), connect=seconds, seconds=seconds, limit=LARGEST)
    except (OSError, ValueError, urllib3.exceptions.HTTPError):
        return None
    return reply.status, reply.data.decode(errors="replace")
