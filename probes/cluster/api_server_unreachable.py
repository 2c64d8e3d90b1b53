"""The API server does not answer.

## What it checks
`GET /version` with the administrator's kubeconfig.

## Why it matters
Without it nothing new is scheduled, and kube-proxy does not learn of changes to Services and pods. Running pods keep
running. netdoctor continues too: it reads Services from kube-proxy's rules and pods from the CNI's cache.

## By hand
`curl -k https://NODE:8443/livez`; `crictl ps -a | grep apiserver`; `journalctl -u kubelet`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, probe
from netdoctor.errors import CannotRead, Why
from netdoctor.model import Confidence
from netdoctor.shell import command
from netdoctor.system.kube_api import KubeApi


@probe(
    area=Area.NODE,
    healthy="the API server answers",
)
def api_server_unreachable(api: KubeApi | CannotRead) -> Iterator[Finding]:
    """No version from the API server."""
    if not isinstance(api, CannotRead):
        return
    if api.why is not Why.NO_ANSWER:
        raise api
    yield Finding(
        f"the API server does not answer: {api.reason}",
        (Evidence(api.source, api.reason, "its version"),),
        confidence=Confidence.CONFIRMED,
        by_hand=(
            *command("sudo crictl ps -a | grep apiserver"),
            *command("sudo journalctl -u kubelet -n 50"),
            *command("curl -k {:url}/livez", api.source.removeprefix("API server").strip()),
        ),
    )
