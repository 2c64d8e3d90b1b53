"""Facts keep what is judged, and nothing else of a file or object; errors name a line, and repeat nothing of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from netdoctor.changes.file import FileState
from netdoctor.errors import NetdoctorError
from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.cluster.kube_proxy import _settings as kube_proxy_settings
from netdoctor.facts.cluster.workloads import Nodes, pod_of
from netdoctor.facts.gateways.gateway_objects import ModuleObjects
from netdoctor.facts.gateways.kustomization import parse
from netdoctor.facts.gateways.litellm_config import config_of
from netdoctor.facts.gateways.network_policies import in_block
from netdoctor.facts.node import sysctl
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.sysctl import IP_FORWARD, SysctlFiles
from netdoctor.system.foreign_json import decode
from netdoctor.system.host import Host
from netdoctor.system.kubeconfig_files import Unusable, merge
from netdoctor.system.object_shapes import Misshapen, shaped

CANARY = "canary0f1e2d3c4b5a"
PLUGINS = f"""\
corp.{CANARY}.example:53 {{
    forward . 10.77.0.53
    etcd {{
        path /skydns
        credentials {CANARY} {CANARY}
        endpoint https://user:{CANARY}@etcd:2379
    }}
    route53 example.org.:{CANARY} {{
        aws_access_key {CANARY} {CANARY}
    }}
}}
({CANARY}) {{
    whoami
}}
.:53 {{
    errors
    {CANARY}
    azure {CANARY}:zone {{
        key {CANARY}
    }}
    clouddns example.org.:{CANARY} {{
        credentials {CANARY}.json
    }}
    kubernetes cluster.local {{
        endpoint https://{CANARY}
        tls /{CANARY}.pem /{CANARY}.key
        kubeconfig /home/{CANARY}/.kube/config
    }}
    hosts {{
        10.0.0.1 {CANARY}
    }}
    rewrite name {CANARY} x
    template IN A {{
        answer "{{{{ .Name }}}}
{CANARY}"
    }}
    tsig {{
        secret key. {CANARY}
    }}
    forward . 8.8.8.8 {CANARY} /etc/{CANARY} https://{CANARY}/dns-query {CANARY}://1.1.1.1
    forward . 1.0.0.1%{CANARY} tls://9.9.9.9 {{
        tls_servername {CANARY}
    }}
    import {CANARY}
    cache 30
}}
"""


class TestCorefile:
    def test_only_what_is_judged_is_kept(self) -> None:
        found = Corefile.parse(PLUGINS)
        assert CANARY not in repr(found)
        assert (found.forwards, found.problem) == (("8.8.8.8", "/file", "tls://9.9.9.9"), "")
        named = {"errors", "azure", "clouddns", "kubernetes", "hosts", "rewrite", "template", "forward", "cache"}
        assert named <= set(found.text.split())
        assert ".:53 {" in found.text

    def test_one_whose_braces_do_not_match(self) -> None:
        found = Corefile.parse(PLUGINS + "}\n")
        assert "blocks are opened" in found.problem
        assert CANARY not in repr(found)


CONF = {
    "cniVersion": "1.0.0", "name": "net", "token": CANARY,
    "plugins": [
        {
            "type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "ipMasqBackend": CANARY,
            "kubernetes": {"k8s_auth_token": CANARY, "kubeconfig": f"/{CANARY}"}, CANARY: 1, "etcd_key": CANARY,
            "args": {"password": CANARY}, "hairpinMode": CANARY, "isDefaultGateway": CANARY,
            "ipam": {"type": "host-local", "subnet": "10.244.0.0/16", "password": CANARY, "dataDir": f"/{CANARY}",
                     "ranges": [[{"subnet": "10.244.0.0/16", "secret": CANARY}], [{"subnet": CANARY}]]},
        },
        {"type": "calico", "policy": {"k8s_auth_token": CANARY}, "datastore_password": CANARY},
        {"type": "firewall", "backend": CANARY, "firewalldZone": f"x {CANARY}"},
        {"type": "flannel", "bridge": f"x/{CANARY}", "ipam": {"subnet": CANARY, "type": f"../{CANARY}"}},
    ],
}  # fmt: skip


class TestCni:
    def test_only_what_is_judged_is_kept(self) -> None:
        name, plugins = CniConfig.parse(json.dumps(CONF))
        config = CniConfig("/etc/cni/net.d/1.conflist", name, plugins, (), (), "")
        assert CANARY not in repr(config)
        assert (config.bridge, config.pod_network, [p["type"] for p in plugins]) == (
            "cni0", "10.244.0.0/16", ["bridge", "calico", "firewall", "flannel"],
        )  # fmt: skip
        assert (plugins[0]["isGateway"], config.masquerades, config.puts_pods_into("trusted")) == (True, False, False)

    def test_a_name_that_is_none_is_not_kept(self) -> None:
        assert CniConfig.parse(json.dumps({"name": f"x {CANARY}", "type": "bridge"}))[0] == ""


def test_settings_that_are_not_judged_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        f"kernel.core_pattern = |/usr/bin/x {CANARY}", f"# {CANARY}", "net.ipv4.ip_forward = 1", f"kernel.{CANARY} = 1",
        "net/ipv4/conf/eth0.10/rp_filter = 2", "net.ipv4.conf.*.rp_filter = 1", f"dev.{CANARY} = {CANARY}",
        "-net.ipv4.conf.all.forwarding", "net.ipv4.* = 1", f"{CANARY}",
    ]  # fmt: skip
    (tmp_path / "1.conf").write_text("\n".join(lines))
    monkeypatch.setattr(sysctl, "FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(sysctl, "OTHERS_LAST", str(tmp_path / "none"))
    files = SysctlFiles.collect(Host())
    (text,) = files.texts.values()
    assert CANARY not in text
    assert len(text.splitlines()) == 5
    assert files.last_word(IP_FORWARD) == SysctlFiles({str(tmp_path / "1.conf"): "\n".join(lines)}).last_word(
        IP_FORWARD
    )


def test_kube_proxys_configuration() -> None:
    text = f"mode: {CANARY}\nmetricsBindAddress: {CANARY}:10249\nclientConnection: {{kubeconfig: /{CANARY}}}\n"
    assert CANARY not in repr(kube_proxy_settings(text))
    assert kube_proxy_settings("mode: nftables\nmetricsBindAddress: 10.0.0.1:1\n") == ("nftables", "10.0.0.1:1")


def test_a_pods_environment_and_annotations_are_no_facts_and_its_messages_are_short() -> None:
    item = {
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "annotations": {"a": CANARY}},
        "spec": {"containers": [{"name": "c", "env": [{"name": "KEY", "value": CANARY}], "command": [CANARY]}]},
        "status": {"containerStatuses": [
            {"name": "c", "state": {"waiting": {"reason": "X", "message": "pulling " + "long " * 500 + CANARY}}}
        ]},
    }  # fmt: skip
    pod = pod_of(item)
    assert CANARY not in repr(pod)
    assert "X pulling long" in pod.trouble
    assert len(pod.trouble) < 400


def test_a_nodes_message_is_short() -> None:
    class Api:
        def get(self, _: str) -> dict[str, object]:
            condition = {"type": "Ready", "status": "False", "message": "long " * 500 + CANARY}
            return {"items": [{"metadata": {"name": "n"}, "status": {"conditions": [condition]}}]}

    (node,) = Nodes.collect(Api()).items  # type: ignore[arg-type]
    assert 0 < len(node.problem) < 400
    assert CANARY not in node.problem


def said(action: Callable[[], object]) -> str:
    """The sentence that it ends with."""
    with pytest.raises((NetdoctorError, Unusable, ValueError, Misshapen)) as caught:
        action()
    return str(caught.value)


BAD_YAML = [
    f"a: {CANARY}: b\n", f"a: 'x {CANARY}\n", f"a: *{CANARY}\n", f"a: !!{CANARY} 1\n", f"a: !{CANARY} 1\n",
    f"%{CANARY}\na\n", f"{CANARY}: [\n", f"a: &{CANARY} *{CANARY}x\n", f"\t{CANARY}: 1\n", f"a: \x01{CANARY}\n",
    f"a: \"\\{CANARY}\"\n", f"? [{CANARY}]\n: 1\n- {CANARY}", f"a: !!int {CANARY}\n", f"a: !!timestamp {CANARY}\n",
    f"a: !!binary {CANARY}é\n", f"a: !!bool {CANARY}\n",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_YAML)
def test_yaml_is_refused_by_its_line_alone(text: str) -> None:
    assert CANARY not in said(lambda: parse("kind: X\n" + text, "k8s"))
    assert CANARY not in said(lambda: merge([("/x", text.encode())]))
    assert CANARY not in repr(kube_proxy_settings(text))
    problems: list[str] = []
    held = {"kind": "ConfigMap", "metadata": {"name": "m", "namespace": "n"}, "data": {"c": "model_list:\n" + text}}
    objects = ModuleObjects([held], "here", deployed=True, unread={})
    config_of(objects, "n", {"volumes": [{"configMap": {"name": "m"}}]}, "w", problems)
    assert problems
    assert CANARY not in repr(problems)


def test_the_line_is_told() -> None:
    assert "line 3" in said(lambda: parse(f"a: 1\nb: 2\nc: x: {CANARY}\n", "k8s"))


BAD_JSON = [
    f'{{"a": {CANARY}}}', f'{{"{CANARY}": 1, "{CANARY}": 2}}', f'["{CANARY}', f'{{"a": 1}} {CANARY}',
    f'"\\{CANARY}"', '[1e' + "9" * 60 + "]", f'["{CANARY}\n"]',
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_JSON)
def test_json_is_refused_by_its_line_alone(text: str) -> None:
    told = said(lambda: decode(text.encode()))
    assert CANARY not in told
    assert "9999" not in told
    assert CANARY not in said(lambda: CniConfig.parse(text))


@pytest.mark.parametrize(
    "obj",
    [{"kind": "Secret", "metadata": {"name": "s"}, "data": {CANARY: {"a": 1}}},
     {"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": [CANARY]}},
     {"kind": "ConfigMap", "metadata": {"name": "s"}, "data": CANARY}],
)  # fmt: skip
def test_objects_of_another_form(obj: dict[str, object]) -> None:
    assert CANARY not in said(lambda: shaped(obj))


def test_other_files() -> None:
    from netdoctor.changes._firewalld_files import contents

    for text in (
        f"<zone>&{CANARY};</zone>",
        f"<zone><{CANARY}></zone>",
        f'<?xml version="1" encoding="{CANARY}"?><z/>',
    ):
        state = FileState(text, 0o600, 0, 0)
        assert CANARY not in said(lambda state=state: contents(state))  # type: ignore[misc]
    assert CANARY not in said(lambda: in_block({"cidr": CANARY}, "10.0.0.1"))
