"""The lab's network: an outside world with resolvers and a web server, and an uplink to it for every node.

Network namespaces have no names: a waiting process holds each, so ending that process removes namespace, links and
rules, and the machine's own namespace is never touched.
"""

import sys
from pathlib import Path

from .config import GATEWAY, LAB, PROVIDER_PORT, RESOLVERS, SUBNET_LEN, WEB
from .place import HOLDER
from .processes import Argument, LabError, end, run, spawn, spawned, wait_for

# the names pNNN.example.com are for probes that must not be answered from a cache
COREFILE = f""".:53 {{
    bind {" ".join(RESOLVERS)}
    hosts {{
        {WEB} example.com www.example.com
    }}
    template IN A example.com {{
        match ^p[0-9]+[.]
        answer "{{{{ .Name }}}} 60 IN A {WEB}"
        fallthrough
    }}
    errors
}}
"""
DNS, HTTP, PROVIDER = "dns", "web", "provider"


def within(pid: int) -> list[str]:
    """The start of a command that is to run in the network namespace of a process."""
    return ["nsenter", f"--net=/proc/{pid}/ns/net", "--"]


def hold_namespace(folder: Path, groups: list[Path], labtool: Path) -> int:
    """Make a network namespace, held by a waiting process; returns its pid."""
    pid = spawn(folder, HOLDER, ["unshare", "--net", labtool, "pause"], groups)
    own = Path("/proc/self/ns/net").stat().st_ino
    wait_for(lambda: Path(f"/proc/{pid}/ns/net").stat().st_ino != own, "a network namespace", 5, 0.002)
    return pid


def _ip(pid: int, *lines: str) -> None:
    """Run `ip` commands in the namespace of a process."""
    run(*within(pid), "ip", "-batch", "-", stdin="\n".join(lines) + "\n")


def holder(folder: Path) -> int:
    """The process that holds the namespace belonging to a run folder; raises LabError when there is none."""
    if pid := spawned(folder, HOLDER):
        return pid
    raise LabError("the lab's network is gone: `tests/lab/lab reset` creates it again")


def start_outside(folder: Path, groups: list[Path], labtool: Path, coredns: Path) -> None:
    """The outside world: a bridge `gw` for the uplinks, resolvers and a web server."""
    pid = hold_namespace(folder, groups, labtool)
    addresses = [f"address add {ip}/32 dev lo" for ip in (*RESOLVERS, WEB)]
    _ip(pid, "link set lo up", "link add gw type bridge", f"address add {GATEWAY}/{SUBNET_LEN} dev gw",
        "link set gw up", *addresses)  # fmt: skip
    (folder / "Corefile").write_text(COREFILE)
    spawn(folder, DNS, [*within(pid), coredns, "-conf", folder / "Corefile"], groups)
    web = [f"{ip}:80" for ip in (WEB, GATEWAY, *RESOLVERS)]
    spawn(folder, HTTP, [*within(pid), labtool, "echo", *web], groups)


def start_provider(folder: Path, groups: list[Path]) -> None:
    """What the gateway modules send their calls to, in the outside world; raises LabError when it does not answer."""
    pid = holder(folder)
    server: list[Argument] = [sys.executable, LAB / "nodelab/provider.py", WEB, str(PROVIDER_PORT)]
    spawn(folder, PROVIDER, [*within(pid), *server], groups)
    wait_for(lambda: _listening(pid, PROVIDER_PORT), "the modules' provider", 20, 0.02)


def stop_provider(folder: Path) -> None:
    """End it, and with it the connections that its callers keep; its port refuses from then on."""
    if pid := spawned(folder, PROVIDER):
        end([pid])


def provider_log(folder: Path) -> str:
    """A line for each request to the provider since the lab started: caller, method, path, status, model."""
    log = folder / f"{PROVIDER}.log"
    return log.read_text() if log.exists() else ""


def _listening(pid: int, port: int) -> bool:
    """Whether something waits for connections to this port in the network namespace of a process."""
    sockets = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return any(local.endswith(f":{port:04X}") and state == "0A" for _, local, _, state, *_ in sockets)


def disconnect(outside: int, node: int, ip: str) -> None:
    """End the process that holds a node's namespace, and wait until its uplink is gone from the outside's bridge."""
    end([node])
    port = _port(ip)
    shown = [*within(outside), "ip", "link", "show", port]
    wait_for(lambda: run(*shown, check=False).returncode, f"the end of {port}", 60)  # they end one by one


def _port(ip: str) -> str:
    """The port of the outside's bridge that a node with this address is plugged into."""
    return "p" + ip.rsplit(".", 1)[1]


def connect(outside: int, node: int, ip: str) -> None:
    """Give the namespace of process `node` the uplink eth0 with this address, plugged into the outside's bridge."""
    port = _port(ip)
    _ip(outside, f"link add {port} type veth peer name eth0 netns {node}", f"link set {port} master gw up")
    # cloud metadata addresses fail at once instead of after seconds
    _ip(node, "link set lo up", f"address add {ip}/{SUBNET_LEN} dev eth0", "link set eth0 up",
        f"route add default via {GATEWAY}", "route add unreachable 169.254.0.0/16")  # fmt: skip
