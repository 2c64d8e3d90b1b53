"""What is asked for pods on the host's network: by the node's resolver and search list, and its hosts file first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from netdoctor.facts.gateways.named_hosts import NamedHost
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments
from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.traffic import named_answers
from netdoctor.facts.traffic.named_answers import NamedAnswers
from netdoctor.system.host import Host
from netdoctor.system.traffic import Reply
from tests.builders import NXDOMAIN

DATABASE = NamedHost("app", "DATABASE_URL", "postgres.default.svc", 5432)
SHORT, ITSELF = NamedHost("app", "PGHOST", "postgres", 5432), NamedHost("app", "PGHOST", "localhost", 5432)
RESOLV_CONF = "nameserver 192.0.2.53\nnameserver 192.0.2.54\nsearch corp.example\n"


@dataclass(frozen=True)
class Files(Host):
    """A host with a resolv.conf and a hosts file."""

    resolv_conf: str = RESOLV_CONF
    hosts: str = "127.0.0.1 localhost\n"

    def read_or_none(self, path: str | Path) -> str | None:
        return {"/etc/resolv.conf": self.resolv_conf, "/etc/hosts": self.hosts}.get(str(path))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """Namespace, server and name of each query; no query is sent."""
    queries: list[tuple[str, str, str]] = []

    def query(server: str, name: str) -> Callable[[], Reply]:
        queries.append(("", server, name))
        return lambda: NXDOMAIN

    def ask_all(questions: Sequence[tuple[str, Callable[[], Reply]]], _within: float) -> list[Reply]:
        assert all(path == "" for path, _ in questions)
        return [question() for _, question in questions]

    monkeypatch.setattr(named_answers, "_query", query)
    monkeypatch.setattr(named_answers, "ask_all", ask_all)
    return queries


def collected(host: Host, *hosts: NamedHost, policy: str = "ClusterFirst", on_host: bool = True) -> NamedAnswers:
    pod = PodEnvironment("default", "app-1", "u1", on_host, False, True, hosts, (), dns_policy=policy)
    return NamedAnswers.collect(host, PodEnvironments((pod,)), Attachments(()))


def test_the_first_resolver_and_every_domain_are_asked_and_only_the_plain_name_is_told(
    asked: list[tuple[str, str, str]],
) -> None:
    (found,) = collected(Files(), DATABASE).items
    assert [name for _, server, name in asked if server == "192.0.2.53"] == [
        "postgres.default.svc.corp.example.", "postgres.default.svc.",
    ]  # fmt: skip
    assert found.names == ("postgres.default.svc.",)
    assert found.is_unknown


def test_a_short_name_without_a_search_list_is_asked_as_it_is(asked: list[tuple[str, str, str]]) -> None:
    collected(Files(resolv_conf="nameserver 192.0.2.53\n"), SHORT)
    assert [name for *_, name in asked] == ["postgres."]


@pytest.mark.parametrize(
    ("host", "named", "changed"),
    [
        (Files(hosts="10.96.0.50 db postgres.default.svc # by hand\n"), DATABASE, {}),
        (Files(), ITSELF, {}),
        (Files(), DATABASE, {"policy": "ClusterFirstWithHostNet"}),
        (Files(), DATABASE, {"policy": "None"}),
        (Files(), DATABASE, {"policy": ""}),
        (Files(), DATABASE, {"policy": "Default", "on_host": False}),
        (Files(resolv_conf=""), DATABASE, {}),
    ],
    ids=str,
)
def test_nothing_is_asked(
    host: Files, named: NamedHost, changed: dict[str, object], asked: list[tuple[str, str, str]]
) -> None:
    assert collected(host, named, **changed).items == ()  # type: ignore[arg-type]
    assert asked == []


def test_what_the_hosts_file_says_in_a_comment_does_not_count(asked: list[tuple[str, str, str]]) -> None:
    collected(Files(hosts="# 10.96.0.50 postgres.default.svc\n"), DATABASE)
    assert asked
