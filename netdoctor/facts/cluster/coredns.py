"""CoreDNS: its Corefile, and the upstream resolvers that it forwards to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.corefile_outline import outline
from netdoctor.facts.cluster.services import Services
from netdoctor.facts.cluster.workloads import Pods, dns_pods
from netdoctor.system import processes
from netdoctor.system.foreign_text import is_address, to_address
from netdoctor.system.host import Host
from netdoctor.system.kube_api import KubeApi

NODE_RESOLV_CONF = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")
ROOT_ZONE = re.compile(r"(\w+://)?\.?(:\S+)?")  # a server block's key: zone, with a transport and a port perhaps
ZONE_OF_KEY = re.compile(r"^(?:\w+://)?([^:]*)(?::\S+)?$")
REVERSE = (".arpa", "arpa")
DOMAIN = re.compile(r"\.?(?:[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?)?")  # of a resolv.conf's search line
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
OWN_FILE = "/etc/resolv.conf in CoreDNS's pod"
OTHER_FILE = "/file"  # in place of another path than a resolv.conf's
TRANSPORTS = ("", "dns", "tls", "udp", "tcp")
LONGEST_DOMAIN = 200  # characters: a name is put before it


@dataclass(frozen=True, slots=True)
class Corefile:
    """Corefile"""

    text: str  # its server blocks with the names of their plugins: what these are told may be a secret
    forwards: tuple[str, ...]  # as written: an address, with a port or tls:// perhaps, or a path
    problem: str  # why CoreDNS could not use it, "" where nothing is wrong
    changed: str = ""  # when it was last changed, "" where that is not known
    zones: tuple[str, ...] = ()  # for which its plugin kubernetes answers, without those of reverse names

    @classmethod
    def collect(cls, api: KubeApi) -> Corefile:
        """The ConfigMap kube-system/coredns. Raises CannotRead where there is none."""
        found = api.find("/api/v1/namespaces/kube-system/configmaps/coredns")
        if found is None:
            raise CannotRead("Corefile", "there is no ConfigMap kube-system/coredns", Why.ABSENT)
        return replace(cls.parse(found.get("data", {}).get("Corefile", "")), changed=_changed(found))

    @classmethod
    def parse(cls, text: str) -> Corefile:
        """Read the forward lines of the root zone's blocks; where braces are missing, all that there are."""
        text = re.sub(r"(^|\s)#.*", "", text, flags=re.MULTILINE)  # comments are their writer's
        lines = [line.strip() for line in text.splitlines()]
        opened, closed = sum(line.endswith("{") for line in lines), sum(line == "}" for line in lines)
        problem = ""
        if not any(lines):
            problem = "the Corefile is empty"
        elif opened != closed:
            problem = f"{opened} blocks are opened and {closed} closed"
        directives = [((".",), _words(line)) for line in lines] if problem else list(_directives(lines))
        forwards = tuple(dict.fromkeys(map(_plain, filter(_names_upstream, _forwards(directives)))))
        zones = () if problem else tuple(dict.fromkeys(_kubernetes_zones(directives)))
        return cls("" if problem else outline(directives), forwards, problem, zones=zones)


def _changed(found: Mapping[str, Any]) -> str:
    """The time of an object's last change, which the API server keeps for each of its writers."""
    writers = found["metadata"].get("managedFields")
    times = [each.get("time") for each in writers if isinstance(each, dict)] if isinstance(writers, list) else []
    return max((time for time in times if isinstance(time, str) and TIME.fullmatch(time)), default="")


def _words(line: str) -> list[str]:
    """A line's words up to the brace that opens a block."""
    return re.split(r"(?:^|\s)\{(?:\s|$)", line)[0].removesuffix("{").split()


