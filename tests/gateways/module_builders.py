"""Functions that build what the gateway modules need, with one thing different."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.gateways.gateways import Gateway, Image, Modules, SecretKey
from netdoctor.facts.gateways.images import Images, NodeImage
from netdoctor.facts.gateways.litellm_config import Database, Model
from netdoctor.facts.gateways.postgres_servers import PostgresServer, PostgresServers
from netdoctor.facts.traffic.policy_answers import DNS, PolicyAnswer, PolicyAnswers
from netdoctor.facts.traffic.providers import Provider, Providers
from netdoctor.system.traffic import Answer, Reply
from tests.builders import DNS_ADDRESS, OK, POSTGRES_IP

NO_MODULES = CannotRead("modules", "the cluster has no workload of LiteLLM", Why.NO_MODULES)


def servers(*modules: str, later: tuple[str, ...] = ()) -> PostgresServers:
    """The Service default/postgres, and who has a database there."""
    return PostgresServers(() if later else (PostgresServer("default/postgres", POSTGRES_IP, 5432, modules),), later)


def gateway(name: str = "llm", **changed: Any) -> Gateway:
    built = Gateway(
        name, "litellm", f"deployment/litellm-{name}", 2, {"app": name}, False, 4000, f"litellm-{name}", 30100,
        (Model("gpt-4.1", "chat", "example.com:8080"),),
        Database("postgres.default", 5432, f"litellm_{name}", "litellm"), 10,
    )  # fmt: skip
    return replace(built, **changed)


def modules(*gateways: Gateway, **changed: Any) -> Modules:
    """Module llm (or these), whose database is default/postgres."""
    built = Modules(
        "litellm", True, "k8s", gateways or (gateway(),),
        (Image("docker.io/library/postgres:15.18", "IfNotPresent", ("postgres",)),),
        (SecretKey("litellm", "keys", "PROVIDER_KEY", "there"),), ("litellm/litellm-llm",),
    )  # fmt: skip
    return replace(built, **changed)


def provider(connection: Reply | None = OK, lookup: Reply | None = None, **changed: Any) -> Providers:
    """example.com:8080, called by llm."""
    found = lookup or Reply(Answer.OK, 1.0, "", "93.184.215.14")
    address = found.detail if found.answer is Answer.OK else ""
    tried = connection if address else None
    built = Provider("example.com:8080", ("llm",), "test pod", DNS_ADDRESS, found, address, tried)
    return Providers((replace(built, **changed),))


def images(**changed: Any) -> Images:
    """One image of the modules, which is not on the node."""
    return Images((replace(NodeImage("r.example/app:1", "IfNotPresent", ("litellm-llm",), False), **changed),))


def policy_answers(*closed: str) -> PolicyAnswers:
    """DNS over UDP and TCP for llm, and the transports that litellm/deny does not allow."""
    return PolicyAnswers(
        tuple(
            PolicyAnswer("llm", DNS, protocol, 53, protocol not in closed,
                         ("litellm/deny",) if protocol in closed else ())
            for protocol in ("UDP", "TCP")
        )
    )  # fmt: skip
