"""The package that brings a program, as this machine's distribution calls it, and the command that installs it."""

from __future__ import annotations

from pathlib import Path

from netdoctor.errors import NotInstalled

OS_RELEASE = Path("/etc/os-release")
# by the words of ID and ID_LIKE in os-release(5)
INSTALLERS = {
    "rhel": "dnf install",
    "fedora": "dnf install",
    "debian": "apt-get install",
    "ubuntu": "apt-get install",
    "suse": "zypper install",
    "arch": "pacman -S",
    "alpine": "apk add",
}
# of the programs that netdoctor starts; where a distribution has another name, it stands behind its installer's
PACKAGES: dict[str, dict[str, str]] = {
    "nft": {"": "nftables"},
    "iptables-nft": {"": "iptables", "dnf install": "iptables-nft"},
    "iptables-legacy": {"": "iptables", "dnf install": "iptables-legacy"},
    "ip": {"": "iproute2", "dnf install": "iproute"},
    "ipset": {"": "ipset"},
    "conntrack": {"": "conntrack-tools", "apt-get install": "conntrack"},
}


def not_installed(program: str) -> NotInstalled:
    """What to say of a program that is not there, with the command that installs it where that is known."""
    try:
        text = OS_RELEASE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return NotInstalled(program, command(program, text))


def command(program: str, os_release: str) -> str:
    """The command that installs a program where /etc/os-release reads so; "" where it is not known."""
    names = PACKAGES.get(_family(program), {})
    installer = next((INSTALLERS[word] for word in _words(os_release) if word in INSTALLERS), "")
    if not names or not installer:
        return ""
    return f"{installer} {names.get(installer, names[''])}"


def _family(program: str) -> str:
    """iptables-nft for ip6tables-nft-save, and so on; another program's own name."""
    name = program.replace("ip6tables", "iptables").removesuffix("-save").removesuffix("-restore")
    return "iptables-nft" if name == "iptables" else name


def _words(os_release: str) -> list[str]:
    """ID, then what ID_LIKE names, nearest first."""
    values = {}
    for line in os_release.splitlines():
        name, _, value = line.partition("=")
        values[name.strip()] = value.strip().strip("\"'")
    words = [values.get("ID", ""), *values.get("ID_LIKE", "").split()]
    return ["suse" if word.startswith(("opensuse", "sles", "sled")) else word for word in words]
