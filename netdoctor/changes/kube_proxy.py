"""kube-proxy, made to write its rules again."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.changes import _conntrack
from netdoctor.errors import CannotRead, Drifted
from netdoctor.facts.iptables import Ruleset
from netdoctor.host import Host
from netdoctor.kube_api import connect

RULES_SECONDS = 35.0  # a second is usual; kube-proxy's own look at its rules comes every 30 s
PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class ResyncKubeProxy:
    """Delete kube-proxy's pod on this node; its successor writes all rules when it starts."""

    kind: ClassVar[str] = "kube-proxy-resync"
    pod: str  # namespace/name
    cluster_ips: tuple[str, ...]  # whose rules must be back
    forgets: bool  # whether connections that were not translated can be forgotten: the conntrack tool is there

    @classmethod
    def planned(cls, pod: str, cluster_ips: tuple[str, ...]) -> ResyncKubeProxy:
        """The change for this pod (namespace/name) and the ClusterIPs that lack rules."""
        return cls(pod, cluster_ips, _conntrack.available())

    @property
    def _path(self) -> str:
        namespace, _, name = self.pod.partition("/")
        return f"/api/v1/namespaces/{namespace}/pods/{name}"

    def describe(self) -> str:
        """One line: what will be different."""
        return f"kube-proxy writes its rules again: delete pod {self.pod}, its DaemonSet makes a new one"

    def diff(self) -> str:
        """What a person would type."""
        namespace, _, name = self.pod.partition("/")
        lines = [f"+kubectl -n {namespace} delete pod {name}", f" wait for the rules of {', '.join(self.cluster_ips)}"]
        if self.forgets:
            lines.append("+conntrack -D -d IP -r IP   for each ClusterIP: connections that no rule translated")
        else:
            lines.append(" connections that no rule translated stay for two minutes: no conntrack tool is installed")
        return "\n".join(lines)

    def left_alone(self) -> str:
        """What undo does not restore."""
        return "the rules are kube-proxy's own: undo leaves them as kube-proxy wrote them"

    def check(self, host: Host) -> None:
        """Raise Drifted if the pod is gone. Raises CannotRead."""
        if connect(host).find(self._path) is None:
            raise Drifted(f"pod {self.pod} has been replaced since the repair was planned")

    def apply(self, host: Host) -> None:
        """Delete the pod, wait for the rules, forget connections they did not see. Raises CannotRead."""
        connect(host).delete(self._path, grace_seconds=1)
        end = time.monotonic() + RULES_SECONDS
        while not {*self.cluster_ips} <= (there := translated(host)):
            if time.monotonic() > end:
                raise CannotRead("kube-proxy", f"it has not written its rules within {RULES_SECONDS:g} s")
            time.sleep(PAUSE)
        _conntrack.forget(host, lambda c: c.destination in there and c.reply_source == c.destination)

    def undo(self, host: Host) -> None:
        """Nothing: the rules are kube-proxy's."""


def translated(host: Host) -> set[str]:
    """The ClusterIPs that nat KUBE-SERVICES has rules for. Raises CannotRead."""
    rules = Ruleset.parse(host.run(["iptables-nft-save", "-t", "nat"], timeout=5))
    return {m[1] for rule in rules.rules("nat", "KUBE-SERVICES") if (m := re.search(r" -d ([\d.]+)/32", rule))}
