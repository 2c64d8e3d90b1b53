"""A source that firewalld trusts, at run time and in its permanent configuration; no reload, no --direct."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from netdoctor.changes._firewalld_files import contents, is_by_firewalld, is_read, put_back, source_of, without
from netdoctor.changes.file import MODES, FileState, put
from netdoctor.errors import CannotRead, Drifted, NotRehearsable
from netdoctor.model import Access, NotApplicable
from netdoctor.system.firewalld_bus import CONFIG, FirewalldBus, firewalld_bus
from netdoctor.system.foreign_text import to_network
from netdoctor.system.host import Host

ETC_ZONES = "/etc/firewalld/zones"
USR_ZONES = "/usr/lib/firewalld/zones"
ZONE = re.compile(r"[A-Za-z0-9_-]{1,64}")
SEEN_SECONDS, PAUSE = 20.0, 0.1  # a busy firewalld has needed 7 s
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
    given_back: bool = False  # whether the CNI puts each address of this source into the zone itself
    earlier: tuple[str, ...] = ()  # sources that earlier changes of the same repair bind at boot

    @classmethod
    def planned(cls, zone: str, source: str, *, given_back: bool = False, earlier: tuple[str, ...] = ()) -> TrustSource:
        """The change from what is bound now.

        Raises NotApplicable when another zone has the source or firewalld would overwrite somebody's edit, CannotRead.
        """
        path = f"{ETC_ZONES}/{zone}.xml"
        with firewalld_bus() as bus:
            other = str(bus.call("zone", "getZoneOfSource", "s", source))
            if other not in ("", zone):
                raise NotApplicable(f"firewalld has {source} in zone {other}: take it out there first")
            permanent = source in bus.call("config.zone", "getSources", path=_permanent(bus, zone))
            file, backup = FileState.read(path), FileState.read(path + ".old")
            if not permanent and file and not _is_read(bus, zone, file):
                raise NotApplicable(
                    f"firewalld has not read {path} since somebody edited it, and would overwrite the edit: "
                    "wait until it has, or make the edit with `firewall-cmd --permanent`"
                )
        return cls(zone, source, other == zone, permanent, file, backup, given_back, earlier)

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
        if self.given_back:
            lines.append(f" opens nothing new: the CNI's plugin firewall puts each pod into zone {self.zone}")
        return "\n".join(lines)

    def in_short(self) -> list[str]:
        """The source, the zone and the file that firewalld writes."""
        lines = [f"+ {self.describe()}"]
        if not self.at_boot:
            lines.append(f"{'~' if self.file else '+'} {self.path}, written by firewalld")
        return lines

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The zone now, and its file."""
        now = () if self.at_run_time else (("zone{s} of firewalld", self.zone),)
        return (*now, *(() if self.at_boot else (("file{s} of firewalld", self.path),)))

    def opens(self) -> tuple[Access, ...]:
        """What it is meant to open beyond what pods need: all of the node where pods had that from the CNI."""
        return (Access.POD_TO_OTHER_PORT,) if self.given_back else ()

    def check(self, host: Host) -> None:  # noqa: ARG002 - the protocol's
        """Raise Drifted unless the source and the zone's file are still as planned. Raises CannotRead."""
        try:
            now = TrustSource.planned(self.zone, self.source, given_back=self.given_back, earlier=self.earlier)
        except NotApplicable as why:
            raise Drifted(str(why)) from why
        if self._has_earlier(now.file) and self._is_ours_alone(now.file):
            now = replace(now, file=self.file, backup=self.backup)  # firewalld has written both for the earlier ones
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
            raise NotRehearsable(f"what firewalld's zone {self.zone} does to a source is known only to firewalld")
        family = f"ip{'6' if to_network(self.source).version == 6 else ''}"
        rules = []
        for base, zone in CHAINS.items():
            rules.append(f"insert rule inet {TABLE} {base} {family} saddr {self.source} accept")
            with suppress(CannotRead):  # a zone that is not in use has no chains, and no rules of its own either
                host.run(["nft", "list", "chain", "inet", TABLE, zone])
                rules.append(f"insert rule inet {TABLE} {base} {family} saddr {self.source} jump {zone}")
        host.run(["nft", "-f", "-"], stdin="\n".join(rules) + "\n")

    def is_of_netdoctor(self) -> bool:
        """Whether zone and source are ones, and nothing that could run as another is put back."""
        modes = [state.mode for state in (self.file, self.backup) if state]
        try:
            for source in (self.source, *self.earlier):
                to_network(source)
        except ValueError:
            return False
        return (
            not any("%" in source for source in (self.source, *self.earlier))
            and ZONE.fullmatch(self.zone) is not None
            and not any(mode & ~MODES for mode in modes)
        )

    def undo(self, host: Host) -> str | None:  # noqa: ARG002 - the protocol's
        """Unbind it, and put the files back where nobody else has changed them; else take only the source out.

        Raises Drifted when another zone has the source by now or it cannot be taken out alone, CannotRead.
        """
        if Path("/run/dbus/system_bus_socket").exists():
            with firewalld_bus() as bus:
                if bus.is_running():
                    self._undo_run_time(bus)
                    return self._undo_permanent(bus)
        return None if self.at_boot else self._undo_file()

    def _undo_run_time(self, bus: FirewalldBus) -> None:
        if self.at_run_time:
            return
        zone = str(bus.call("zone", "getZoneOfSource", "s", self.source))
        if zone == self.zone:
            bus.call("zone", "removeSource", "ss", self.zone, self.source)
        elif zone:
            raise Drifted(f"somebody has moved {self.source} to firewalld's zone {zone} since")

    def _undo_permanent(self, bus: FirewalldBus) -> str | None:
        if self.at_boot:
            return None
        now = FileState.read(self.path)
        by_hand = now is not None and not (is_by_firewalld(now) and _is_read(bus, self.zone, now))
        if by_hand and now != self.file:  # it would lose what was written by hand
            said = self._undo_file()
            self._wait_until_it_is_read(bus)
            return said
        ours_alone, earlier = self._is_ours_alone(now), self._has_earlier(now)
        may_forget = ours_alone and self.file is None and not earlier
        self._take_source_out(bus, may_forget)
        if ours_alone:
            if not earlier:  # else the undo of those does it
                self._restore_files()
            return None
        return f"{self.path}: somebody has changed it since, so only {self.source} is taken out"

    def _take_source_out(self, bus: FirewalldBus, may_forget: bool) -> None:
        """Take the source out of the zone for good; `may_forget`: its file is ours alone. Raises CannotRead."""
        path = _permanent(bus, self.zone)
        if self.source not in bus.call("config.zone", "getSources", path=path):
            return
        if may_forget:
            # firewalld forgets the file, and goes back to its own zone at once; to a deleted file it is blind
            with suppress(CannotRead):
                bus.call("config.zone", "loadDefaults", path=path)
        path = _permanent(bus, self.zone)
        if self.source in bus.call("config.zone", "getSources", path=path):
            bus.call("config.zone", "removeSource", "s", self.source, path=path)

    def _wait_until_it_is_read(self, bus: FirewalldBus) -> None:
        """Wait until firewalld has seen that the source is gone from the file. Raises CannotRead."""
        end = time.monotonic() + SEEN_SECONDS
        while self.source in bus.call("config.zone", "getSources", path=_permanent(bus, self.zone)):
            if time.monotonic() > end:
                raise CannotRead(self.path, "firewalld has not read it again; `firewall-cmd --reload` makes it do so")
            time.sleep(PAUSE)

    def _undo_file(self) -> str | None:
        """The zone's file where no firewalld writes it. Raises Drifted, CannotRead."""
        now = FileState.read(self.path)
        alone = self._is_ours_alone(now)
        if alone and not self._has_earlier(now):
            self._restore_files()
            return None
        said = f"so only {self.source} is taken out"
        if now is None or source_of(self.source) not in contents(now)[1]:
            said = f"and {self.source} is no longer in it"
        else:
            put(self.path, without(now, self.source))
        # what earlier changes of the repair have bound goes with their undo
        return None if alone else f"{self.path}: somebody has changed it since, {said}"

    def _restore_files(self) -> None:
        put_back(self.path, FileState.read(self.path), self.file)
        backup = FileState.read(self.path + ".old")
        if backup is None or self._is_ours_alone(backup):  # firewalld's, of the file as it was or as we made it
            put_back(self.path + ".old", backup, self.backup)

    def _is_ours_alone(self, now: FileState | None) -> bool:
        """Whether this differs from what the zone's file was by the repair's sources only: else it is not ours."""
        if now is None or (self.file and now.data == self.file.data):
            return now is not None or self.file is None
        before = self.file or FileState.read(f"{USR_ZONES}/{self.zone}.xml")
        if before is None or not is_by_firewalld(now):
            return False
        attributes, elements = contents(now)
        was, ours = contents(before), {source_of(source) for source in (self.source, *self.earlier)}
        return (attributes, elements - ours) == (was[0], was[1] - ours)

    def _has_earlier(self, now: FileState | None) -> bool:
        """Whether a source is in the zone's file that an earlier change of the repair has bound."""
        return now is not None and any(source_of(source) in contents(now)[1] for source in self.earlier)


def _is_read(bus: FirewalldBus, zone: str, file: FileState) -> bool:
    return is_read(file, bus.call("config.zone", "getSettings2", path=_permanent(bus, zone)))


def _permanent(bus: FirewalldBus, zone: str) -> str:
    return str(bus.call("config", "getZoneByName", "s", zone, path=CONFIG))
