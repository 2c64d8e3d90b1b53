"""A Corefile without what its plugins are told: credentials, names and addresses of others stand there."""

from __future__ import annotations

import re
from collections.abc import Iterable

# CoreDNS's own (coredns/coredns, plugin.cfg, v1.14.2) and what its reader knows; any other word may be anything
PLUGINS = frozenset((
    "acl", "any", "auto", "autopath", "azure", "bind", "bufsize", "cache", "cancel", "chaos", "clouddns", "debug",
    "dns64", "dnssec", "dnstap", "erratic", "errors", "etcd", "file", "forward", "geoip", "grpc", "grpc_server",
    "header", "health", "hosts", "https", "https3", "import", "k8s_external", "kubernetes", "loadbalance", "local",
    "log", "loop", "metadata", "minimal", "multisocket", "nomad", "nsid", "pprof", "prometheus", "proxyproto", "quic",
    "ready", "reload", "rewrite", "root", "route53", "secondary", "sign", "template", "timeouts", "tls", "trace",
    "transfer", "tsig", "view", "whoami",
))  # fmt: skip
ROOT_ZONE = re.compile(r"(?:(?:dns|tls|https|https3|grpc|quic)://)?\.?(?::[0-9]{1,5})?")
OTHER_ZONE, OTHER_PLUGIN = "zone", "plugin"  # in place of what is not judged


def outline(directives: Iterable[tuple[tuple[str, ...], list[str]]]) -> str:
    """The server blocks, as far as they are the root zone's by name, and the names of the plugins in each.

    `directives`: of each the keys of its server block and its words. What stands in a plugin's own block has no name
    that is known here, and is left out.
    """
    blocks: dict[tuple[str, ...], list[str]] = {}
    for keys, words in directives:
        named = blocks.setdefault(keys, [])
        if words and words[0] != "}":
            named.append(words[0])
    lines = []
    for keys, named in blocks.items():
        zones = [key.rstrip(",") if ROOT_ZONE.fullmatch(key.rstrip(",")) else OTHER_ZONE for key in keys]
        known = [name if name in PLUGINS else OTHER_PLUGIN for name in named]
        lines += [f"{' '.join(dict.fromkeys(zones))} {{", *(f"    {name}" for name in dict.fromkeys(known)), "}"]
    return "".join(f"{line}\n" for line in lines)
