"""What kube-proxy writes before it ends."""

from netdoctor.program_messages.message import Message

CONNTRACK = (
    r"(?:open|write) (/proc/sys/net/netfilter/nf_conntrack_\w{1,30}|/sys/module/nf_conntrack/parameters/hashsize): "
    r"(permission denied|no such file or directory|read-only file system|operation not supported|invalid argument)"
)
MESSAGES = (
    Message(CONNTRACK, "kube-proxy ends because it cannot set connection tracking: {1}: {2}",
            "https://github.com/kubernetes-sigs/kind/issues/2240", cause="kube-proxy-conntrack-refused", lasting=True),
    Message(r"Another app is currently holding the xtables lock", "another program holds the lock of iptables",
            "https://github.com/kubernetes/kubernetes/issues/57428"),
    Message(r"strict decoding error: unknown field \"([\w.]{1,60})\"",
            "kube-proxy's configuration has a field that it does not know: {1}",
            "https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/", lasting=True),
    Message(r"is forbidden: User \"[^\"]{0,120}\" cannot (?:list|watch) resource \"(\w{1,40})\"",
            "kube-proxy is not allowed to read {1} (RBAC)",
            "https://kubernetes.io/docs/reference/access-authn-authz/rbac/"),
    Message(r"dial tcp (\S+:\d+): (i/o timeout|connect: [a-z ]{1,40})", "kube-proxy does not reach {1}: {2}",
            "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/"),
)  # fmt: skip
