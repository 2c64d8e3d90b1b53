"""A source that firewalld trusts, at run time and in its permanent configuration; no reload, no --direct."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from netdoctor.changes.file import FileState, put
from netdoctor.errors import CannotRead, Drifted, NotRehearsable
from netdoctor.firewalld_bus import CONFIG, FirewalldBus, firewalld_bus
from netdoctor.foreign_text import to_network
from netdoctor.host import Host
from netdoctor.model import NotApplicable

ETC_ZONES = "/etc/firewalld/zones"
USR_ZONES = "/usr/lib/firewalld/zones"
TABLE = "firewalld"
# the base chains that zones are entered from, and zone trusted's own
CHAINS = {"filter_INPUT": "filter_IN_trusted", "filter_FORWARD": "filter_FWD_trusted"}


@dataclass(frozen=True, slots=True)
class TrustSource:
    """Bind a source to a zone, now and at boot."""

    kind: ClassVar[str] = "firewalld-source"
    zone: str
    source: str
    at_run_time: bool  # whether it was bound already
    at_boot: bool
    file: FileState | None  # the zone's file below /etc
    backup: FileState | None  # firewalld's own .old beside it

    @classmethod
    def planned(cls, zone: str, source: str) -> TrustSource:
        """The change from what is bound now. Raises NotApplicable when another zone has the source, CannotRead."""
        with firewalld_bus() as bus:
            other = str(bus.call("zone", "getZoneOfSource", "s", source))
            if other not in ("", zone):
                raise NotApplicable(f"firewalld has {source} in zone {other}: take it out there first")
            permanent = source in bus.call("config.zone", "getSources", path=_permanent(bus, zone))
        path = f"{ETC_ZONES}/{zone}.xml"
        return cls(zone, source, other == zone, permanent, FileState.read(path), FileState.read(path + ".old"))

    @property
    def path(self) -> str:
        """The zone's file below /etc."""
        return f"{ETC_ZONES}/{self.zone}.xml"

    def describe(self) -> str:
        """One line: what will be different."""
        when = " and ".join(word for word, there in (("now", self.at_run_time), ("at boot", self.at_boot)) if not there)
        return f"firewalld: {self.source} in zone {self.zone}, {when} (no reload)"

    def diff(self) -> str:
        """What a person would type, and the file that firewalld writes."""
        lines = [] if self.at_run_time else [f"+firewall-cmd --zone={self.zone} --add-source={self.source}"]
        if not self.at_boot:
            lines.append(f"+firewall-cmd --permanent --zone={self.zone} --add-source={self.source}")
            lines.append(f" {self.path}: {'changed' if self.file else 'created'} by firewalld")
        return "\n".join(lines)

    def check(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Raise Drifted unless the source and the zone's file are still as planned. Raises CannotRead."""
        try:
            now = TrustSource.planned(self.zone, self.source)
        except NotApplicable as why:
            raise Drifted(str(why)) from why
        if now != self:
            raise Drifted(f"firewalld's zone {self.zone} has changed since the repair was planned")

    def apply(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Bind it, at run time first. Raises CannotRead."""
        with firewalld_bus() as bus:
            self.apply_over(bus)

    def apply_over(self, bus: FirewalldBus) -> None:
        """Bind it in the firewalld on this bus, at run time first. Raises CannotRead."""
        if not self.at_run_time and not bus.call("zone", "querySource", "ss", self.zone, self.source):
            bus.call("zone", "addSource", "ss", self.zone, self.source)
        if not self.at_boot:
            path = _permanent(bus, self.zone)
            if self.source not in bus.call("config.zone", "getSources", path=path):
                bus.call("config.zone", "addSource", "s", self.source, path=path)

    def rehearse(self, host: Host) -> None:
        """In the copy's rules: what comes from the source goes to zone trusted's chains. Raises NotRehearsable."""
        if self.at_run_time:
            return
        if self.zone != "trusted":
            raise NotRehearsable(f"what firewalld's zone {self.zone} does to a source is firewalld's to say")
        family = f"ip{'6' if to_network(self.source).version == 6 else ''}"
        rules = []
        for base, zone in CHAINS.items():
            rules.append(f"insert rule inet {TABLE} {base} {family} saddr {self.source} accept")
            with suppress(CannotRead):  # a zone that is not in use has no chains, and no rules of its own either
                host.run(["nft", "list", "chain", "inet", TABLE, zone])
                rules.append(f"insert rule inet {TABLE} {base} {family} saddr {self.source} jump {zone}")
        host.run(["nft", "-f", "-"], stdin="\n".join(rules) + "\n")

    def undo(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Unbind it and put the files back. Raises Drifted when another zone has the source by now, CannotRead."""
        running = Path("/run/dbus/system_bus_socket").exists()
        if running:
            with firewalld_bus() as bus:
                running = bus.is_running()
                if running:
                    self._undo_run_time(bus)
                    self._undo_permanent(bus)
        if not running and not self.at_boot:
            self._restore_files()

    def _undo_run_time(self, bus: FirewalldBus) -> None:
        if self.at_run_time:
            return
        zone = str(bus.call("zone", "getZoneOfSource", "s", self.source))
        if zone == self.zone:
            bus.call("zone", "removeSource", "ss", self.zone, self.source)
        elif zone:
            raise Drifted(f"somebody has moved {self.source} to firewalld's zone {zone} since")

    def _undo_permanent(self, bus: FirewalldBus) -> None:
        if self.at_boot:
            return
        ours_alone = self._is_ours_alone()
        path = _permanent(bus, self.zone)
        if self.source in bus.call("config.zone", "getSources", path=path):
            if ours_alone and self.file is None:
                # firewalld forgets the file, and goes back to its own zone at once; to a deleted file it is blind
                with suppress(CannotRead):
                    bus.call("config.zone", "loadDefaults", path=path)
            path = _permanent(bus, self.zone)
            if self.source in bus.call("config.zone", "getSources", path=path):
                bus.call("config.zone", "removeSource", "s", self.source, path=path)
        if ours_alone:
            self._restore_files()

    def _restore_files(self) -> None:
        for path, was in ((self.path, self.file), (self.path + ".old", self.backup)):
            if FileState.read(path) != was:
                put(path, was)

    def _is_ours_alone(self) -> bool:
        """Whether the zone's file differs from what it was by our source only: else it is not ours to put back."""
        now = FileState.read(self.path)
        if now is None or now == self.file:
            return True
        before = self.file or FileState.read(f"{USR_ZONES}/{self.zone}.xml")
        mine = ("source", (("address", self.source),), "")
        return before is not None and _elements(now) - {mine} == _elements(before)


def _permanent(bus: FirewalldBus, zone: str) -> str:
    return str(bus.call("config", "getZoneByName", "s", zone, path=CONFIG))


def _elements(state: FileState) -> set[tuple[str, tuple[tuple[str, str], ...], str]]:
    """A file's elements, whatever their order and indentation. Raises Drifted for what is no XML."""
    try:
        root = ElementTree.fromstring(state.text.encode())
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the latter two by its declared encoding
        raise Drifted(f"somebody has written a zone file that is no XML: {error}") from error
    return {(e.tag, tuple(sorted(e.attrib.items())), (e.text or "").strip()) for e in root.iter()}
