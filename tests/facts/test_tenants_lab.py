"""A tenant's pods with the labels of CoreDNS and kube-proxy, on a real node: no verdict and no repair meets them."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Lab
from tests.reports import causes
from tests.test_faults import check, story

POD = """apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: tenant, labels: {{k8s-app: {label}}}}}
spec:
  nodeName: minikube
  hostNetwork: {host_network}
  dnsPolicy: None
  dnsConfig: {{nameservers: [203.0.113.66]}}
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers: [{{name: pause, image: "registry.k8s.io/pause:3.10.2", imagePullPolicy: Never}}]
"""
TENANTS = (("kube-proxy-zzzzz", "kube-proxy", "true"), ("coredns-zzzzz-zzzzz", "kube-dns", "false"))


def uids(lab: Lab) -> set[str]:
    return {item["metadata"]["uid"] for item in json.loads(lab.must("kubectl -n tenant get pods -o json"))["items"]}


@pytest.mark.lab
def test_labels_prove_nothing(lab: Lab) -> None:
    lab.reset()
    lab.must("kubectl create namespace tenant")
    lab.must("until kubectl -n tenant get serviceaccount default >/dev/null 2>&1; do sleep 0.1; done")
    for name, label, host_network in TENANTS:
        text = POD.format(name=name, label=label, host_network=host_network)
        lab.must(f"cat <<'END' | kubectl apply -f -\n{text}END\n")
    lab.must("kubectl -n tenant wait --for=condition=Ready pod --all --timeout=30s")
    before = uids(lab)
    assert len(before) == len(TENANTS)
    status, report = check(lab)
    assert (status, causes(report)) == (0, []), story(report)
    assert "203.0.113.66" not in json.dumps(report)

    lab.must("iptables -t nat -F KUBE-SERVICES")
    status, report = check(lab)
    assert causes(report) == ["kube-proxy-rules-missing"], story(report)
    done = lab.exec(["netdoctor", "fix", "--yes"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "~ pod kube-system/kube-proxy-" in done.stdout
    assert uids(lab) == before
