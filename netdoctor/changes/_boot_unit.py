"""Files of netdoctor's own that make its rules again at each boot, where systemd runs.

A rules file in /etc/netdoctor, a oneshot unit that loads it, and a drop-in of multi-user.target that wants the unit:
three plain files, so that each is journaled and undone as any file is, and no unit has to be enabled. The unit comes
after whatever loads or flushes rules at boot, and before what makes pods. systemd reads it at the next boot; nothing
needs it before, because the rules are there already.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from netdoctor.changes.file import HEAD, FileState, WriteFile

FOLDER = "/etc/netdoctor"
UNITS = "/etc/systemd/system"
LOADERS = "firewalld nftables iptables ip6tables netfilter-persistent ufw docker"
MAKERS_OF_PODS = "kubelet k3s k3s-agent rke2-server rke2-agent k0scontroller k0sworker snap.microk8s.daemon-kubelite"
UNIT = """[Unit]
Description={title}
After={after}
Before={before}
ConditionPathExists={rules}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command} {rules}
"""


def keep_rules_at_boot(name: str, title: str, rules: str, command: str, *, live: bool = True) -> Iterator[WriteFile]:
    """The files by which `command`, given a file with the text `rules`, runs at each boot. Raises CannotRead.

    `name` is the file's in FOLDER; its stem is in the names of the others. `live`: whether this machine is the node.
    """
    stem = Path(name).stem
    unit = f"netdoctor-{stem}.service"
    path = f"{FOLDER}/{name}"
    service = UNIT.format(
        title=title, after=_services(LOADERS), before=_services(MAKERS_OF_PODS), rules=path, command=command
    )
    wanted = f"[Unit]\nWants={unit}\n"
    for place, text in (
        (path, rules),
        (f"{UNITS}/{unit}", service),
        (f"{UNITS}/multi-user.target.d/99-netdoctor-{stem}.conf", wanted),
    ):
        if not live or not _is_there(place, HEAD + text):
            yield WriteFile.planned(place, HEAD + text, live=live)


def _is_there(path: str, text: str) -> bool:
    """Whether the file has this text. Raises CannotRead."""
    now = FileState.read(path)
    return now is not None and now.text == text


def _services(names: str) -> str:
    return " ".join(f"{name}.service" for name in names.split())
