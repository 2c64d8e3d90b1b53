"""What the value of a variable names as its host: told apart here, and nothing else of the value is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from netdoctor.system.foreign_text import is_port

# variables that name a database: their value may be in a Secret
DATABASES = ("DATABASE_URL", "DATABASE_HOST", "PGHOST", "POSTGRES_HOST", "DB_HOST")
POSTGRES = ("DATABASE_HOST", "PGHOST", "POSTGRES_HOST")
SCHEMES = ("postgresql", "postgres", "mysql", "redis", "rediss", "mongodb", "amqp")  # of what an application needs
HOSTS = re.compile(r"(.*_)?(HOST|HOSTNAME|SERVER|ADDR|ADDRESS|URL|URI|ENDPOINT|DSN)")
URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.?")
PORTS = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "http": 80, "https": 443, "mysql": 3306, "amqp": 5672}
LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
UNKNOWN = "$("  # a reference to a variable that is not known here
UNESCAPED = "its password holds a character that has to be percent-encoded, one of # / ? [ ] @"


@dataclass(frozen=True, slots=True)
class NamedHost:
    """A host that a variable of a container names; one of the cluster, or the pod itself."""

    container: str
    variable: str
    host: str  # "" where the value is no URL that can be taken apart
    port: int  # 0 where it does not say
    problem: str = ""  # why it cannot be taken apart, in words
    scheme: str = ""  # of a URL

    @property
    def is_database(self) -> bool:
        """Whether a database is meant, without which hardly any application works."""
        return self.variable in DATABASES or self.scheme in SCHEMES

    @property
    def is_itself(self) -> bool:
        """Whether it is the pod itself."""
        return self.host in LOOPBACK

    def service(self, namespace: str) -> tuple[str, str]:
        """Namespace and name of the Service that the host is for a pod in `namespace`."""
        name, _, rest = self.host.rstrip(".").partition(".")
        return (rest.partition(".")[0] or namespace), name


def named_host(container: str, variable: str, value: str) -> NamedHost | None:
    """What a variable names; None where that is not a host that this tells of."""
    value = value.strip()
    if UNKNOWN in value:
        return None
    url = URL.fullmatch(value)
    if url is None:
        return None if variable == "DATABASE_URL" else _of_host(container, variable, value)
    if problem := url_problem(value):
        return NamedHost(container, variable, "", 0, problem) if variable == "DATABASE_URL" else None
    return None if "," in url[2] else _of_url(container, variable, value)


def _of_host(container: str, variable: str, value: str) -> NamedHost | None:
    """What a host names, with a port perhaps."""
    host, _, port = value.partition(":")
    usual = 5432 if variable in POSTGRES else 0
    return NamedHost(container, variable, host, int(port) if is_port(port) else usual) if _is_host(host) else None


def _of_url(container: str, variable: str, value: str) -> NamedHost | None:
    """What a URL of one host names."""
    parts = urlsplit(value)
    host = (parts.hostname or "").lower()
    port = parts.port or PORTS.get(parts.scheme, 0)
    return NamedHost(container, variable, host, port, scheme=parts.scheme) if _is_host(host) else None


def _is_host(host: str) -> bool:
    return bool(NAME.fullmatch(host)) or host in LOOPBACK


def url_problem(value: str) -> str:
    """Why a URL cannot be taken apart, in words that hold nothing of it; "" where it can be, or is not to be judged.

    A URL may name no host (a socket, a file), or several.
    """
    value = value.strip()
    url = URL.fullmatch(value)
    if UNKNOWN in value or (url and "," in url[2]):
        return ""
    if url is None:
        return "it is not a URL"
    _, authority, rest = url.groups()
    before_query = rest.partition("?")[0] + rest.partition("#")[2]
    if "@" not in authority and "@" in before_query:
        return UNESCAPED
    try:
        _ = urlsplit(value).port
    except ValueError:
        in_password = "@" in rest or any(letter in authority.rpartition("@")[0] for letter in "[]@")
        return UNESCAPED if in_password else "its host or port is not one"
    return ""
