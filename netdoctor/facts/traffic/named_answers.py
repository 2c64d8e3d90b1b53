"""What pods get where their variables send them: the hosts of this cluster, asked as the pods themselves ask.

A name is looked up with the pod's own nameserver and search list, a port of the pod itself is connected to. A pod on
the host's network that uses the node's resolvers is asked for from the host; of others there nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.facts.cluster.kubelet_resolvers import resolver_of_node
from netdoctor.facts.gateways.named_hosts import NamedHost
from netdoctor.facts.gateways.pod_environments import PodEnvironment, PodEnvironments
from netdoctor.facts.node.cni import Attachments
from netdoctor.system.host import Host
from netdoctor.system.traffic import Answer, Reply, ask_all, ask_dns, ask_tcp

SECONDS = 1.5
MOST = 12  # hosts that are asked for
OF_ONE_POD = 3
SEARCHED = 5  # names that a search list makes of one
HOSTS = "/etc/hosts"  # the node's, which the kubelet gives to pods on its network too


@dataclass(frozen=True, slots=True)
class NamedAnswer:
    """A host that a pod's variable names, and what the pod gets there."""

    pod: str  # namespace/name
    named: NamedHost
    names: tuple[str, ...]  # what the DNS was asked for, by the pod's search list; none where the pod itself was asked
    reply: Reply  # the first answer with an address, else the first one

    @property
    def has_no_address(self) -> bool:
        """Whether the DNS answered, whatever it said, and gave no address."""
        found = self.reply.answer is Answer.OK and bool(self.reply.detail)
        return bool(self.names) and self.reply.answered and not found

    @property
    def is_unknown(self) -> bool:
        """Whether the DNS answered, and has no address for it."""
        return bool(self.names) and (
            self.reply.answer is Answer.NXDOMAIN or (self.reply.answer is Answer.OK and not self.reply.detail)
        )


@dataclass(frozen=True, slots=True)
class NamedAnswers:
    """answers where the variables of pods send them"""

    added_later: ClassVar[bool] = True

    items: tuple[NamedAnswer, ...]

    @classmethod
    def collect(cls, host: Host, environments: PodEnvironments, attachments: Attachments) -> NamedAnswers:
        """Ask for some hosts of each pod, databases first; nothing is asked of a host outside of the cluster."""
        from_host = [each for each in environments.items if each.host_network and each.uses_node_resolvers]
        on_host = _wanted_on_host(host, from_host) if from_host else ()
        wanted = [*_wanted(environments, attachments), *on_host][:MOST]
        asked = [(each, question) for each in wanted for question in each.questions()]
        replies = ask_all([(each.netns, question) for each, question in asked], SECONDS)
        answers = []
        for each in wanted:
            own = [reply for (asker, _), reply in zip(asked, replies, strict=True) if asker is each]
            answers.append(NamedAnswer(str(each.environment), each.named, each.told or each.names, _best(own)))
        return cls(tuple(answers))

    def of(self, environment: PodEnvironment, named: NamedHost) -> NamedAnswer | None:
        """What a pod got at a host; None where it was not asked."""
        return next((a for a in self.items if a.pod == str(environment) and a.named == named), None)


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """One host to ask for, from where, and under which names."""

    environment: PodEnvironment
    named: NamedHost
    netns: str
    nameserver: str
    names: tuple[str, ...]
    told: tuple[str, ...] = ()  # of the names those that are told: what the node searches is its owner's affair

    def questions(self) -> list[Callable[[], Reply]]:
        """A connection to the pod itself, or a query for each name."""
        if not self.names:
            return [lambda: ask_tcp("127.0.0.1", self.named.port, SECONDS)]
        return [_query(self.nameserver, name) for name in self.names]


def _query(server: str, name: str) -> Callable[[], Reply]:
    return lambda: ask_dns(server, name, SECONDS)


def _wanted(environments: PodEnvironments, attachments: Attachments) -> Iterator[_Wanted]:
    by_uid = {attached.uid: attached for attached in attachments.pods}
    for environment in environments.items:
        attached = by_uid.get(environment.uid)
        if attached is None or environment.host_network:
            continue
        for named in _first_of(environment):
            names = () if named.is_itself else _names(named.host, attached.search)
            if named.port if named.is_itself else (names and attached.nameservers):
                yield _Wanted(environment, named, attached.netns, next(iter(attached.nameservers), ""), names)


def _wanted_on_host(host: Host, environments: list[PodEnvironment]) -> Iterator[_Wanted]:
    """The same for pods on the host's network that use the node's resolvers; no name that the node's own file has."""
    nameserver, search = resolver_of_node(host)
    lines = (line.partition("#")[0].split() for line in (host.read_or_none(HOSTS) or "").splitlines())
    known = {name for words in lines for name in words[1:]}
    for environment in environments if nameserver else ():
        for named in _first_of(environment):
            if not named.is_itself and named.host not in known:
                told = (f"{named.host.rstrip('.')}.",)
                yield _Wanted(environment, named, "", nameserver, _names(named.host, search) or told, told)


def _first_of(environment: PodEnvironment) -> list[NamedHost]:
    """Some of a pod's hosts, databases first."""
    return sorted((h for h in environment.hosts if h.host), key=lambda h: not h.is_database)[:OF_ONE_POD]


def _names(host: str, search: tuple[str, ...]) -> tuple[str, ...]:
    """The full names that a resolver makes of this one."""
    if host.endswith("."):
        return (host,)
    searched = [f"{host}.{domain.rstrip('.')}." for domain in search][:SEARCHED]
    return (*searched, f"{host}.") if "." in host else tuple(searched)


def _best(replies: list[Reply]) -> Reply:
    """The answer with an address, else one that did not come, else the first."""
    found = [reply for reply in replies if reply.answer is Answer.OK and reply.detail]
    lost = [reply for reply in replies if not reply.answered and not found]
    return next(iter((*found, *lost, *replies)))
