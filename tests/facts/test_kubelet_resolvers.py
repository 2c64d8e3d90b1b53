"""Which resolvers the kubelet gives to pods, and what host-local and the kernel have of addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster import kubelet_resolvers
from netdoctor.facts.cluster.kubelet_resolvers import KubeletResolvers
from netdoctor.facts.node import reserved_addresses
from netdoctor.facts.node.ipv6_switches import Ipv6Switches
from netdoctor.facts.node.reserved_addresses import ReservedAddresses
from netdoctor.system.host import Host
from netdoctor.system.kubelet_settings import REAL, SETTINGS, USUAL, named_in
from tests.builders import cni


class Files(Host):
    """A host that has these files."""

    files: dict[str, str]

    def __init__(self, files: dict[str, str]) -> None:
        object.__setattr__(self, "files", files)

    def read(self, path: str | Path) -> str:
        if str(path) not in self.files:
            raise CannotRead(str(path), "no such file")
        return self.files[str(path)]

    def read_or_none(self, path: str | Path) -> str | None:
        return self.files.get(str(path))


STUB = "# x\nnameserver 127.0.0.53\noptions edns0\n"


def test_the_kubelets_default_is_the_nodes_own_file() -> None:
    found = KubeletResolvers.collect(Files({SETTINGS: "kind: x\n", USUAL: STUB, REAL: "nameserver 192.0.2.53\n"}))
    assert found == KubeletResolvers(USUAL, ("127.0.0.53",), ("192.0.2.53",))
    assert found.on_loopback == ("127.0.0.53",)


def test_the_file_that_the_settings_name() -> None:
    files = {SETTINGS: f"resolvConf: {REAL}\n", USUAL: STUB, REAL: "nameserver 192.0.2.53\nnameserver secret\n"}
    assert KubeletResolvers.collect(Files(files)) == KubeletResolvers(REAL, ("192.0.2.53",), ("192.0.2.53",))


def test_another_file_is_not_read() -> None:
    files = {SETTINGS: "resolvConf: /etc/shadow\n", "/etc/shadow": "nameserver 192.0.2.9\n"}
    assert KubeletResolvers.collect(Files(files)) == KubeletResolvers("", (), ())


@pytest.mark.parametrize("text", ["a: b: c\n", "a: [\n", "%x\n"])
def test_settings_that_are_not_yaml(text: str) -> None:
    with pytest.raises(CannotRead, match="not YAML"):
        named_in(text)


@pytest.mark.parametrize("text", ["", "- 1\n", "resolvConf: ''\n"])
def test_settings_that_name_no_file(text: str) -> None:
    assert named_in(text) == USUAL


def test_without_settings_it_is_the_default() -> None:
    assert KubeletResolvers.collect(Files({USUAL: STUB})) == KubeletResolvers(USUAL, ("127.0.0.53",), ())
    assert kubelet_resolvers.is_loopback("::1")


def test_reserved_addresses_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserved_addresses, "FOLDER", str(tmp_path))
    folder = tmp_path / "k8s-pod-network"
    folder.mkdir()
    for name in ("10.244.0.2", "10.244.0.3", "fd00::2", "last_reserved_ip.0", "lock"):
        (folder / name).write_text("x")
    assert ReservedAddresses.collect(cni()) == ReservedAddresses("k8s-pod-network", 3)
    with pytest.raises(CannotRead, match="has no name"):
        ReservedAddresses.collect(cni(name=""))
    with pytest.raises(CannotRead, match="No such file"):
        ReservedAddresses.collect(cni(name="other"))


def test_where_ipv6_is_off() -> None:
    folder = "/proc/sys/net/ipv6/conf"
    found = Ipv6Switches.collect(
        Files({f"{folder}/all/disable_ipv6": "0\n", f"{folder}/bridge/disable_ipv6": "1\n"}), cni()
    )
    assert found.off == ("net.ipv6.conf.bridge.disable_ipv6",)
    (only,) = found.evidence()
    assert (only.source, only.observed) == (f"{folder}/bridge/disable_ipv6", "1")
    assert Ipv6Switches.collect(Files({}), cni()).evidence()[0].observed == "the kernel has no IPv6"
