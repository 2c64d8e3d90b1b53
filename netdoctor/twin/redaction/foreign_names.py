"""Other names for hosts outside of the cluster and for users in paths; the same for the same in a whole recording."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from itertools import count

NEW_HOST = re.compile(r"host-(\d+)\.outside\.example")
NEW_NODE = re.compile(r"node-\d+")
NEW_USER = re.compile(r"user-(\d+)")
# ends of names that a text may hold without saying whose node it is: the cluster's own, examples, what is public
PUBLIC = tuple(
    f".{end}" for end in (
        "cluster.local", "k8s.io", "kubernetes.io", "docker.io", "docker.com", "quay.io", "ghcr.io", "gcr.io",
        "github.com", "mcr.microsoft.com", "public.ecr.aws", "example.com", "example.org", "example.net",
        "in-addr.arpa", "ip6.arpa", "projectcalico.org", "cilium.io", "cncf.io", "coredns.io", "firewalld.org",
        "fedoraproject.org", "example", "test", "invalid",
    )
)  # fmt: skip
# top-level domains by which a dotted word is taken for a host's name: the common ones, and those of private networks
ENDS = (
    "com net org io dev app cloud edu gov mil int info biz xyz tech site online ai co me tv us uk de fr nl be ch at eu "
    "it es pt pl cz se no dk fi ie ru ua cn jp kr in au nz br mx ca za sg hk tw il tr gr ro hu aws internal intranet "
    "corp lan home private local localdomain arpa"
)
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(
    rf"(?<![\w.-])(?:{LABEL}\.){{1,12}}(?:{'|'.join(sorted(ENDS.split(), key=len, reverse=True))})(?![\w-])",
    re.IGNORECASE,
)
# a name made of an address: ec2-203-0-113-7.compute.amazonaws.com, ip-10-0-0-1.ec2.internal, 203_0_113_7.isp
QUAD = re.compile(
    r"(?<![\w.-])(?P<head>(?:[a-z][a-z0-9]{0,20}[-_.]){0,4})(?P<quad>\d{1,3}(?:[-_]\d{1,3}){3})"
    r"(?P<rest>(?:\.[\w-]{1,63}){0,12})(?![\w-])",
    re.IGNORECASE,
)
URL = re.compile(r"(?<=://)(?:[^\s/@\"']*@)?(?P<host>[a-z0-9](?:[\w.-]{0,250}\w)?)(?=[:/?#\s\"',;)]|$)", re.IGNORECASE)
IN_CLUSTER = re.compile(r"(?:\.[\w-]+(?:\.(?:svc|pod))|\.(?:svc|pod))?\.cluster\.local$", re.IGNORECASE)
HOME = re.compile(
    r"(?P<before>/(?:var/|export/|usr/)?home/|/Users/|\b[a-z]:\\{1,4}Users\\{1,4}|(?<![\w/])~(?=[a-z_][\w.-]*/)"
    r"|\bwith the rights of |\bcan be changed by )(?P<user>[^/\\\s:\"',;()]+)",
    re.IGNORECASE,
)
NOBODYS = frozenset(("root", "nobody", "others", "localhost", "kubernetes"))


class ForeignNames:
    """What stands for which host and user. `hosts`: names that are known to be hosts'; `keep`: words that stay."""

    def __init__(self, hosts: Iterable[str] = (), keep: Iterable[str] = (), domain: str = "") -> None:
        """`domain`: the cluster's own, where it is not cluster.local."""
        self._keep = {word.lower() for word in keep} | NOBODYS
        self._hosts: dict[str, str] = {}
        self._users: dict[str, str] = {}
        self._answers: dict[str, str] = {}  # by the spelling
        self._host_numbers, self._user_numbers = count(1), count(1)
        self._taken: set[str] = set()
        self._domain = re.compile(rf"(?<![\w-]){re.escape(domain)}(?![\w-])", re.IGNORECASE) if "." in domain else None
        given = {host.lower().rstrip(".") for host in hosts}
        known = sorted((host for host in given if host and not self._stays(host)), key=len, reverse=True)
        each = "|".join(map(re.escape, known))
        self._known = re.compile(rf"(?<![\w.-])(?:{each})(?![\w-])", re.IGNORECASE) if known else None

    def met(self, text: str) -> str:
        """The same text; the new names that it has already, of a recording that is recorded again, are not given."""
        self._taken |= {match[0].lower() for form in (NEW_HOST, NEW_USER) for match in form.finditer(text)}
        return text

    def text(self, text: str) -> str:
        """The text with other names for hosts and users."""
        if self._domain:
            text = self._domain.sub("cluster.local", text)
        if "\\" in text or "/" in text or "~" in text or " rights of " in text or " changed by " in text:
            text = HOME.sub(lambda m: m["before"] + self.user(m["user"]), text)
        if self._known:
            text = self._known.sub(lambda m: self.host(m[0]), text)
        if "://" in text:
            text = URL.sub(lambda m: m[0].removesuffix(m["host"]) + self.host(m["host"]), text)
        text = QUAD.sub(self._quad, text)
        return NAME.sub(lambda m: self.host(m[0]), text)

    def host(self, name: str) -> str:
        """What stands for a host's name."""
        if name not in self._answers:
            self._answers[name] = self._host(name)
        return self._answers[name]

    def _host(self, name: str) -> str:
        bare = name.lower().rstrip(".")
        if self._stays(bare):
            inside = IN_CLUSTER.search(name)  # a name from outside, asked for with the pod's search list
            if inside and NAME.fullmatch(name[: inside.start()]):
                return self.host(name[: inside.start()]) + inside[0]
            return name
        if bare not in self._hosts:
            self._hosts[bare] = self._next("host-{}.outside.example", self._host_numbers)
        return self._hosts[bare] + ("." if name.endswith(".") else "")

    def user(self, name: str) -> str:
        """What stands for a user's name."""
        if name.lower() in self._keep or NEW_USER.fullmatch(name):
            return name
        if name not in self._users:
            self._users[name] = self._next("user-{}", self._user_numbers)
        return self._users[name]

    def _next(self, form: str, numbers: Iterator[int]) -> str:
        return next(name for number in numbers if (name := form.format(number)) not in self._taken)

    def _stays(self, name: str) -> bool:
        service, _, namespace = name.partition(".")
        if name in self._keep or (service and namespace in self._keep) or NEW_NODE.fullmatch(name):
            return True
        return f".{name}".endswith(PUBLIC) or _is_address(name)

    def _quad(self, match: re.Match[str]) -> str:
        """A public address in a name says whose node it is, and so does a cloud's name of a private one."""
        if match[0].lower() in self._keep or match["head"].endswith("."):
            return match[0]
        try:
            address = ipaddress.ip_address(re.sub("[-_]", ".", match["quad"]))
        except ValueError:
            return match[0]
        if address.is_private and not match["head"]:
            return match[0]
        inside = IN_CLUSTER.search(match["rest"])
        if inside:
            return self.host(match[0].removesuffix(inside[0])) + inside[0]
        return self.host(match[0])


def _is_address(word: str) -> bool:
    if word[-1:].isalpha() and ":" not in word:
        return False
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
