"""Calls to firewalld over D-Bus: a millisecond each, where firewall-cmd takes a quarter of a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.system.patience import patience

NAME = "org.fedoraproject.FirewallD1"
ROOT = "/org/fedoraproject/FirewallD1"
CONFIG = ROOT + "/config"
SYSTEM = "SYSTEM"  # this machine's own bus


class FirewalldBus:
    """One connection to a bus. Raises CannotRead with firewalld's own words when it refuses."""

    def __init__(self, connection: Any, timeout: float) -> None:
        self._connection, self._timeout = connection, timeout

    def call(self, interface: str, method: str, signature: str = "", *body: Any, path: str = ROOT) -> Any:
        """A method of firewalld; `interface` is what follows its name (`zone`, `config.direct`, or nothing)."""
        whole = f"{NAME}.{interface}" if interface else NAME
        return self._send(path, NAME, whole, method, signature, body)

    def property(self, name: str, interface: str = "", path: str = ROOT) -> Any:
        """A property of one of firewalld's objects."""
        whole = f"{NAME}.{interface}" if interface else NAME
        return self._send(path, NAME, "org.freedesktop.DBus.Properties", "Get", "ss", (whole, name))[1]

    def is_running(self) -> bool:
        """Whether firewalld is on the bus. Asking starts nothing."""
        bus = "org.freedesktop.DBus"
        return bool(self._send("/org/freedesktop/DBus", bus, bus, "NameHasOwner", "s", (NAME,)))

    def _send(self, path: str, name: str, interface: str, method: str, signature: str, body: tuple[Any, ...]) -> Any:
        from jeepney import DBusAddress, MessageFlag, MessageType, new_method_call

        message = new_method_call(DBusAddress(path, name, interface), method, signature, body)
        message.header.flags |= MessageFlag.no_auto_start
        try:
            reply = self._connection.send_and_get_reply(message, timeout=patience(self._timeout))
        except (OSError, TimeoutError) as error:
            raise CannotRead(f"firewalld {method}", str(error) or "no answer") from error
        if reply.header.message_type is MessageType.error:
            raise CannotRead(f"firewalld {method}", str(reply.body[0]) if reply.body else "refused")
        return reply.body[0] if len(reply.body) == 1 else reply.body


@contextmanager
def firewalld_bus(timeout: float = 5.0, address: str = SYSTEM) -> Iterator[FirewalldBus]:
    """A connection to the system bus, or to the bus at this address, for the length of a with block.

    Raises CannotRead when there is no bus.
    """
    from jeepney.io.blocking import open_dbus_connection

    try:
        connection = open_dbus_connection(address)
    except (OSError, KeyError, ValueError) as error:
        raise CannotRead("system D-Bus" if address == SYSTEM else "D-Bus", str(error)) from error
    try:
        yield FirewalldBus(connection, timeout)
    finally:
        connection.close()
