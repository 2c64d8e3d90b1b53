"""What the lab is made of: versions, packages, addresses, and where its files are."""

import re
from pathlib import Path

from . import place

LAB = Path(__file__).resolve().parent.parent
CHECKOUT = LAB.parent.parent
CACHE = Path(place.CACHE)
RUNS, LOCKS, LOGS = CACHE / "runs", CACHE / "locks", CACHE / "logs"

KUBERNETES = "v1.36.3"
PAUSE = "registry.k8s.io/pause:3.10.2"
ETCD = "registry.k8s.io/etcd:3.6.8-0"
COREDNS = "registry.k8s.io/coredns/coredns:v1.14.2"
POSTGRES = "docker.io/library/postgres:15"
LABTOOL = "lab.local/labtool:1"
# of the gateway modules; LiteLLM's version is that of k8s/
LITELLM = "1.106.2"
LITELLM_IMAGE, POSTGRES_IMAGE = f"lab.local/litellm:{LITELLM}", "lab.local/postgres:15"
PROMETHEUS_IMAGE = "lab.local/prometheus:2.42"
KUBE = "registry.k8s.io/{}:" + KUBERNETES

SUITE, NEWER_SUITE = "bookworm", "trixie"
FIREWALLD = ("1.3", "2.3")  # of SUITE and of NEWER_SUITE
NODE_PACKAGES = [
    "systemd", "systemd-sysv", "dbus", "firewalld", "iptables", "nftables", "ipset", "ebtables", "conntrack",
    "ethtool", "iproute2", "procps", "kmod", "runc", "python3", "python3-venv", "socat", "curl", "ca-certificates",
    "openssl", "bind9-dnsutils", "iputils-ping", "util-linux", "mount", "tcpdump", "netcat-openbsd",
    "busybox-static", "less",
]  # fmt: skip
POSTGRES_PACKAGES = [
    "postgresql-15", "iproute2", "procps", "curl", "bind9-dnsutils", "python3-minimal",
]  # fmt: skip

NODE_IP, GATEWAY, SUBNET_LEN = "10.77.0.2", "10.77.0.1", 24
RESOLVERS = ("8.8.8.8", "1.1.1.1")
WEB = "93.184.215.14"  # example.com in the lab's outside world
API_PORT = 8443  # kubeadm.yaml has it too
PROVIDER_PORT = 8080  # of WEB: where the modules' OpenAI-compatible provider answers
MAX_WORKERS = 3

# the credentials of a database that exists in the lab only; the Secret in workloads.yaml holds the same
DATABASE_USER = "litellm"
DATABASE_PASSWORD = "lab-canary-5f1d"

MAX_NAME = 12
_NAME = re.compile(rf"[a-z0-9]([a-z0-9-]{{0,{MAX_NAME - 2}}}[a-z0-9])?")


def valid_name(name: str) -> bool:
    """Whether a lab may have this name; it becomes part of host and cgroup names."""
    return _NAME.fullmatch(name) is not None
