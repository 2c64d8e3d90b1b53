"""kube-proxy, made to write its rules again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.changes import _conntrack, _iptables_nat
from netdoctor.errors import CannotRead, Drifted, NotRehearsable
from netdoctor.facts.cluster.kube_proxy_pod import kube_proxy_pod, pods_now
from netdoctor.facts.cluster.translated import Translated
from netdoctor.facts.node.kube_proxy_rules import Port
from netdoctor.system.foreign_text import to_address
from netdoctor.system.host import Host
from netdoctor.system.kube_api import connect

RULES_SECONDS = 35.0  # a second is usual; kube-proxy's own look at its rules comes every 30 s
PAUSE = 0.1
PROTOCOLS = ("tcp", "udp", "sctp")
Translation = tuple[str, str, int, str, int]  # ClusterIP, protocol, port, an endpoint's address and port


@dataclass(frozen=True, slots=True)
class ResyncKubeProxy:
    """Delete kube-proxy's pod on this node; its successor writes all rules when it starts."""

    needs_the_node: ClassVar[bool] = True
    kind: ClassVar[str] = "kube-proxy-resync"
    pod: str  # namespace/name
    mode: str  # of kube-proxy: where its rules stand
    ports: tuple[Port, ...]  # of ClusterIPs, whose rules must be back
    forgets: bool  # whether connections that were not translated can be forgotten: the kernel says which it tracks
    translations: tuple[Translation, ...] = ()  # what its rules will do, for a rehearsal
    node_ports: tuple[tuple[str, int], ...] = ()  # protocol and number, whose rules must be back
    uid: str = ""  # of the pod: another one of its name is not deleted
    node: str = ""
    stale: tuple[tuple[str, str, int, str], ...] = ()  # a ClusterIP's port, and where no rule may lead it any more

    @classmethod
    def planned(
        cls,
        pod: str,
        mode: str,
        ports: tuple[Port, ...],
        node_ports: tuple[tuple[str, int], ...] = (),
        translations: tuple[Translation, ...] = (),
        *,
        uid: str,
        node: str,
        stale: tuple[tuple[str, str, int, str], ...] = (),
    ) -> ResyncKubeProxy:
        """The change for this pod (namespace/name) of a node, the ports that lack rules, and what its rules will do."""
        return cls(pod, mode, ports, _conntrack.available(), translations, node_ports, uid, node, stale)

    @property
    def _path(self) -> str:
        namespace, _, name = self.pod.partition("/")
        return f"/api/v1/namespaces/{namespace}/pods/{name}"

    def describe(self) -> str:
        """One line: what will be different."""
        return f"kube-proxy's rules are written again, by replacing its pod {self.pod}"

    def diff(self) -> str:
        """What a person would type."""
        namespace, _, name = self.pod.partition("/")
        ports = [f"{address}:{port}/{protocol}" for address, protocol, port in self.ports]
        ports += [f"NodePort {port}/{protocol}" for protocol, port in self.node_ports]
        ports += [f"{address}:{port}/{protocol}, not to {end}" for address, protocol, port, end in self.stale]
        lines = [f"+kubectl -n {namespace} delete pod {name}", f" wait for the rules of {', '.join(ports)}"]
        if self.forgets:
            lines.append("+conntrack -D -d IP -r IP   for each ClusterIP: connections that no rule translated")
        else:
            lines.append(" connections that no rule translated stay for two minutes: the kernel does not list them")
        return "\n".join(lines)

    def in_short(self) -> list[str]:
        """The pod, and how many rules are waited for."""
        count = len(self.ports) + len(self.node_ports)
        lack = "1 port lacks its own" if count == 1 else f"{count} ports lack theirs"
        if self.stale:
            lack = f"{', '.join(sorted({end for *_, end in self.stale}))} is not an endpoint"
        lines = [f"~ pod {self.pod} is replaced, and the new one writes all rules: {lack}"]
        return [*lines, "- connections that no rule translated are forgotten (conntrack)"] if self.forgets else lines

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The pod."""
        return (("pod{s} replaced", self.pod),)

    def left_alone(self) -> str:
        """What undo does not restore."""
        return "the rules are kube-proxy's own: undo leaves them as kube-proxy wrote them"

    def check(self, host: Host) -> None:
        """Raise Drifted unless it is still the pod of kube-proxy's DaemonSet and its template. Raises CannotRead."""
        api = connect(host)
        found = kube_proxy_pod(api, pods_now(api, self.node), self.node)
        if found is None or not self.uid or found.pod.uid != self.uid:
            raise Drifted(f"pod {self.pod} has been replaced since the repair was planned")
        if found.keep:
            raise Drifted(f"pod {self.pod} is not deleted: {found.keep}")

    def apply(self, host: Host) -> None:
        """Delete the pod, wait for the rules, forget connections they did not see. Raises CannotRead."""
        connect(host).delete(self._path, grace_seconds=1, uid=self.uid)
        end = time.monotonic() + RULES_SECONDS
        while not self._back(there := Translated.read(host, self.mode)):
            if time.monotonic() > end:
                raise CannotRead("kube-proxy", f"it has not written its rules within {RULES_SECONDS:g} s")
            time.sleep(PAUSE)
        addresses = {address for address, _, _ in there.ports}
        _conntrack.forget(host, lambda c: c.destination in addresses and c.reply_source == c.destination)

    def _back(self, there: Translated) -> bool:
        whole = {*self.ports} <= {*there.ports} and {*self.node_ports} <= {*there.node_ports}
        return there.entered and whole and not {*self.stale} & {*there.ends}

    def rehearse(self, host: Host) -> None:
        """Write rules into the copy that translate as kube-proxy's do. Raises CannotRead, NotRehearsable."""
        if not self.translations:
            raise NotRehearsable("which endpoints kube-proxy's rules lead to is not known")
        translate(host, self.translations, earlier=1 if self.stale else 0)

    def undo(self, host: Host) -> None:
        """Nothing: the rules are kube-proxy's."""


