"""The API server's static pod, as kubeadm writes it, and as somebody may have damaged it."""

from __future__ import annotations

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.api_server_here import ApiServerHere, service_ranges

MANIFEST = """\
apiVersion: v1
kind: Pod
spec:
  containers:
  - name: kube-apiserver
    {key}:
    - kube-apiserver
    - --advertise-address={address}
    - --secure-port=8443
"""


@pytest.mark.parametrize("key", ["command", "args"])
def test_what_it_advertises(key: str) -> None:
    assert ApiServerHere.parse(MANIFEST.format(key=key, address="192.0.2.10")) == "192.0.2.10"


def test_from_where_services_get_their_addresses() -> None:
    text = MANIFEST.format(key="command", address="192.0.2.10")
    assert service_ranges(text) == ()
    two = text + "    - --service-cluster-ip-range=10.96.0.0/12,fd00:96::/108,x\n"
    assert service_ranges(two) == ("10.96.0.0/12", "fd00:96::/108")


def test_what_is_no_address_is_not_advertised() -> None:
    assert ApiServerHere.parse(MANIFEST.format(key="command", address="$(reboot)")) == ""
    assert ApiServerHere.parse("spec: {containers: [{}]}") == ""


@pytest.mark.parametrize("text", ["", "[", "a: b", "spec: {containers: 1}", "spec: {containers: [x]}"])
def test_damaged(text: str) -> None:
    with pytest.raises(CannotRead, match="not in the expected form"):
        ApiServerHere.parse(text)
