"""What CoreDNS writes before it ends."""

from netdoctor.program_messages.message import Message

KUBERNETES = "https://coredns.io/plugins/kubernetes/"
MESSAGES = (
    Message(r"plugin/loop: Loop \((\S+) -> \S+\) detected for zone \"(\S+)\"|"
            r"plugin/loop: (?:Seen|Forwarding loop detected).{0,120}?loop detected",
            "CoreDNS got its own query back: what it forwards to leads to itself",
            "https://coredns.io/plugins/loop/#troubleshooting", cause="coredns-forwards-to-itself"),
    Message(r"(\S+:\d+) - Error during parsing", "CoreDNS cannot use its Corefile: {1}",
            "https://github.com/coredns/coredns/issues/2593", cause="corefile-invalid", lasting=True),
    Message(r"plugin/forward: not an IP address or file", "a forward line of the Corefile names no resolver",
            "https://coredns.io/plugins/forward/", cause="corefile-invalid", lasting=True),
    Message(r"open /etc/resolv\.conf: permission denied",
            "CoreDNS is not allowed to read its resolv.conf (SELinux, or the file's mode)",
            "https://github.com/cri-o/cri-o/issues/911"),
    Message(r"listen (?:tcp|udp) (\S+): bind: (address already in use|permission denied)",
            "CoreDNS cannot listen on {1}: {2}", "https://github.com/coredns/coredns/issues/6716"),
    Message(r"plugin/kubernetes: .{0,200}?is forbidden: User \"[^\"]{0,120}\" cannot (?:list|watch) resource",
            "CoreDNS is not allowed to read Services and endpoints (RBAC)", KUBERNETES),
    Message(r"dial tcp (\S+:\d+): (i/o timeout|connect: [a-z ]{1,40})", "CoreDNS does not reach {1}: {2}", KUBERNETES),
)  # fmt: skip
