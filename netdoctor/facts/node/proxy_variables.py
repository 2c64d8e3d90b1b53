"""Which requests the usual variables send through a proxy: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from netdoctor.system.foreign_text import to_address, to_network

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
PORT = re.compile(r":\d{1,5}$")
SCHEMES = ("http", "https")
USUAL_PORT = 1080  # of a proxy whose URL names none, where curl looks for it


def proxy_for(scheme: str, host: str, variables: Mapping[str, str]) -> str:
    """host:port of the proxy that a request goes through, "" for none; whatever else its URL holds is left out.

    A host counts as excluded by what any usual client understands: names and their ends, addresses, networks.
    """
    if scheme not in SCHEMES or is_excluded(host, _of(variables, "no_proxy")):
        return ""
    return _place(_of(variables, f"{scheme}_proxy") or _of(variables, "all_proxy"))


def is_excluded(host: str, no_proxy: str) -> bool:
    """Whether NO_PROXY excludes a host."""
    wanted = host.lower().rstrip(".").strip("[]")
    entries = [entry for entry in re.split(r"[,\s]+", no_proxy.lower()) if entry]
    return wanted == "localhost" or any(_matches(wanted, entry) for entry in entries)


def _matches(host: str, entry: str) -> bool:
    if entry == "*":
        return True
    name = PORT.sub("", entry).removeprefix("*").removeprefix(".").rstrip(".")
    return host == name or host.endswith(f".{name}") or _holds(entry, host)


def _holds(entry: str, host: str) -> bool:
    """Whether both are addresses, and an entry's network holds the host's."""
    try:
        network, address = to_network(entry), to_address(host)
    except ValueError:
        return False
    return network.version == address.version and address in network


def _of(variables: Mapping[str, str], name: str) -> str:
    """A variable in either case; the lower one counts first, as in curl and Go."""
    return variables.get(name) or variables.get(name.upper()) or ""


def _place(url: str) -> str:
    """Host and port of a proxy's URL."""
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or (443 if parts.scheme == "https" else 80 if parts.scheme == "http" else USUAL_PORT)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return f"{host}:{port}" if re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", host) else ""
