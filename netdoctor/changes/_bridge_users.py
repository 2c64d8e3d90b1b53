"""What uses br_netfilter: the kernel counts no user of it, so whatever a bridge or a rule may need it for does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from netdoctor.changes.file import is_of_netdoctor
from netdoctor.errors import CannotRead
from netdoctor.system import processes
from netdoctor.system.host import Host
from netdoctor.system.traffic import in_namespace

MODULES = Path("/sys/module")
LINKS = Path("/sys/class/net")
SETTINGS = Path("/proc/sys/net/bridge")
FILES = ("/etc/modules-load.d", "/run/modules-load.d", "/etc/sysctl.d", "/run/sysctl.d", "/etc/modprobe.d")
MENTIONS = ("br_netfilter", "bridge-nf-", "net.bridge", "net/bridge")
# as the kernel sets them when it loads the module (br_netfilter_hooks.c); the first one is what the repair sets, too
FIRST_VALUES = {
    "bridge-nf-call-iptables": "1",
    "bridge-nf-call-ip6tables": "1",
    "bridge-nf-call-arptables": "1",
    "bridge-nf-filter-vlan-tagged": "0",
    "bridge-nf-filter-pppoe-tagged": "0",
    "bridge-nf-pass-vlan-input-dev": "0",
}
SECONDS = 3.0


def users(host: Host, module: str) -> tuple[str, ...]:
    """Whatever may use it now, in words: the same user has the same words. Raises CannotRead."""
    found = [
        *_modules(host, module),
        *_ports(),
        *_settings(host),
        *_files(host),
        *_other_namespaces(host),
    ]
    return tuple(sorted(found))


def _modules(host: Host, module: str) -> Iterator[str]:
    folder = MODULES / module
    if folder.exists():
        yield from (f"module {holder.name}" for holder in sorted((folder / "holders").glob("*")))
        if (host.read_or_none(folder / "refcnt") or "0").strip() != "0":
            yield f"whatever the kernel counts as a user of {module}"
    physdev = MODULES / "xt_physdev"  # it asks for the module, and does not hold it
    if physdev.exists() and (host.read_or_none(physdev / "refcnt") or "unknown").strip() != "0":
        yield "a rule that matches physdev"


def _ports() -> Iterator[str]:
    for bridge in sorted(folder.parent for folder in LINKS.glob("*/bridge")):
        yield from (f"{port.name} at bridge {bridge.name}" for port in sorted((bridge / "brif").glob("*")))
        for flag in sorted((bridge / "bridge").glob("nf_call_*")):
            try:
                if flag.read_text(encoding="ascii").strip() != "0":
                    yield f"{flag.name} of bridge {bridge.name}"
            except OSError as error:
                raise CannotRead.of(str(flag), error) from error


def _settings(host: Host) -> Iterator[str]:
    for path in sorted(SETTINGS.glob("*")):
        value = host.read(path).strip()
        if value != FIRST_VALUES.get(path.name, value):
            yield f"net.bridge.{path.name} = {value}"


def _files(host: Host) -> Iterator[str]:
    for folder in FILES:
        for path in sorted(Path(folder).glob("*.conf")):
            if not is_of_netdoctor(str(path)) and any(word in host.read(path) for word in MENTIONS):
                yield f"file {path}"


def _other_namespaces(host: Host) -> Iterator[str]:
    seen = {os.stat("/proc/self/ns/net").st_ino}  # noqa: PTH116 - stat of what the link leads to
    for folder in sorted(processes.folders(), key=lambda path: int(path.name)):
        path = f"{folder}/ns/net"
        try:
            inode = os.stat(path).st_ino  # noqa: PTH116 - as above
        except OSError:  # it has ended
            continue
        if inode in seen:
            continue
        seen.add(inode)
        try:
            text = in_namespace(path, lambda: host.run(["ip", "-j", "-d", "link"], timeout=SECONDS)).result()
            links = json.loads(text or "[]")
        except FileNotFoundError:
            continue  # it has ended meanwhile
        except (CannotRead, OSError, ValueError) as error:
            raise CannotRead(path, f"whether it has a bridge cannot be seen: {error}") from error
        if any(link.get("linkinfo", {}).get("info_kind") == "bridge" for link in links):
            yield f"a bridge in network namespace {inode}"
