"""Where IPv6 is off: of the node, of interfaces that are made, of the bridge that joins the pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.sysctl import path_of
from netdoctor.model import Evidence
from netdoctor.system.host import Host
from netdoctor.values import Values


@dataclass(frozen=True, slots=True)
class Ipv6Switches:
    """whether IPv6 is off"""

    values: Mapping[str, str]  # by the setting; one that the kernel does not have is left out

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, host: Host, cni: CniConfig) -> Ipv6Switches:
        """disable_ipv6 of all, default and the bridge. A kernel without IPv6 has none of them."""
        bridge = (cni.bridge.replace(".", "/"),) if cni.bridge else ()
        names = dict.fromkeys(("all", "default", *bridge))
        keys = [f"net.ipv6.conf.{name}.disable_ipv6" for name in names]
        found = {key: host.read_or_none(path_of(key)) for key in keys}
        return cls({key: text.strip() for key, text in found.items() if text is not None})

    @property
    def off(self) -> tuple[str, ...]:
        """The settings by which IPv6 is off."""
        return tuple(key for key, value in self.values.items() if value == "1")

    def evidence(self) -> tuple[Evidence, ...]:
        """Where it is off; that the kernel has no IPv6 where it has no setting."""
        if not self.values:
            return (Evidence("/proc/sys/net/ipv6", "the kernel has no IPv6", "IPv6"),)
        return tuple(Evidence(path_of(key), "1", "0", Values(setting=key, value="1", expected="0")) for key in self.off)
