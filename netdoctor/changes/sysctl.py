"""A network setting of the kernel, with the settings that the kernel changes along with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from netdoctor.changes import _bridged
from netdoctor.changes.file import is_of_netdoctor
from netdoctor.errors import BadInput, CannotRead, Drifted, NotRehearsable
from netdoctor.facts.node.sysctl import SysctlFiles, matches, path_of
from netdoctor.system.host import Host
from netdoctor.twin.state import State

KEY = re.compile(r"net(\.[A-Za-z0-9_@-]+(/[A-Za-z0-9_@-]+)*)+")
# writing one of these makes the kernel write others: devinet.c inet_forward_change, addrconf.c addrconf_forward_change
FOLLOWERS = {
    "net.ipv4.ip_forward": ("ipv4/conf/*/forwarding", "ipv4/conf/all/accept_redirects"),
    "net.ipv4.conf.all.forwarding": ("ipv4/conf/*/forwarding", "ipv4/conf/all/accept_redirects"),
    "net.ipv6.conf.all.forwarding": ("ipv6/conf/*/forwarding",),
}
OF_INTERFACE = re.compile(r"net\.ipv[46]\.(?:conf|neigh)\.(?!all\.|default\.)(.+)\.[^.]+")
SAME = {"net.ipv4.ip_forward": "net/ipv4/conf/all/forwarding", "net.ipv4.conf.all.forwarding": "net/ipv4/ip_forward"}


def _follows(path: str, key: str) -> bool:
    """Whether the kernel changes this file of /proc/sys/net along with the setting."""
    here = not {".", ".."} & {*path.split("/")}
    return here and any(matches(path, f"/proc/sys/net/{each}") for each in FOLLOWERS.get(key, ()))


def _given(path: str, value: str) -> str:
    """What the kernel writes into a follower when its key becomes `value`."""
    return str(int(value == "0")) if path.endswith("/accept_redirects") else value


def _write(path: str, value: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:  # noqa: PTH123 - write_text would try to truncate
            file.write(value)
    except OSError as error:
        raise CannotRead.of(path, error, f"cannot be set to {value}: ") from error


@dataclass(frozen=True, slots=True)
class SetSysctl:
    """Set a net.* sysctl until the next boot."""

    until_boot: ClassVar[bool] = True
    kind: ClassVar[str] = "sysctl"
    key: str
    value: str
    was: str | None  # None: it comes with a module that an earlier change loads
    followers: tuple[tuple[str, str], ...] = ()  # path, value: what the kernel changes along with it
    at_boot: str | None = None  # what files of others said for the next boot

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise BadInput(f"{self.key} is not a net.* sysctl")
        for path, _ in self.followers:  # a journal may name any
            if not _follows(path, self.key):
                raise BadInput(f"{path} is not a setting that {self.key} changes along with it")

    @classmethod
    def planned(cls, host: Host, key: str, value: str, recorded: str | None = None) -> SetSysctl:
        """The change from what is set now; on a recorded node from `recorded`, its value there. Raises CannotRead."""
        if not host.live:
            return cls(key, value, recorded)
        was = host.read_or_none(path_of(key))
        followers = tuple(_followers_now(host, key).items())
        return cls(key, value, None if was is None else was.strip(), followers, _said_by_others(host, key)[1])

    def describe(self) -> str:
        """One line: what will be different."""
        return f"set {self.key} to {self.value}, now"

    def diff(self) -> str:
        """The setting before and after, and how many follow it."""
        lines = [f"-{self.key} = {'(no such setting yet)' if self.was is None else self.was}"]
        lines.append(f"+{self.key} = {self.value}")
        if self.followers:
            lines.append(f" the kernel sets {len(self.followers)} others along with it; undo restores each of them")
        return "\n".join(lines)

    def in_short(self) -> list[str]:
        """The setting before and after."""
        was, becomes, *rest = self.diff().splitlines()
        return [f"- {was[1:]}", f"+ {becomes[1:]}, now", *(f"  {line[1:]}" for line in rest)]

    def touched(self) -> tuple[tuple[str, str], ...]:
        """The setting."""
        return (("kernel setting{s}", self.key),)

    def _now(self, host: Host) -> str | None:
        text = host.read_or_none(path_of(self.key))
        return None if text is None else text.strip()

    @property
    def _bearer(self) -> str:
        """What has to be there for the setting to be."""
        interface = OF_INTERFACE.fullmatch(self.key)
        return f"interface {interface[1].replace('/', '.')}" if interface else "what the setting belongs to"

    def check(self, host: Host) -> None:
        """Raise Drifted unless the setting and its followers are still as planned. Raises CannotRead."""
        now = self._now(host)
        if self.was is not None and now != self.was:
            gone = f"{self._bearer} is gone: {self.key} no longer exists"
            raise Drifted(
                f"{gone if now is None else f'{self.key} is {now}'}, and it was {self.was} when the repair was planned"
            )
        followers = _followers_now(host, self.key)
        for path, value in self.followers:
            if followers.get(path, value) != value:
                raise Drifted(f"{path} is {followers[path]}, and it was {value} when the repair was planned")

    def apply(self, host: Host) -> None:
        """Set it. Raises CannotRead."""
        if self._now(host) != self.value:
            _write(path_of(self.key), self.value)

    def touches_no_way(self, state: State) -> str:
        """Why setting it changes nothing for a packet that is not between pods; "" where it may, or a copy shows it."""
        absent = self.was is None and self.key.removeprefix("net.").replace(".", "/") not in state.node.sysctls
        return _bridged.pods_alone(state) if absent and self.key.startswith(_bridged.SETTINGS) else ""

    def not_shown(self, state: State) -> str:
        """What it changes and no copy shows; "" where a copy shows all of it."""
        return _bridged.others_ports(state) if self.key.startswith(_bridged.SETTINGS) and self.value != "0" else ""

    def rehearse(self, host: Host) -> None:
        """Set it in the copy. Raises NotRehearsable for a setting that is the whole machine's."""
        if self._now(host) is None:
            raise NotRehearsable(f"{self.key} is not a setting of a network namespace")
        try:
            self.apply(host)
        except CannotRead as error:  # shown in every namespace, and the machine's own
            raise NotRehearsable(str(error)) from error

    def undo(self, host: Host) -> str | None:
        """Set it back, and what followed it; what somebody has set since stays, and is told.

        Raises Drifted when the setting itself is neither the old value nor ours, CannotRead.
        """
        now = self._now(host)
        if self.was is None or now is None:
            return None  # it goes with the module that brought it
        if now not in (self.was, self.value):
            remade = f", or {self._bearer} was recreated," if OF_INTERFACE.fullmatch(self.key) else ""
            raise Drifted(
                f"{self.key} is {now}: somebody has changed it{remade} since netdoctor set it to {self.value}"
            )
        file, said = _said_by_others(host, self.key)
        if now == self.value and said == self.value != self.at_boot:
            return f"{self.key} = {now}: {file} has set it since"
        wanted, theirs = self._wanted_followers(host, now, self.was)
        if now != self.was:
            _write(path_of(self.key), self.was)  # and the kernel writes all that follows it
        for path, value in wanted.items():
            text = host.read_or_none(path)
            if text is not None and text.strip() != value:  # an interface may be gone
                _write(path, value)
        return f"{', '.join(theirs)}: somebody has set that since" if theirs else None

    def _wanted_followers(self, host: Host, now: str, was: str) -> tuple[dict[str, str], list[str]]:
        """What each follower has to be once the setting is back; and those that somebody has set since, in words."""
        before, wanted, theirs = dict(self.followers), dict[str, str](), list[str]()
        for path, value in _followers_now(host, self.key).items():
            old = before.get(path, _given(path, was))  # an interface may have come since
            wanted[path] = old if value in (old, _given(path, now)) else value
            if wanted[path] != old:
                theirs.append(f"{path} = {value}")
        return wanted, theirs


def _said_by_others(host: Host, key: str) -> tuple[str, str | None]:
    """The file, and the value that the next boot would end with if netdoctor had written no file. Raises CannotRead."""
    files = SysctlFiles.collect(host).texts
    theirs = SysctlFiles({path: text for path, text in files.items() if not is_of_netdoctor(path)})
    return theirs.setting(key) or ("", None)


def _followers_now(host: Host, key: str) -> dict[str, str]:
    """What the kernel changes along with a setting, and its value now, by path. Raises CannotRead."""
    found = {}
    for pattern in FOLLOWERS.get(key, ()):
        for path in sorted(Path("/proc/sys/net").glob(pattern)):
            text = host.read_or_none(path)
            if text is not None and not str(path).endswith(SAME.get(key, "-")) and str(path) != path_of(key):
                found[str(path)] = text.strip()
    return found
