"""What users see, in the groups that one cause explains: few and stable, while causes come and go.

A probe says what it explains with one of these, or with names of its own.
"""

PROVIDERS = ("provider-unreachable", "provider-name-unresolved")
OUTSIDE = ("pod-to-outside-blocked", "outside-names-unresolved", *PROVIDERS)
CLUSTER_DNS = (
    "cluster-dns-silent", "outside-names-unresolved", "postgres-name-unresolved", "provider-name-unresolved",
)  # fmt: skip
DATABASE_NAMES = ("postgres-name-unresolved", "postgres-unreachable")
SERVICES = ("service-unreachable", "node-port-unreachable", "pod-to-itself-blocked", "ports-closed-to-outside")
CLUSTER_IPS = ("cluster-ip-unreachable", "coredns-not-ready", "postgres-unreachable", *SERVICES, *CLUSTER_DNS)
POD_TRAFFIC = (
    "pod-to-pod-blocked", "pod-to-node-blocked", "node-to-pod-blocked", "pod-to-outside-blocked",
    "host-port-unreachable", "provider-unreachable", *CLUSTER_IPS,
)  # fmt: skip
