"""CNI configuration and its cache of attachments."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from netdoctor.facts.node import cni
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.system.host import Host
from tests.facts.texts import CACHE, CONFLIST


class TestCni:
    def test_good(self) -> None:
        name, plugins = CniConfig.parse(CONFLIST)
        config = CniConfig("/etc/cni/net.d/1.conflist", name, plugins, (), (), "")
        assert (name, config.bridge, config.masquerades, config.pod_network) == ("bridge", "bridge", True,
                                                                                 "10.244.0.0/16")  # fmt: skip

    def test_one_plugin_without_a_list(self) -> None:
        name, plugins = CniConfig.parse('{"name": "n", "type": "bridge"}')
        assert CniConfig("x", name, plugins, (), (), "").bridge == "cni0"

    def test_ranges(self) -> None:
        _, plugins = CniConfig.parse('{"type": "bridge", "ipam": {"ranges": [[{"subnet": "10.1.0.0/16"}]]}}')
        assert CniConfig("x", "n", plugins, (), (), "").pod_network == "10.1.0.0/16"

    def test_each_of_several_networks(self) -> None:
        of_ipv4 = [{"subnet": "10.1.0.0/16"}, {"subnet": "10.2.0.0/16"}, {"subnet": "$(reboot)"}]
        ranges = [of_ipv4, [{"subnet": "fd00::/64"}]]
        name, plugins = CniConfig.parse(json.dumps({"type": "bridge", "ipam": {"ranges": ranges}}))
        config = CniConfig("f", name, plugins, (), (), "")
        assert config.pod_networks == ("10.1.0.0/16", "10.2.0.0/16", "fd00::/64")

    @pytest.mark.parametrize("ipam", ['{"ranges": [["x"]]}', '"x"', '{"ranges": [{}]}', "{}", '{"ranges": 1}'])
    def test_an_odd_ipam_names_no_network(self, ipam: str) -> None:
        _, plugins = CniConfig.parse(f'{{"type": "bridge", "ipam": {ipam}}}')
        assert CniConfig("x", "n", plugins, (), (), "").pod_network == ""

    def test_masquerade_by_nftables_is_not_in_iptables(self) -> None:
        _, plugins = CniConfig.parse('{"type": "bridge", "ipMasq": true, "ipMasqBackend": "nftables"}')
        assert not CniConfig("x", "n", plugins, (), (), "").masquerades

    @pytest.mark.parametrize(
        ("text", "says"),
        [("", "not JSON"), ("{", "not JSON"), ("[]", "not a JSON object"), ('{"plugins": [{}]}', "without a type"),
         ('{"plugins": {}}', "without a type"), ('{"plugins": ["bridge"]}', "without a type"),
         ("[" * 100_000, "not JSON")],
    )  # fmt: skip
    def test_bad(self, text: str, says: str) -> None:
        with pytest.raises(ValueError, match=says):
            CniConfig.parse(text)

    @pytest.mark.parametrize(
        ("config", "bridge"),
        [
            (base64.b64encode(b'{"type": "bridge", "bridge": "br-pods"}').decode(), "br-pods"),
            (base64.b64encode(b'{"type": "calico"}').decode(), ""),
            (base64.b64encode(b"\xff").decode(), ""),
            ("%%%", ""),
            (None, ""),
        ],
    )
    def test_the_bridge_that_a_pod_was_connected_to(self, config: object, bridge: str) -> None:
        found = Attachments.parse(json.dumps({**json.loads(CACHE), "config": config}))
        assert found is not None
        assert found.bridge == bridge

    @pytest.mark.parametrize(
        ("interfaces", "ports"),
        [
            ([{"name": "br-pods"}, {"name": "veth1"}, {"name": "eth0", "sandbox": "/run/netns/x"}], ("veth1",)),
            ([{"name": "veth1; reboot"}], ()),
            (None, ()),
        ],
    )
    def test_the_ports_that_the_plugins_made_on_the_node(self, interfaces: object, ports: tuple[str, ...]) -> None:
        cache = json.loads(CACHE)
        cache["config"] = base64.b64encode(b'{"type": "bridge", "bridge": "br-pods"}').decode()
        cache["result"]["interfaces"] = interfaces
        found = Attachments.parse(json.dumps(cache))
        assert found is not None
        assert found.ports == ports

    def test_a_cached_result(self) -> None:
        found = Attachments.parse(CACHE)
        assert found is not None
        assert (found.namespace, found.pod, found.uid, found.addresses) == ("default", "client", "u-1", ("10.244.0.5",))
        assert (found.nameservers, found.search) == (("10.96.0.10",), ("svc.cluster.local",))

    @pytest.mark.parametrize(
        "change", [{"ifName": "lo"}, {"result": None}, {"result": {"ips": [{}]}}, {"cniArgs": [1]},
                   {"result": {"ips": [{"address": "rubbish"}]}}]
    )  # fmt: skip
    def test_what_is_no_pod_is_passed_over(self, change: dict[str, object]) -> None:
        assert Attachments.parse(json.dumps({**json.loads(CACHE), **change})) is None

    def test_damaged_arguments_leave_the_pod(self) -> None:
        found = Attachments.parse(json.dumps({**json.loads(CACHE), "capabilityArgs": []}))
        assert found is not None
        assert found.pod == "client"


@pytest.mark.parametrize(
    ("plugins", "given"),
    [
        ([{"type": "bridge"}, {"type": "firewall"}], True),
        ([{"type": "bridge"}, {"type": "firewall", "backend": "firewalld", "firewalldZone": "trusted"}], True),
        ([{"type": "bridge"}, {"type": "firewall", "backend": "iptables"}], False),
        ([{"type": "bridge"}, {"type": "firewall", "firewalldZone": "internal"}], False),
        ([{"type": "flannel"}, {"type": "portmap"}], False),
        ([{"type": "bridge"}, {"type": "firewall", "firewalldZone": ["trusted"]}], False),
    ],
)
def test_who_puts_pods_into_zone_trusted(plugins: list[dict[str, object]], given: bool) -> None:
    assert CniConfig("/etc/cni/net.d/1.conflist", "n", tuple(plugins), (), (), "").puts_pods_into("trusted") is given


def test_the_program_that_gives_addresses_has_to_be_there_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, programs = tmp_path / "net.d", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    (programs / "bridge").touch()
    (folder / "1.conf").write_text('{"name": "n", "type": "bridge", "ipam": {"type": "host-local"}}')
    monkeypatch.setattr(cni, "CONFIG_FOLDERS", (folder,))
    monkeypatch.setattr(cni, "PLUGIN_FOLDERS", (programs,))
    assert CniConfig.collect(Host()).missing_plugins == ("host-local",)
    (programs / "host-local").touch()
    assert CniConfig.collect(Host()).missing_plugins == ()
