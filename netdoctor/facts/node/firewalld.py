"""firewalld: its zones, policies and direct rules, at run time and in the permanent configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.system.clock import utc, written
from netdoctor.system.firewalld_bus import CONFIG, FirewalldBus, firewalld_bus
from netdoctor.system.foreign_text import to_address, to_network
from netdoctor.system.host import Host

ACCEPTS = "ACCEPT"


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone, as it is at run time or in the permanent configuration."""

    name: str
    target: str  # "default" (reject what no rule allows), ACCEPT, DROP, %%REJECT%%
    interfaces: tuple[str, ...]
    sources: tuple[str, ...]
    forward: bool
    masquerade: bool


@dataclass(frozen=True, slots=True)
class Firewalld:
    """firewalld"""

    running: bool
    version: str
    default_zone: str
    zones: Mapping[str, Zone]
    permanent_zones: Mapping[str, Zone]
    accepting_policies: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]  # name, ingress zones, egress zones
    direct: tuple[str, ...]  # in force, in the words of firewall-cmd
    permanent_direct: tuple[str, ...]
    direct_since: str  # when the permanent direct rules were last written, "" where there are none
    started: str  # when its service was started, "" where systemd does not say

    @classmethod
    def collect(cls, host: Host) -> Firewalld:
        """Ask over D-Bus; a firewalld that does not run is not started by asking."""
        if not Path("/run/dbus/system_bus_socket").exists():
            return cls.absent()
        with firewalld_bus() as bus:
            if not bus.is_running():
                return cls.absent()
            return cls._read(bus, host)

    @classmethod
    def absent(cls) -> Firewalld:
        """A host on which firewalld does not run."""
        return cls(False, "", "", {}, {}, (), (), (), "", "")

    @classmethod
    def _read(cls, bus: FirewalldBus, host: Host) -> Firewalld:
        zones = {}
        for name in bus.call("zone", "getZones"):
            zones[name] = zone_of(name, bus.call("zone", "getZoneSettings2", "s", name))
        permanent = {}
        for path in bus.call("config", "listZones", path=CONFIG):
            settings = bus.call("config.zone", "getSettings2", path=path)
            name = str(bus.property("name", "config.zone", path))
            permanent[name] = zone_of(name, settings)
        policies = []
        for name in bus.call("policy", "getPolicies"):
            settings = bus.call("policy", "getPolicySettings", "s", name)
            if _plain(settings.get("target")) == ACCEPTS:
                policies.append((name, _strings(settings, "ingress_zones"), _strings(settings, "egress_zones")))
        return cls(
            running=True,
            version=str(bus.property("version")),
            default_zone=str(bus.call("", "getDefaultZone")),
            zones=zones,
            permanent_zones=permanent,
            accepting_policies=tuple(policies),
            direct=direct_words(
                bus.call("direct", "getAllChains"),
                bus.call("direct", "getAllRules"),
                bus.call("direct", "getAllPassthroughs"),
            ),
            permanent_direct=direct_words(*bus.call("config.direct", "getSettings", path=CONFIG)),
            direct_since=written(Path("/etc/firewalld/direct.xml")),
            started=_started(host),
        )

    @property
    def has_direct_rules(self) -> bool:
        """Whether it has direct rules, chains or passthroughs, at run time or at boot."""
        return bool(self.direct or self.permanent_direct)

    def zone_of_address(self, address: str, interface: str) -> tuple[Zone, str]:
        """The zone that a packet from this address through this interface falls in, and by what.

        A source binding comes before an interface, an interface before the default zone (firewalld.zone(5)); of two
        sources the longer prefix is meant. Raises KeyError where firewalld does not run.
        """
        best: tuple[int, Zone, str] | None = None
        for zone in self.zones.values():
            for source in zone.sources:
                length = _prefix_length(source, address)
                if length is not None and (best is None or length > best[0]):
                    best = (length, zone, f"source {source}")
        if best:
            return best[1], best[2]
        for zone in self.zones.values():
            if interface in zone.interfaces:
                return zone, f"interface {interface}"
        return self.zones[self.default_zone], "the default zone"


def zone_of(name: str, settings: Mapping[str, Any]) -> Zone:
    """A zone from what getZoneSettings2 answers (a{sv}); keys with empty values are left out there."""
    target = str(_plain(settings.get("target")) or "default")
    return Zone(
        name=name,
        target="default" if target == "{chain}_{zone}" else target,
        interfaces=_strings(settings, "interfaces"),
        sources=_strings(settings, "sources"),
        forward=bool(_plain(settings.get("forward"))),
        masquerade=bool(_plain(settings.get("masquerade"))),
    )


def direct_words(chains: Any, rules: Any, passthroughs: Any) -> tuple[str, ...]:
    """Direct chains, rules and passthroughs as the options of firewall-cmd --direct."""
    words = [f"--add-chain {ipv} {table} {chain}" for ipv, table, chain in chains]
    words += [
        f"--add-rule {ipv} {table} {chain} {priority} {' '.join(arguments)}"
        for ipv, table, chain, priority, arguments in rules
    ]
    words += [f"--passthrough {ipv} {' '.join(arguments)}" for ipv, arguments in passthroughs]
    return tuple(words)


def _plain(variant: Any) -> Any:
    return variant[1] if isinstance(variant, tuple) else variant


def _strings(settings: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(item) for item in _plain(settings.get(key)) or ())


def _prefix_length(source: str, address: str) -> int | None:
    try:
        network = to_network(source)
        return network.prefixlen if to_address(address) in network else None
    except ValueError:  # a MAC address or an ipset
        return None


def _started(host: Host) -> str:
    unit = ["systemctl", "show", "firewalld", "--property=ActiveEnterTimestamp", "--value", "--timestamp=unix"]
    try:
        return utc(float(host.run(unit, timeout=2).strip().lstrip("@")))
    except (CannotRead, ValueError):  # no systemd, or one older than 248
        return ""
