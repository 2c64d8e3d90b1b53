"""What the kubelet says of a pod whose network the CNI cannot make: the words of containerd and of the plugins."""

from __future__ import annotations

import re

from netdoctor.program_messages.message import Kind, Message

# what the kubelet and containerd put before the words of the plugin: it is the same for every pod
BEFORE = re.compile(
    r"^(?:no network: )?(?:(?:\(combined from similar events\): )?"
    r"Failed (?:to )?create pod sandbox: rpc error: code = \w+ desc = "
    r"failed to set ?up (?:network for sandbox|sandbox container) \"\w{1,64}\""
    r"(?: network for pod \"[\w.-]{1,253}\")?: )?",
    re.IGNORECASE,
)
AGENT = "cni-agent-missing"


def _of_agent(agent: str, pattern: str, source: str) -> Message:
    means = f"the CNI plugin asks the agent of {agent} on this node, which is not there"
    return Message(pattern, means, source, cause=AGENT, kind=Kind.NETWORK)


AGENTS = {  # by what the agent is called; each plugin waits for a file or a socket that its agent makes
    "Calico": _of_agent("Calico", r"stat /var/lib/calico/nodename: no such file or directory",
                        "https://github.com/projectcalico/calico/issues/1795"),
    "flannel": _of_agent("flannel", r"open /run/flannel/subnet\.env: no such file or directory",
                         "https://github.com/flannel-io/flannel/issues/2253"),
    "Cilium": _of_agent("Cilium", r"unable to connect to Cilium (?:daemon|agent)|"
                        r"/var/run/cilium/cilium\.sock: connect: [a-z ]{1,40}",
                        "https://github.com/cilium/cilium/issues/27715"),
    "Weave": _of_agent("Weave", r"127\.0\.0\.1:6784[^\n]{0,40}: connect: connection refused",
                       "https://github.com/weaveworks/weave/issues/3998"),
    "the VPC CNI": _of_agent("the VPC CNI", r"127\.0\.0\.1:50051[^\n]{0,40}: connect: connection refused",
                             "https://github.com/aws/amazon-vpc-cni-k8s/issues/1322"),
    "Antrea": _of_agent("Antrea", r"/var/run/antrea/cni\.sock: connect: [a-z ]{1,40}",
                        "https://github.com/kubernetes/kubernetes/issues/107127"),
    "Multus": _of_agent("Multus", r"/run/multus/[\w./-]{0,80}multus\.sock: connect: [a-z ]{1,40}",
                        "https://github.com/k8snetworkplumbingwg/multus-cni/issues/1165"),
}  # fmt: skip
MESSAGES = (
    *AGENTS.values(),
    Message(r"failed to find plugin \"([\w.-]{1,64})\" in path \[([\w./ :-]{1,200})\]",
            "the program of the CNI plugin {1} is not in {2}", "https://github.com/k0sproject/k0s/issues/582",
            cause="cni-config-unusable", kind=Kind.NETWORK, lasting=True),
    Message(r"fork/exec ([\w./-]{1,200}/([\w.-]{1,64})): "
            r"(permission denied|exec format error|no such file or directory)",
            "the CNI plugin {1} cannot be started: {3}", "https://github.com/kubernetes/kubernetes/issues/23011",
            cause="cni-config-unusable", kind=Kind.NETWORK, lasting=True),
    Message(r"no IP addresses available in range set: ([0-9a-fA-F.:]{2,45}-[0-9a-fA-F.:]{2,45})",
            "no address of {1} is free for a pod", "https://github.com/k3s-io/k3s/issues/5885",
            cause="cni-addresses-exhausted", kind=Kind.NETWORK),
    Message(r"could not add IP address (?:([0-9a-fA-F]{0,4}:[0-9a-fA-F:]{1,40}/\d{1,3}) )?to \"([\w.-]{1,15})\": "
            r"permission denied|failed to add IP addr .{0,160}?to \"[\w.-]{1,15}\": permission denied|"
            r"open /proc/sys/net/ipv6/conf/[\w.-]{1,15}/\w{1,40}: no such file or directory",
            "the CNI gives pods an IPv6 address, and IPv6 is off", "https://github.com/cri-o/cri-o/issues/3555",
            cause="cni-address-family-disabled", kind=Kind.NETWORK, lasting=True),
    Message(r"container veth name (?:provided )?\(\"?([\w.-]{1,15})\"?\).{0,60}?already exists|"
            r"could not create veth pair.{0,80}?file exists|"
            r"failed to make veth pair:.{0,80}?file exists",
            "the interface {1} that the CNI makes is there already",
            "https://github.com/hashicorp/nomad/issues/6567", cause="cni-interface-exists", kind=Kind.NETWORK),
    Message(r"\"([\w.-]{1,15})\" already has an IP address different from ([0-9a-fA-F.:]{2,45}/\d{1,3})",
            "the bridge {1} has the address of another pod network than {2}",
            "https://github.com/kubernetes/kubernetes/issues/76070", kind=Kind.NETWORK, lasting=True),
    Message(r"currently holding the xtables lock", "another program holds the lock of iptables",
            "https://github.com/kubernetes/kubernetes/issues/57428", kind=Kind.NETWORK),
)  # fmt: skip


def plugins_words(message: str) -> str:
    """What the plugin said, without what the kubelet and the runtime put before it."""
    return BEFORE.sub("", message, count=1)


def agent_of(said: str) -> str:
    """Whose agent the words are about, "" where they are about none."""
    return next((agent for agent, message in AGENTS.items() if message.compiled.search(said)), "")
