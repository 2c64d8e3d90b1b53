"""Which file has to be written so that the next boot ends with a setting."""

from __future__ import annotations

from pathlib import Path

from netdoctor.changes.file import HEAD, NO_EFFECT
from netdoctor.facts.node.sysctl import OTHERS_LAST, SysctlFiles

FOLDER = "/etc/sysctl.d"
LONGEST = 200  # of a file's name: the temporary one beside it is longer, and 255 is the most


def keep_at_boot(key: str, value: str, topic: str, files: SysctlFiles) -> tuple[str, str, str] | None:
    """Path, text and a note, or None where the next boot ends with this value already.

    The name sorts after every sysctl.d file that says otherwise; where none can, the note names the file that wins.
    /etc/sysctl.conf is nobody's but the administrator's: systemd does not read it at boot, `sysctl --system` reads it
    last; where it says otherwise the note tells.
    """
    boot = SysctlFiles({path: content for path, content in files.texts.items() if path != OTHERS_LAST})
    now = boot.setting(key)
    if _says(now, value) and _says(files.setting(key), value):
        return None
    text = f"{HEAD}{key} = {value}\n"
    path = f"{FOLDER}/99-netdoctor-{topic}.conf"
    while over := _overruled(path, key, value, text, boot):
        last = _name_after(Path(over[0]).name, topic)
        if len(last) > LONGEST or f"{FOLDER}/{last}" <= path:
            return path, text, f"{NO_EFFECT}{_in_words(*over, key)}; change that by hand"
        path = f"{FOLDER}/{last}"
    end = SysctlFiles({**files.texts, path: text}).last_word(key)
    if end and end[1] != value:
        return path, text, f"{end[0]} still sets {end[1]}, which `sysctl --system` would apply"
    return path, text, f"because {now[0]} sets {now[1]}" if now and now[1] != value else ""


def _says(setting: tuple[str, str] | None, value: str) -> bool:
    return setting is not None and setting[1] == value


def _in_words(file: str, value: str | None, key: str) -> str:
    """What a file that comes after ours says of a setting."""
    return f"{file} sorts after it and " + (f"excludes {key}" if value is None else f"sets {value}")


def _name_after(name: str, topic: str) -> str:
    """A file's name that sorts after another one: one z more than it has, and what follows those sorts before that."""
    count = 1 + len(name) - len(name.lstrip("z"))
    return f"{'z' * max(2, count)}-99-netdoctor-{topic}.conf"


def _overruled(path: str, key: str, value: str, text: str, boot: SysctlFiles) -> tuple[str, str | None] | None:
    """What has the last word at boot instead of this file, if it says otherwise."""
    last = SysctlFiles({**boot.texts, path: text}).last_word(key)
    return last if last and last[1] != value else None
