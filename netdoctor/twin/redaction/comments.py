"""Whose a rule's comment is: kube-proxy's and the network plugins' own say what it is for; any other is private.

Taken from the sources of kube-proxy 1.36 (iptables, nftables, ipvs), the CNI plugins 1.9, flannel and Calico.
"""

from __future__ import annotations

import re

BLANK = "redacted"
SERVICE = r"[a-z0-9.-]+/[A-Za-z0-9.-]+(?::[A-Za-z0-9.-]+)?"
FORMS = (
    # kube-proxy and kubelet
    rf"{SERVICE}(?: (?:cluster|external|load ?balancer) IP| has no (?:local )?endpoints| health check node port"
    r"| traffic not accepted by [A-Z0-9-]+| -> \S+)?",
    rf"(?:masquerade|masquerade LOCAL|route LOCAL|pod) traffic for {SERVICE} external destinations",
    rf"other traffic to {SERVICE} will be dropped by KUBE-PROXY-FIREWALL",
    r"kubernetes (?:externally-visible )?service portals",
    r"kubernetes (?:forwarding|postrouting|health check) rules",
    r"kubernetes forwarding conntrack (?:rule|pod (?:source|destination) rule)",
    r"kubernetes (?:load balancer firewall|health check service ports|ipvs access filter)",
    r"kubernetes service (?:traffic requiring SNAT|nodeports; NOTE: this must be the last rule in this chain)",
    r"kubernetes firewall for dropping marked packets",
    r"handle ClusterIPs; NOTE: this must be before the NodePort rules",
    r"Kubernetes (?:service|endpoints|nodeport|health check) [\w .,:+='-]* ?(?:purpose|portal|port|sourceRange|=local"
    r"|'hash ip:port')",
    r"block incoming localnet connections",
    r"Redirect pods trying to reach external loadbalancer VIP to clusterIP",
    r"rules for (?:kube-proxy|flannel-ipv[46])",
    r"service hairpin connections|Active ClusterIPs|IPs that accept NodePort traffic|NodePort traffic",
    r"(?:Reject|Drop) traffic to (?:invalid ports of|unallocated) ClusterIPs",
    r"vmap to drop or reject packets to service(?:s| nodeports) with no endpoints",
    r"helper for @no-endpoint-services / @no-endpoint-nodeports",
    r"destinations that are subject to LoadBalancerSourceRanges|ClusterIP, ExternalIP and LoadBalancer IP traffic",
    r"masquerade(?: all clusterIP traffic| clusterIP traffic from outside cluster| local traffic)?",
    r"short-circuit (?:pod|local) traffic",
    # the CNI plugins
    r"(?:dnat |snat )?name: \"[^\"]*\" id: \"[^\"]*\"?",
    r"CNI firewall plugin (?:rules(?: \(ingressPolicy: [\w|-]+\))?|admin overrides)",
    r"CNI portfwd (?:masquerade mark|requiring masquerade)|CNI portmap plugin",
    r"Masquerading for plugins from github\.com/containernetworking/plugins",
    r"Masquerade traffic from certain IPs to any \(non-multicast\) IP outside their subnet",
    r"[0-9a-z]+-[0-9a-z]+, net: \S+, if: \S+, id: \S*",
    r"[0-9a-f]{64}",  # portmap on nftables: the container
    # flannel and Calico
    r"flanneld (?:masq|forward)",
    r"cali:[\w-]+",
)
OWN = re.compile("|".join(f"(?:{form})" for form in FORMS))
OWN_CHAIN = re.compile(r"(?:KUBE|CNI|FLANNEL|cali|CILIUM|OLD_CILIUM|WEAVE)[-_]")


def stays(comment: str, chain: str = "") -> bool:
    """Whether a comment is kube-proxy's or a network plugin's own: by its words, or as the rule is in their chain."""
    return bool(OWN.fullmatch(comment) or OWN_CHAIN.match(chain))
