"""Which resolv.conf the kubelet copies into pods that use the node's resolvers."""

from __future__ import annotations

from netdoctor.errors import CannotRead
from netdoctor.system.host import Host

SETTINGS = "/var/lib/kubelet/config.yaml"
USUAL, REAL = "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"  # the kubelet's default; systemd-resolved's own
# which files are read: the kubelet's settings may name any
FILES = (USUAL, REAL, "/run/systemd/resolve/stub-resolv.conf")


def resolv_conf_of(host: Host) -> str:
    """The file that the kubelet's settings name; its default where they name none, or where there are no settings.

    Raises CannotRead where the settings are not YAML.
    """
    settings = host.read_or_none(SETTINGS)
    return USUAL if settings is None else named_in(settings)


def named_in(text: str) -> str:
    """The same of a KubeletConfiguration. Raises CannotRead."""
    import yaml

    from netdoctor.system.plain_yaml import load

    try:
        settings = load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CannotRead(SETTINGS, "it is not YAML") from error
    named = settings.get("resolvConf") if isinstance(settings, dict) else None
    return str(named) if named else USUAL
