"""Whether each endpoint of the API server's Service answers: pods are led to one of them at random."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from netdoctor.facts.cluster.services import EndpointSlices, Services
from netdoctor.facts.traffic.vantage import HOST
from netdoctor.model import Evidence
from netdoctor.system.traffic import Reply, ask_all, ask_tcp
from netdoctor.values import Values

SECONDS = 1.2  # longer than the first SYN's retransmission
MOST = 5  # control planes that are asked


@dataclass(frozen=True, slots=True)
class ApiEndpoint:
    """One endpoint, and its reply to this host."""

    address: str
    port: int
    reply: Reply

    def evidence(self) -> Evidence:
        """How it ended, as evidence."""
        data = Values(address=self.address, port=self.port, protocol="tcp", answer=str(self.reply.answer))
        return Evidence(f"{HOST} -> {self.address}:{self.port}", str(self.reply), "connected", data)


@dataclass(frozen=True, slots=True)
class ApiEndpoints:
    """endpoints of the API server's Service"""

    added_later: ClassVar[bool] = True
    items: tuple[ApiEndpoint, ...]

    @classmethod
    def collect(cls, services: Services, endpoints: EndpointSlices) -> ApiEndpoints:
        """Connect to each from this host, all at once. Raises CannotRead."""
        service = services.named("default", "kubernetes")
        ready = endpoints.ready(service)[:MOST] if service else ()
        asked = [("", partial(ask_tcp, end.address, end.port, SECONDS)) for end in ready]
        replies = ask_all(asked, SECONDS)
        return cls(tuple(ApiEndpoint(e.address, e.port, r) for e, r in zip(ready, replies, strict=True)))
