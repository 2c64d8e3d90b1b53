"""What the agents of pod networks write before they end: Calico, flannel, Cilium."""

from netdoctor.program_messages.message import Message

MESSAGES = (
    Message(r"Kernel's RPF check is set to 'loose'",
            "Calico refuses to run while reverse path filtering is loose",
            "https://github.com/projectcalico/felix/pull/1322", cause="calico-refuses-loose-rp-filter", lasting=True),
    Message(r"Error registering network: failed to acquire lease: node \"([\w.-]{1,253})\" pod cidr not assigned",
            "the node {1} has no pod CIDR: flannel needs one",
            "https://github.com/flannel-io/flannel/blob/master/Documentation/troubleshooting.md", lasting=True),
    Message(r"is forbidden: User \"[^\"]{0,120}\" cannot (?:get|list|watch|patch) resource \"(\w{1,40})\"",
            "it is not allowed to use {1} of the API server (RBAC)",
            "https://kubernetes.io/docs/reference/access-authn-authz/rbac/"),
    Message(r"dial tcp (\S+:\d+): (i/o timeout|connect: [a-z ]{1,40})", "it does not reach {1}: {2}",
            "https://docs.tigera.io/calico/latest/operations/troubleshoot/troubleshooting"),
)  # fmt: skip
