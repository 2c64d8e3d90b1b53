"""A Service whose external address is the node's own: kube-proxy leads a port of the node's daemons to a pod."""

from __future__ import annotations

from dataclasses import replace

from netdoctor.changes.kube_proxy import ResyncKubeProxy
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.services import Service, ServicePort, service_of
from netdoctor.facts.cluster.this_node import LocalAddresses, ThisNode
from netdoctor.facts.cluster.translated import Translated
from netdoctor.remedies.cluster.resync_kube_proxy import resync_kube_proxy
from tests.builders import NODE_ADDRESS, POSTGRES, POSTGRES_IP, services, slices


def test_it_is_read() -> None:
    found = service_of(
        {
            "metadata": {"namespace": "tenant", "name": "ssh"},
            "spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 22}], "externalIPs": [NODE_ADDRESS]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.200"}, {"hostname": "lb.example.com"}]}},
        }
    )
    assert found.outside == (NODE_ADDRESS, "192.0.2.200")


def test_a_rehearsal_translates_it() -> None:
    at_node = (NODE_ADDRESS, "203.0.113.5", "2001:db8::5")
    ports = (ServicePort("", "TCP", 5432, 0),)
    everything = services("postgres")
    mine = Service("default", "postgres", "ClusterIP", POSTGRES_IP, ports, {}, outside=at_node)
    everything = replace(everything, items=(*everything.items, mine))
    wanted = tuple((service, port) for service in everything.items for port in service.ports)
    (change,) = resync_kube_proxy(
        (), KubeProxy("iptables", "", True, "kube-system/kube-proxy-x", "", uid="u"), everything, slices(),
        Translated(True, (), False, "iptables", wanted=wanted), ThisNode("minikube", (NODE_ADDRESS,), ""),
        LocalAddresses((NODE_ADDRESS, "2001:db8::5")),
    )  # fmt: skip
    assert isinstance(change, ResyncKubeProxy)
    external = [each for each in change.translations if each[0] in at_node]
    assert external == [(NODE_ADDRESS, "tcp", 5432, POSTGRES, 5432)]
