"""From when until when the node's certificates are valid, and what its clock says."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from netdoctor.system.certificate_dates import certificates, dates
from netdoctor.system.host import Host

OF_KUBELET = ("/var/lib/kubelet/pki/kubelet-client-current.pem", "/var/lib/rancher/k3s/agent/client-kubelet.crt")
OF_K3S = "/var/lib/rancher/k3s/server/tls/serving-kube-apiserver.crt"
# of an API server by kubeadm or minikube; those that are there are read
FOLDERS = ("/etc/kubernetes/pki", "/var/lib/minikube/certs")
SERVER_FILES = (
    "ca.crt", "apiserver.crt", "apiserver-kubelet-client.crt", "apiserver-etcd-client.crt", "front-proxy-ca.crt",
    "front-proxy-client.crt", "etcd/ca.crt", "etcd/server.crt", "etcd/peer.crt",
)  # fmt: skip
MANIFEST = Path("/etc/kubernetes/manifests/kube-apiserver.yaml")
USED_FOLDER = re.compile(r"^\s*- --tls-cert-file=(/[\w./-]{1,200})/apiserver\.crt\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Term:
    """The validity of one file's first certificate."""

    path: str
    begins: int  # seconds since the epoch
    ends: int


@dataclass(frozen=True, slots=True)
class CertificateTerms:
    """terms of certificates"""

    items: tuple[Term, ...]
    clock: int  # of this node, when they were read

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, host: Host) -> CertificateTerms:
        """Each file that is there and holds a certificate. Raises CannotRead."""
        found: list[Term] = []
        for path in _files(host):
            text = host.read_or_none(path)
            found += [] if text is None else parse(path, text)
        return cls(tuple(found), int(time.time()))


def _files(host: Host) -> Iterator[str]:
    """The kubelet's, and those of the API server that runs here: an old folder of another one is left out."""
    yield from (*OF_KUBELET, OF_K3S)
    used = USED_FOLDER.search(host.read_or_none(MANIFEST) or "")
    if used and used[1] in FOLDERS:
        yield from (f"{used[1]}/{name}" for name in SERVER_FILES)


def parse(path: str, text: str) -> list[Term]:
    """The term of a file's first certificate, the one that is shown to others; none where it has none."""
    try:
        return [Term(path, *dates(der)) for der in certificates(text)[:1]]
    except ValueError:
        return []
