"""The CNI: which network configuration the runtime uses, whether its plugins are there, which pods it has connected."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.system.clock import written
from netdoctor.system.foreign_text import to_interface, to_network
from netdoctor.system.host import Host

# the runtimes' default, then where k3s and MicroK8s have theirs
CONFIG_FOLDERS = (
    Path("/etc/cni/net.d"),
    Path("/var/lib/rancher/k3s/agent/etc/cni/net.d"),
    Path("/var/snap/microk8s/current/args/cni-network"),
)
PLUGIN_FOLDERS = (
    Path("/opt/cni/bin"),
    Path("/usr/libexec/cni"),
    Path("/usr/lib/cni"),
    Path("/var/lib/rancher/k3s/data/current/bin"),
    Path("/var/lib/rancher/k3s/data/cni"),
    Path("/var/snap/microk8s/current/opt/cni/bin"),
)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # of a network, a plugin, a bridge, a zone
FLAGS = ("isGateway", "isDefaultGateway", "ipMasq", "portIsolation")
OTHER = "other"  # in place of a word that is none of those which are judged
CHOICES = {"backend": ("", "iptables", "firewalld"), "ipMasqBackend": ("", "iptables", "nftables")}
CACHE_FOLDER = Path("/var/lib/cni/results")


@dataclass(frozen=True, slots=True)
class CniConfig:
    """CNI network configuration"""

    path: str  # "" where there is none
    name: str
    plugins: tuple[Mapping[str, Any], ...]
    missing_plugins: tuple[str, ...]
    others: tuple[str, ...]  # further configuration files, which the runtime does not use
    problem: str  # why the file cannot be used, or ""

    @classmethod
    def collect(cls, host: Host) -> CniConfig:
        """Take the first file by name, as containerd and CRI-O do."""
        folder = next((f for f in CONFIG_FOLDERS if f.is_dir()), CONFIG_FOLDERS[0])
        files = _files(folder)
        if not files:
            return cls("", "", (), (), (), f"no file in {folder}")
        path, others = str(files[0]), tuple(map(str, files[1:]))
        try:
            name, plugins = cls.parse(host.read(files[0]))
        except ValueError as error:
            return cls(path, "", (), (), others, str(error))
        kinds = dict.fromkeys(name for plugin in plugins for name in _programs(plugin))
        return cls(path, name, plugins, tuple(kind for kind in kinds if not _is_installed(kind)), others, "")

    @staticmethod
    def parse(text: str) -> tuple[str, tuple[Mapping[str, Any], ...]]:
        """The network's name and its plugins, with what is judged of them. Raises ValueError with what is wrong."""
        try:
            config = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON: line {error.lineno}") from error
        except (ValueError, RecursionError) as error:
            raise ValueError("not JSON: a value is invalid, or nested too deeply") from error
        if not isinstance(config, dict):
            raise ValueError("not a JSON object")
        plugins = config.get("plugins", [config])
        if not isinstance(plugins, list) or not all(isinstance(p, dict) and p.get("type") for p in plugins):
            raise ValueError("a plugin without a type")
        return _word(config.get("name")), tuple(map(judged, plugins))

    def plugin(self, kind: str) -> Mapping[str, Any] | None:
        """The plugin of this type, if the network has one."""
        return next((p for p in self.plugins if p["type"] == kind), None)

    @property
    def bridge(self) -> str:
        """The name of the Linux bridge that joins the pods, or "" for a CNI that has none."""
        if plugin := self.plugin("bridge"):
            return str(plugin.get("bridge", "cni0"))
        return "cni0" if self.plugin("flannel") else ""

    @property
    def masquerades(self) -> bool:
        """Whether the bridge plugin writes a masquerade rule for each pod into iptables."""
        plugin = self.plugin("bridge")
        return bool(plugin and plugin.get("ipMasq") and plugin.get("ipMasqBackend", "iptables") == "iptables")

    def puts_pods_into(self, zone: str) -> bool:
        """Whether its plugin `firewall` puts each pod that it makes into this zone of firewalld (where that runs)."""
        plugin = self.plugin("firewall")
        if plugin is None or plugin.get("backend", "") not in ("", "firewalld"):
            return False
        return bool(zone == (plugin.get("firewalldZone") or "trusted"))

    @property
    def pod_network(self) -> str:
        """The prefix that pods on this node get addresses from, or "" where the configuration does not say."""
        ipam = (self.plugin("bridge") or {}).get("ipam")
        if not isinstance(ipam, dict):
            return ""
        ranges = ipam.get("ranges")
        match ranges:
            case [[{"subnet": str(subnet)}, *_], *_]:
                return subnet
        return str(ipam.get("subnet", ""))

    @property
    def pod_networks(self) -> tuple[str, ...]:
        """Every prefix that pods on this node get addresses from; none where the configuration does not say."""
        ipam = (self.plugin("bridge") or {}).get("ipam")
        ranges = ipam.get("ranges", ()) if isinstance(ipam, dict) else ()
        listed = [each["subnet"] for alternatives in ranges for each in alternatives]
        first = [self.pod_network] if self.pod_network else []
        return tuple(dict.fromkeys((*first, *listed)))


