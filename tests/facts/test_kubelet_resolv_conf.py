"""The resolv.conf that the kubelet copies into pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.node.kubelet_resolv_conf import KubeletResolvConf
from netdoctor.system.host import Host

TEXT = "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver\n# nameserver 192.0.2.3\nsearch x\nsearch a b c\n"


@dataclass(frozen=True)
class Files(Host):
    """A host with these files, by the first word of their names."""

    files: Mapping[str, str] = field(default_factory=dict)

    def read(self, path: str | Path) -> str:
        return self.files[Path(path).name.partition(".")[0]]

    def read_or_none(self, path: str | Path) -> str | None:
        return self.files.get(Path(path).name.partition(".")[0])


def test_what_is_counted() -> None:
    found = KubeletResolvConf.parse("/etc/resolv.conf", TEXT)
    assert (found.resolvers, found.domains) == (2, 3)


def test_an_empty_file() -> None:
    assert KubeletResolvConf.parse("f", "") == KubeletResolvConf("f", 0, 0)


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ("resolvConf: /run/systemd/resolve/resolv.conf", "/run/systemd/resolve/resolv.conf"),
        ("kind: KubeletConfiguration", "/etc/resolv.conf"),
        ("- x", "/etc/resolv.conf"),
    ],
)
def test_the_file_that_the_kubelet_names(config: str, path: str) -> None:
    assert KubeletResolvConf.collect(Files(files={"config": config, "resolv": TEXT})).path == path


def test_a_configuration_that_is_not_yaml_tells_nothing() -> None:
    with pytest.raises(CannotRead, match="not YAML"):
        KubeletResolvConf.collect(Files(files={"config": "[", "resolv": TEXT}))


def test_without_a_configuration_it_is_the_usual_one() -> None:
    assert KubeletResolvConf.collect(Files(files={"resolv": TEXT})) == KubeletResolvConf("/etc/resolv.conf", 2, 3)


def test_a_file_at_an_unusual_place_is_not_opened() -> None:
    config = "resolvConf: /root/.ssh/id_rsa"
    assert KubeletResolvConf.collect(Files(files={"config": config, "resolv": TEXT})) == KubeletResolvConf("", 0, 0)
