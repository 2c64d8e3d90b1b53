"""What a LiteLLM gateway's config and environment say: its models, their providers, its database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from netdoctor.facts.gateways.gateway_objects import ModuleObjects, Object, data_of
from netdoctor.facts.gateways.named_hosts import UNKNOWN, url_problem
from netdoctor.system.foreign_text import is_address, is_port
from netdoctor.system.read_secrets import ENVIRONMENT, remember_fields

POOL_LIMIT = 10  # connections of a LiteLLM worker, where the config does not say (litellm 1.106.2)
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")  # those of libpq
# where LiteLLM sends a model that has no api_base, by the model's prefix (litellm/constants.py)
PROVIDERS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "deepseek": "https://api.deepseek.com",
    "gemini": "https://generativelanguage.googleapis.com",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}


@dataclass(frozen=True, slots=True)
class Model:
    """One name that a gateway serves."""

    name: str
    mode: str  # chat, embedding, image_generation, audio_transcription: LiteLLM's words
    provider: str  # host:port that its calls are for, "" where the config does not tell
    proxy: str = ""  # host:port of the proxy that they go through, "" for none

    @property
    def called(self) -> str:
        """host:port that the module itself connects to."""
        return self.proxy if self.provider and self.proxy else self.provider


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a gateway; its password is not kept."""

    host: str
    port: int
    name: str
    user: str
    sslmode: str = "prefer"

    def service(self, namespace: str) -> tuple[str, str]:
        """Namespace and name of the Service that this host is, as seen from a pod in `namespace`; ("", "") for none."""
        host = self.host.removesuffix(".").removesuffix(".cluster.local").removesuffix(".svc")
        parts = host.split(".")
        if len(parts) > 2 or is_address(host):
            return "", ""
        return (parts[1] if len(parts) == 2 else namespace), parts[0]


def config_of(
    objects: ModuleObjects, namespace: str, spec: Object, workload: str, problems: list[str]
) -> Mapping[str, Any]:
    """LiteLLM's config, out of the ConfigMaps that the pod mounts."""
    import yaml

    from netdoctor.system.plain_yaml import load, trouble

    for volume in spec.get("volumes") or ():
        name = (volume.get("configMap") or {}).get("name", "")
        there = objects.named("ConfigMap", namespace, name) if name else None
        for key, text in data_of(there).items() if there else ():
            if "model_list" not in text:
                continue
            try:
                config = load(text)
            except (yaml.YAMLError, ValueError, RecursionError) as error:
                problems.append(f"{key} of ConfigMap {namespace}/{name} is not YAML: {trouble(error)}")
                continue
            remember_fields(config)
            if isinstance(config, dict):
                return config
            problems.append(f"{key} of ConfigMap {namespace}/{name} is not a LiteLLM config")
    if not any(f"ConfigMap {namespace}/" in problem for problem in problems):
        problems.append(f"{workload} mounts no ConfigMap with a LiteLLM config")
    return {}


def models_of(config: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[Model]:
    """The models of a config; a provider whose variable is not known is unknown, never LiteLLM's default."""
    for entry in config.get("model_list") or ():
        if not isinstance(entry, dict) or not entry.get("model_name"):
            continue
        sent, about = entry.get("litellm_params") or {}, entry.get("model_info") or {}
        prefix, _, rest = str(sent.get("model", "")).partition("/")
        base = sent.get("api_base")
        url = _value(base, environment) if base else PROVIDERS.get(prefix if rest else "openai", "")
        mode = str(about.get("mode", "chat"))
        yield Model(str(entry["model_name"]), mode, endpoint(url), proxy_of(url, environment))


def _value(text: object, environment: Mapping[str, str]) -> str:
    said = str(text)
    return environment.get(said.removeprefix(ENVIRONMENT), "") if said.startswith(ENVIRONMENT) else said


def endpoint(url: str) -> str:
    """host:port of a URL, without user and password; "" for what is not an http URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{host}:{port or usual}" if host and usual else ""


def proxy_of(url: str, environment: Mapping[str, str]) -> str:
    """host:port of the proxy that a client calls this URL through; "" for none.

    By the variables of httpx, LiteLLM's client: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, in either case.
    """
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # not in typeshed

    def variable(name: str) -> str:
        return environment.get(name.lower(), "") or environment.get(name.upper(), "")

    where = endpoint(url)
    if not where or proxy_bypass_environment(where, {"no": variable("no_proxy")}):
        return ""
    return endpoint(variable(f"{urlsplit(url).scheme}_proxy") or variable("all_proxy"))


def login_of(environment: Mapping[str, str]) -> tuple[Database, str] | None:
    """The database and the password that a container's variables name; None where they name none."""
    if url := environment.get("DATABASE_URL"):
        return _of_url(url)
    for host, user, name, password in (
        ("DATABASE_HOST", "DATABASE_USERNAME", "DATABASE_NAME", "DATABASE_PASSWORD"),
        ("PGHOST", "PGUSER", "PGDATABASE", "PGPASSWORD"),
    ):
        if environment.get(host):
            address, _, port = environment[host].partition(":")
            number = port or environment.get("PGPORT", "") or "5432"
            who = environment.get(user, "postgres")
            database = Database(address, int(number) if is_port(number) else 5432, environment.get(name, who), who)
            return database, environment.get(password, "")
    return None


def database_problem_of(environment: Mapping[str, str]) -> str:
    """Why the URL of a container's database cannot be taken apart, in words that hold nothing of it; "" where it can.

    Such a container has a database, and cannot log in to it.
    """
    url = environment.get("DATABASE_URL", "")
    return url_problem(url) if url and _of_url(url) is None else ""


def _of_url(url: str) -> tuple[Database, str] | None:
    if UNKNOWN in url or url_problem(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 5432
    except ValueError:
        return None
    if parts.scheme not in ("postgresql", "postgres") or not host:
        return None
    user, asked = unquote(parts.username or "postgres"), dict(parse_qsl(parts.query)).get("sslmode", "prefer")
    name, mode = unquote(parts.path.lstrip("/")) or user, asked if asked in SSL_MODES else "prefer"
    return Database(host, port, name, user, mode), unquote(parts.password or "")
