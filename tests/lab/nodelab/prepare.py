"""The prepared cluster: kubeadm init and the workloads once; what they change is a layer that every run starts from."""

import json
import time
from pathlib import Path

from .cluster import Lab
from .images import IMAGES
from .processes import wait_for
from .readiness import wait_ready
from .roots import NODEFILES, ROOTFS
from .steps import Step

COREDNS_PATCH = [
    {"op": "replace", "path": "/spec/replicas", "value": 1},  # as minikube has it
    # ready within a second, and unready after as long as with Kubernetes' own values: 30 s
    {"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe/periodSeconds", "value": 1},
    {"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe/timeoutSeconds", "value": 5},
    {"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe/failureThreshold", "value": 30},
]
# where minikube has its kubeconfigs
KUBECONFIGS = """
install -D -m 600 /etc/kubernetes/admin.conf /root/.kube/config
umask 077
sed 's#server: .*#server: https://localhost:8443#' /etc/kubernetes/admin.conf > /var/lib/minikube/kubeconfig
"""
# kubeadm's own values leave a control-plane pod "not ready" for 10 to 20 s after it answers
STARTUP_PROBES = """
sed -i '/startupProbe:/,/timeoutSeconds/{
  s/initialDelaySeconds: .*/initialDelaySeconds: 1/; s/periodSeconds: .*/periodSeconds: 1/
  s/failureThreshold: .*/failureThreshold: 240/}' /etc/kubernetes/manifests/*.yaml
"""
# unready after 3 s as with kubeadm's own values, but with one handshake in that time instead of three
READINESS_PROBES = """
sed -i '/readinessProbe:/,/timeoutSeconds/{
  s/periodSeconds: 1$/periodSeconds: 3/; s/failureThreshold: 3$/failureThreshold: 1/}' /etc/kubernetes/manifests/*.yaml
"""


def build_prepared(out: Path) -> None:
    """Boot a node, import the images, run kubeadm and the workloads, stop, and keep what changed."""
    lab = Lab("prepare")
    with lab.lock():
        lab.down()
        try:
            lab.start([NODEFILES.folder, ROOTFS.folder], None)
            lab.node.import_images(sorted(IMAGES.folder.glob("*.tar")))
            lab.exec(["kubeadm", "init", "--config", "/etc/kubernetes/lab/kubeadm.yaml"], check=True, deadline=240)
            lab.exec(KUBECONFIGS, check=True)
            patch = ["patch", "deployment", "coredns", "--type=json", "-p", json.dumps(COREDNS_PATCH)]
            lab.kubectl(["-n", "kube-system", *patch], check=True)
            wait_for(lambda: lab.kubectl("get serviceaccount default").returncode == 0, "the service account", 60)
            lab.kubectl("apply -f /etc/kubernetes/lab/workloads.yaml", check=True)
            wait_ready(lab.node, 180)
            lab.exec(STARTUP_PROBES + READINESS_PROBES, check=True)
            time.sleep(5)  # the kubelet looks for changed manifests, and stops the old pods first
            wait_ready(lab.node, 180)
            lab.node.power_off()
            for part in ("upper", "containerd"):
                (lab.node.run / part).rename(out / part)
        finally:
            lab.down()


PREPARED = Step("prepared", "the prepared cluster", "40 s", build_prepared,
                lambda: [COREDNS_PATCH, KUBECONFIGS, STARTUP_PROBES, READINESS_PROBES],
                (NODEFILES, IMAGES))  # fmt: skip
