"""Tracked UDP exchanges of clients with a Service, which the kernel still sends to an endpoint that is gone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.services import EndpointSlices, Service, Services
from netdoctor.facts.cluster.this_node import LocalAddresses
from netdoctor.facts.node.sysctl import TRACKED, Sysctls
from netdoctor.facts.traffic.names import SERVICE_NAME, ClusterDns
from netdoctor.facts.traffic.tracked_entries import LARGEST, can_be_looked_through
from netdoctor.facts.traffic.vantage import HOST
from netdoctor.system.questions import is_own
from netdoctor.twin.wire import conntrack
from netdoctor.twin.wire.conntrack import Established

AGAIN = 1.2  # seconds, after which an entry that no packet meets has less time left
LOOKS = 4  # clients ask again after five seconds, as resolvers do
MODES = ("iptables", "nftables")  # in which kube-proxy translates by tracked connections


@dataclass(frozen=True, slots=True)
class StaleConnection:
    """An exchange whose packets go to an address that is not an endpoint of the Service."""

    source: str
    source_port: int
    service: str  # namespace/name
    address: str  # its ClusterIP
    port: int
    sent_to: str  # where the packets go; the ClusterIP itself where they are not translated


@dataclass(frozen=True, slots=True)
class StaleConnections:
    """tracked connections to endpoints that are gone"""

    items: tuple[StaleConnection, ...]

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(
        cls,
        sysctls: Sysctls,
        kube_proxy: KubeProxy,
        services: Services,
        endpoints: EndpointSlices,
        local: LocalAddresses,
        names: ClusterDns | CannotRead,
    ) -> StaleConnections:
        """Those that packets are still sent on: another one expires by itself. Raises CannotRead.

        The cluster DNS counts only where new queries are answered: else all of them, netdoctor's too, look like that.
        """
        if kube_proxy.mode not in MODES or sysctls[TRACKED] is None:
            raise CannotRead("tracked connections", "kube-proxy does not work by them here", Why.ABSENT)
        if not can_be_looked_through(sysctls):
            raise CannotRead("tracked connections", f"there are more than {LARGEST}", Why.UNSUPPORTED)
        own = [service for service in services.items if service.cluster_ip not in local.addresses]
        translated = [service for service in own if _is_translated(service) and _is_served(service, services, names)]
        found = stale(conntrack.dump(None), translated, endpoints)
        return cls(tuple(_in_use(found, translated, endpoints)) if found else ())


Stale = dict[StaleConnection, int]  # and the seconds after which it expires


def stale(entries: Iterable[bytes], services: Sequence[Service], endpoints: EndpointSlices) -> Stale:
    """The exchanges with a Service that has endpoints, none of which has the address that the packets go to."""
    by_address = {service.cluster_ip: service for service in services}
    of_services = list(conntrack.towards(by_address, entries))
    found = {}
    for each in conntrack.established(of_services, ended=True):
        service = by_address.get(each.destination)
        of_a_client = each.protocol == "udp" and not is_own(each.source, each.source_port)
        if service and of_a_client and _is_stale(each, service, endpoints):
            what = StaleConnection(
                each.source, each.source_port, str(service), each.destination, each.port, each.answers
            )
            found[what] = each.seconds
    return found


def _is_translated(service: Service) -> bool:
    """Whether kube-proxy translates UDP for it on this node."""
    return any(p.protocol == "UDP" for p in service.ports) and not (service.other_proxy or service.node_local)


def _is_served(service: Service, services: Services, names: ClusterDns | CannotRead) -> bool:
    """Whether new queries of pods are answered, where it is the cluster DNS."""
    if service != services.cluster_dns:
        return True
    asked = () if isinstance(names, CannotRead) else names.of(SERVICE_NAME)
    return any(lookup.reply.answered for lookup in asked if lookup.vantage != HOST)


def _is_stale(each: Established, service: Service, endpoints: EndpointSlices) -> bool:
    known = endpoints.by_service.get(str(service), ())
    if str(service) in endpoints.changing or not any(endpoint.ready for endpoint in known):
        return False  # kube-proxy is about to follow, or nobody would answer anyway
    return each.answers not in {endpoint.address for endpoint in known}


def _in_use(found: Stale, services: Sequence[Service], endpoints: EndpointSlices) -> Iterator[StaleConnection]:
    """Those that have more time left than they would have if no packet had come meanwhile."""
    left = dict(found)
    for _ in range(LOOKS):
        time.sleep(AGAIN)
        now = stale(conntrack.dump(None), services, endpoints)
        used = [each for each, seconds in now.items() if each in left and seconds >= left[each]]
        if used:
            yield from used
            return
        left = {each: min(seconds, left.get(each, seconds)) for each, seconds in now.items() if each in left}
        if not left:
            return