def _files(folder: Path) -> list[Path]:
    """The configuration files of a folder by name. Raises CannotRead."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in (".conf", ".conflist", ".json"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CannotRead.of(str(folder), error) from error


def _programs(plugin: Mapping[str, Any]) -> tuple[str, ...]:
    """The program of a plugin, and of the one that it asks for addresses."""
    ipam = plugin.get("ipam") or {}
    return (str(plugin["type"]), *((str(ipam["type"]),) if ipam.get("type") else ()))


def _is_installed(plugin: str) -> bool:
    return any((folder / plugin).exists() for folder in PLUGIN_FOLDERS)


def judged(plugin: Mapping[str, Any]) -> Mapping[str, Any]:
    """What facts and probes look at in a plugin's configuration: others of its keys may hold credentials."""
    kind = _word(plugin["type"])
    if not kind:
        raise ValueError("a plugin whose type is not a file name")
    found: dict[str, Any] = {"type": kind}
    found |= {key: plugin[key] for key in FLAGS if isinstance(plugin.get(key), bool)}
    for key, known in CHOICES.items():
        if key in plugin:
            found[key] = plugin[key] if plugin[key] in known else OTHER
    for key in ("bridge", "firewalldZone"):
        if word := _word(plugin.get(key)):
            found[key] = word
    ipam = plugin.get("ipam")
    if isinstance(ipam, dict) and (addresses := _addresses(ipam)):
        found["ipam"] = addresses
    return found


def _addresses(ipam: Mapping[str, Any]) -> Mapping[str, Any]:
    """The plugin that gives pods their addresses, and out of which networks."""
    found: dict[str, Any] = {"type": kind} if (kind := _word(ipam.get("type"))) else {}
    if subnet := _network(ipam.get("subnet")):
        found["subnet"] = subnet
    if ranges := _ranges(ipam.get("ranges")):
        found["ranges"] = ranges
    return found


def _ranges(stored: object) -> list[list[dict[str, str]]]:
    """The subnets of host-local's `ranges`: of each family a list of alternatives."""
    found = []
    for alternatives in stored if isinstance(stored, list) else ():
        listed = alternatives if isinstance(alternatives, list) else ()
        subnets = [_network(each.get("subnet")) for each in listed if isinstance(each, dict)]
        if kept := [{"subnet": subnet} for subnet in subnets if subnet]:
            found.append(kept)
    return found


def _word(value: object) -> str:
    """A name as libcni allows it; "" for anything else."""
    return value if isinstance(value, str) and NAME.fullmatch(value) else ""


def _network(value: object) -> str:
    try:
        return value if isinstance(value, str) and to_network(value) else ""
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A pod that the CNI has connected, as libcni's cache keeps it (libcni/api.go, cacheAdd)."""

    container_id: str
    network: str
    namespace: str
    pod: str
    uid: str
    netns: str
    addresses: tuple[str, ...]  # without the prefix length
    interface: str
    nameservers: tuple[str, ...]
    search: tuple[str, ...]
    connected: str = ""  # when the CNI connected it
    bridge: str = ""  # of the configuration that it was connected by
    ports: tuple[str, ...] = ()  # the interfaces that the plugins made for it on the node's side


@dataclass(frozen=True, slots=True)
class Attachments:
    """pods that the CNI has connected"""

    pods: tuple[Attachment, ...]

    @classmethod
    def collect(cls, host: Host) -> Attachments:
        """Read libcni's cache; works without the API server. A file that cannot be read as one is passed over."""
        found = []
        for path in sorted(CACHE_FOLDER.glob("*")) if CACHE_FOLDER.exists() else ():
            text = host.read_or_none(path)
            attachment = cls.parse(text) if text else None
            if attachment:
                found.append(replace(attachment, connected=written(path)))
        return cls(tuple(found))

    @staticmethod
    def parse(text: str) -> Attachment | None:
        """One cache file, or None for the loopback's and for what is not a cache file."""
        try:
            return _attachment(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def _attachment(cache: Mapping[str, Any]) -> Attachment | None:
    """From a cache file's content, None for the loopback's. Raises what comes of content of another form."""
    arguments = {str(k): str(v) for k, v in cache.get("cniArgs") or ()}
    result = cache.get("result") or {}
    ips = result.get("ips") or ()
    addresses = tuple(str(to_interface(ip["address"]).ip) for ip in ips)
    if cache.get("ifName") == "lo" or not addresses:
        return None
    dns = (cache.get("capabilityArgs") or {}).get("dns") or {}
    bridge = _bridge_of(cache.get("config"))
    return Attachment(
        container_id=str(cache["containerId"]),
        network=str(cache["networkName"]),
        namespace=arguments.get("K8S_POD_NAMESPACE", ""),
        pod=arguments.get("K8S_POD_NAME", ""),
        uid=arguments.get("K8S_POD_UID", ""),
        netns=str(cache.get("netns", "")),
        addresses=addresses,
        interface=str(cache["ifName"]),
        nameservers=tuple(map(str, dns.get("Servers") or ())),
        search=tuple(map(str, dns.get("Searches") or ())),
        bridge=bridge,
        ports=_ports_in(result, bridge),
    )


def _ports_in(result: Mapping[str, Any], bridge: str) -> tuple[str, ...]:
    """The interfaces of a result that are in no sandbox, but for the bridge itself."""
    here = [each["name"] for each in result.get("interfaces") or () if not each.get("sandbox")]
    return tuple(name for name in here if _word(name) and name != bridge)


def _bridge_of(encoded: object) -> str:
    """The bridge of the configuration that a cache file holds, "" where it names none."""
    try:
        name, plugins = CniConfig.parse(base64.b64decode(str(encoded), validate=True).decode())
    except ValueError:  # not base64, not UTF-8, or not a configuration
        return ""
    return CniConfig("", name, plugins, (), (), "").bridge
