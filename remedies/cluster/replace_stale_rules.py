"""Make kube-proxy replace rules that lead to what is not an endpoint.

## What it does
Deletes kube-proxy's pod on this node, as resync-kube-proxy does and under the same conditions; the new one writes every
chain of every Service again. Then it waits until no rule leads to these addresses any more.

## What it costs
kube-proxy restarts; established connections are not touched.

## By hand
`kubectl -n kube-system get pods -o wide`, and delete the pod of this node that DaemonSet kube-proxy controls. Where the
rules came from a saved file, delete its lines with `KUBE-` and `CNI-`, or its table `kube-proxy`: they would come back
with the next boot.

## Undo
Nothing: the rules are kube-proxy's own, and stay as it wrote them.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, remedy
from netdoctor.changes.kube_proxy import ResyncKubeProxy
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.services import EndpointSlices
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.translated import Translated
from netdoctor.model import Access
from netdoctor.remedies.cluster.resync_kube_proxy import require_restartable

MOST = 200  # Services that a rehearsal translates


@remedy(fixes="kube-proxy-rules-stale", opens=(Access.POD_TO_SERVICE,))
def replace_stale_rules(
    findings: tuple[Finding, ...],  # noqa: ARG001 - kube-proxy writes all of its rules or none
    kube_proxy: KubeProxy,
    translated: Translated,
    endpoints: EndpointSlices,
    this: ThisNode,
) -> Iterator[Change]:
    """The pod, and what no rule may lead to afterwards."""
    if not translated.stale:
        return
    require_restartable(kube_proxy, translated)
    stale, right = [], []
    for service, port, end in translated.stale:
        asked = (service.cluster_ip, port.protocol.lower(), port.port)
        stale.append((*asked, end))
        right += [(*asked, good.address, good.port) for good in endpoints.behind(service, port)]
    yield ResyncKubeProxy.planned(
        kube_proxy.pod,
        kube_proxy.mode,
        (),
        (),
        tuple(dict.fromkeys(right))[:MOST],
        uid=kube_proxy.uid,
        node=this.name,
        stale=tuple(stale),
    )
