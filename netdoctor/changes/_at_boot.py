"""Which file has to be written so that the next boot ends with a setting."""

from __future__ import annotations

from netdoctor.facts.sysctl import SysctlFiles

FOLDER = "/etc/sysctl.d"
OTHERS_LAST = "/etc/sysctl.conf"


def keep_at_boot(key: str, value: str, topic: str, files: SysctlFiles) -> tuple[str, str, str] | None:
    """Path, text and a note, or None where the next boot ends with this value already.

    The name sorts after every sysctl.d file that says otherwise. /etc/sysctl.conf is nobody's but the administrator's:
    systemd does not read it at boot, `sysctl --system` reads it last; where it says otherwise the note tells.
    """
    if (now := files.setting(key)) and now[1] == value:
        return None
    text = f"# written by netdoctor fix; netdoctor undo takes it away\n{key} = {value}\n"
    rest = {path: content for path, content in files.texts.items() if path != OTHERS_LAST}
    name = f"99-netdoctor-{topic}.conf"
    last = SysctlFiles({**rest, f"{FOLDER}/{name}": text}).setting(key)
    if last and last[1] != value:  # as Debian's link 99-sysctl.conf would
        name = f"zz-{name}"
    path = f"{FOLDER}/{name}"
    end = SysctlFiles({**files.texts, path: text}).setting(key)
    if end and end[0] != path:
        return path, text, f"{end[0]} still says {end[1]}: whoever runs `sysctl --system` gets that"
    return path, text, f"because {now[0]} says {now[1]}" if now else ""