def translate(host: Host, translations: Iterable[Translation], earlier: int = 0) -> None:
    """Have a table of our own translate these, as kube-proxy's would: for copies of a node. Raises CannotRead.

    `earlier`: by how much before kube-proxy's own priority.
    """
    translations = list(translations)
    by_iptables = _iptables_nat.needed()
    for family, version in (("ip", 4), ("ip6", 6)):
        ends, endpoints = _ends_of_family(translations, version)
        if not ends:
            continue
        if by_iptables:
            _iptables_nat.translate(host, family, [(*key, end) for key, end in ends.items()], dict.fromkeys(endpoints))
        else:
            script = _as_nft(family, ends, endpoints, earlier)
            host.run(["nft", "-f", "-"], timeout=5, stdin=script)


def _ends_of_family(
    translations: Iterable[Translation], version: int
) -> tuple[dict[tuple[str, str, int], str], list[str]]:
    """The end that each ClusterIP, protocol and port is translated to, and the addresses of all endpoints."""
    ends: dict[tuple[str, str, int], str] = {}
    endpoints: list[str] = []
    for cluster_ip, protocol, port, address, target in translations:
        of_family = to_address(cluster_ip).version == version
        to_address(address)  # raises ValueError for what is none: nft reads a script
        if protocol not in PROTOCOLS or not of_family:
            continue
        end = f"[{address}]:{target}" if version == 6 else f"{address}:{target}"
        ends.setdefault((cluster_ip, protocol, port), end)  # the first endpoint is as good as any
        endpoints.append(address)
    return ends, endpoints


def _as_nft(family: str, ends: dict[tuple[str, str, int], str], endpoints: list[str], earlier: int) -> str:
    """A script that has nft make the table."""
    rules = [f"{family} daddr {ip} {protocol} dport {port} dnat to {end}" for (ip, protocol, port), end in ends.items()]
    # a pod that asks itself
    back = [f"{family} saddr {address} {family} daddr {address} masquerade" for address in endpoints]
    lines = [f"table {family} netdoctor_services {{"]
    for hook in ("prerouting", "output"):
        lines += [f"chain {hook} {{ type nat hook {hook} priority {-100 - earlier};", *rules, "}"]
    lines += ["chain postrouting { type nat hook postrouting priority 100;", *dict.fromkeys(back), "}", "}"]
    return "\n".join(lines) + "\n"