def _directives(lines: Iterable[str]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Each directive's words and the keys of its server block, as CoreDNS reads them (coredns/caddy, parse.go)."""
    keys: tuple[str, ...] = ()
    depth = 0
    for line in filter(None, lines):
        words = _words(line)
        if depth == 0 and not keys and words[:1] == ["import"]:  # a file with server blocks, which is not at hand
            continue
        if depth == 0 and (not keys or keys[-1].endswith(",") or not words):
            keys += tuple(words)
        else:
            depth = max(depth, 1)  # a single server block may do without braces
            yield keys, words
        depth += line.endswith("{") - (line == "}")
        if line == "}" and depth <= 0:
            keys, depth = (), 0


def _forwards(directives: Iterable[tuple[tuple[str, ...], list[str]]]) -> list[str]:
    """The targets of `forward .` in blocks of the root zone, and in snippets that these import."""
    found: list[str] = []
    snippets: dict[str, list[str]] = {}
    for keys, words in directives:
        of_root = any(ROOT_ZONE.fullmatch(key.rstrip(",")) for key in keys)
        block = found if of_root else snippets.setdefault(" ".join(keys), [])
        match words:
            case ["forward", ".", *targets]:
                block += targets
            case ["import", name, *_]:
                block += snippets.get(f"({name})", [])
    return found


def _kubernetes_zones(directives: Iterable[tuple[tuple[str, ...], list[str]]]) -> Iterator[str]:
    """The zones that the plugin kubernetes is told, else those of its server block."""
    for keys, words in directives:
        if words[:1] != ["kubernetes"]:
            continue
        for word in words[1:] or [ZONE_OF_KEY.sub(r"\1", key.rstrip(",")) for key in keys]:
            zone = word.lower().rstrip(".") or "."
            if zone == "." or (DOMAIN.fullmatch(zone) and not zone.endswith(REVERSE)):
                yield zone


def _names_upstream(target: str) -> bool:
    """Whether a target of a forward line is an address or a path, and not some other word."""
    if target.startswith("/"):
        return True
    scheme = target.rpartition("://")[0]
    return scheme in TRANSPORTS and "%" not in target and parse_upstream(target) is not None


def _plain(target: str) -> str:
    return OTHER_FILE if target.startswith("/") and target not in NODE_RESOLV_CONF else target


@dataclass(frozen=True, slots=True)
class Upstream:
    """One resolver that CoreDNS forwards to."""

    address: str
    port: int
    tls: bool

    def __str__(self) -> str:
        """address:port, as CoreDNS's log writes it."""
        return f"{self.address}:{self.port}"

    @property
    def on_loopback(self) -> bool:
        """Whether it answers only clients in the same network namespace."""
        return self.address.startswith("127.") or self.address == "::1"


@dataclass(frozen=True, slots=True)
class Upstreams:
    """resolvers that CoreDNS forwards to"""

    items: tuple[Upstream, ...]
    source: str

    @classmethod
    def collect(
        cls, host: Host, corefile: Corefile | CannotRead, pods: Pods | CannotRead, services: Services | CannotRead
    ) -> Upstreams:
        """Resolve a path in a forward line to the nameservers of CoreDNS's own file, else of the node's.

        Without a Corefile they are the node's own, as its usual `forward . /etc/resolv.conf` would have it: whether
        pods reach the outside can be asked of those too. Raises CannotRead.
        """
        uids = frozenset(pod.uid for pod in dns_pods(services, pods))
        if isinstance(corefile, CannotRead):
            path, own = _resolvers(host, uids)
            if not own:
                raise corefile
            return cls(own, f"{path}: no Corefile can be read")
        items: list[Upstream] = []
        source, path = "Corefile", ""
        for word in corefile.forwards:
            if word.startswith("/"):
                path, own = _resolvers(host, uids)
                source = f"Corefile -> {path}"
                items += own
            elif upstream := parse_upstream(word):
                items.append(upstream)
        if path in NODE_RESOLV_CONF and not items:
            raise CannotRead("CoreDNS's resolv.conf", f"not known, and {path} names only resolvers on loopback")
        return cls(tuple(dict.fromkeys(items)), source)


def parse_upstream(word: str) -> Upstream | None:
    """A forward target such as 8.8.8.8, 8.8.8.8:5353, [::1]:53 or tls://9.9.9.9; None for what is not an address."""
    scheme, _, rest = word.rpartition("://")
    tls = scheme == "tls"
    port = 853 if tls else 53
    if match := re.fullmatch(r"\[([^]]+)](?::([0-9]{1,5}))?|([^:]+):([0-9]{1,5})", rest):
        rest = match[1] or match[3]
        port = int(match[2] or match[4] or port)
    if port > 65535:
        return None
    try:
        return Upstream(str(to_address(rest.partition("%")[0])), port, tls)
    except ValueError:
        return None


def nameservers(text: str) -> tuple[str, ...]:
    """The addresses in the nameserver lines of a resolv.conf; a pod may have written anything else there."""
    lines = (line.split() for line in text.splitlines())
    named = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
    return tuple(word for word in named if is_address(word, scoped=True))


def search_list(text: str) -> tuple[str, ...]:
    """The domains in the first search line of a resolv.conf; those that no DNS name can hold are left out."""
    lines = (line.split() for line in text.splitlines())
    found = next((words[1:] for words in lines if words[:1] == ["search"]), [])
    return tuple(word for word in found if DOMAIN.fullmatch(word) and len(word) <= LONGEST_DOMAIN)


def _resolvers(host: Host, uids: frozenset[str]) -> tuple[str, tuple[Upstream, ...]]:
    """The file as CoreDNS sees it, else the node's without what answers the node alone; and its resolvers."""
    path, text = _resolv_conf(host, uids)
    found = tuple(Upstream(address, 53, False) for address in nameservers(text))
    return path, tuple(u for u in found if path not in NODE_RESOLV_CONF or not u.on_loopback)


def _resolv_conf(host: Host, uids: frozenset[str]) -> tuple[str, str]:
    """The file as CoreDNS sees it, else the node's, and its text. Raises CannotRead."""
    for uid, pid in processes.of_pods(host, uids):
        try:
            found = host.read_in_pod(uid, pid, "etc/resolv.conf")
        except CannotRead:
            continue
        if found is not None:
            return OWN_FILE, found
    for path in NODE_RESOLV_CONF:
        text = host.read_or_none(path)
        if text is not None:
            return path, text
    raise CannotRead("/etc/resolv.conf", "there is no such file", Why.ABSENT)
