"""kube-proxy as its own ports tell of it: the mode in which it works, and that it is there inside another process.

k3s and MicroK8s run it inside a process of another name. What listens at a port counts only if it is root's: any user
of the node may listen there where kube-proxy does not.
"""

from __future__ import annotations

import http.client
import json

from netdoctor.errors import CannotRead
from netdoctor.system.host import Host
from netdoctor.system.patience import patience

MODES = ("iptables", "ipvs", "nftables")
HEALTHZ = "127.0.0.1:10256"  # unless healthzBindAddress says otherwise
HEALTHZ_KEYS = {"lastUpdated", "currentTime"}
LARGEST = 4096  # bytes of an answer
SECONDS = 0.5  # of a quiet machine: it is on this one
LISTENING, ROOT = "0A", "0"  # the state and the uid in /proc/net/tcp
TABLES = ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6")


def told_mode(address: str) -> str:
    """The mode that kube-proxy says it works in at this address, "" where it does not say so at once."""
    said = _answer(address, "/proxyMode").strip()
    return said if said in MODES else ""


def inside_another_process(host: Host, address: str) -> tuple[str, str] | None:
    """The mode of a kube-proxy that no process is named after, and how it is known to run; None where none does.

    The mode is "" where its health check alone answers.
    """
    ports = _ports_of_root(host)
    if _port(address) in ports and (mode := told_mode(address)):
        return mode, f"inside another process, which says so at http://{address}/proxyMode"
    if _port(HEALTHZ) in ports and _is_healthz(_answer(HEALTHZ, "/healthz")):
        return "", f"inside another process, which answers at http://{HEALTHZ}/healthz"
    return None


def _ports_of_root(host: Host) -> set[int]:
    """The TCP ports at which root listens in netdoctor's own network; none where they cannot be read."""
    found = set()
    for table in TABLES:
        try:
            lines = (host.read_or_none(table) or "").splitlines()[1:]
        except CannotRead:
            continue
        for line in lines:
            words = line.split()
            if len(words) > 7 and words[3] == LISTENING and words[7] == ROOT:
                found.add(int(words[1].rpartition(":")[2], 16))
    return found


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _is_healthz(text: str) -> bool:
    """Whether kube-proxy's health check says this: another program's would hardly name these two."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.keys() >= HEALTHZ_KEYS


def _answer(address: str, path: str) -> str:
    """What is answered at once, whatever its status; "" for nothing."""
    name, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(name, int(port), timeout=patience(SECONDS))
    try:
        connection.request("GET", path)
        return connection.getresponse().read(LARGEST).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
