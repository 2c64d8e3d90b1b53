"""What users see, in the groups that one cause explains: few and stable, while causes come and go.

A probe says what it explains with one of these, or with names of its own.
"""

OUTSIDE = ("pod-to-outside-blocked", "outside-names-unresolved")
CLUSTER_DNS = ("cluster-dns-silent", "outside-names-unresolved", "postgres-name-unresolved")
CLUSTER_IPS = ("cluster-ip-unreachable", "coredns-not-ready", "postgres-unreachable", *CLUSTER_DNS)
POD_TRAFFIC = ("pod-to-pod-blocked", "pod-to-node-blocked", "pod-to-outside-blocked", *CLUSTER_IPS)
