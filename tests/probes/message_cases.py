"""The cases of what programs say: logs of pods that do not stay up, and the kubelet's words for pods without a network.

The texts are those of CoreDNS 1.14, kube-proxy 1.36, containerd 2.2 and the plugins, as the lab shows them, and
Calico's.
"""

from __future__ import annotations

from dataclasses import replace

from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.coredns import OWN_FILE, Upstream, Upstreams
from netdoctor.facts.cluster.corefile_refusal import CorefileRefusal
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.kubelet_resolvers import KubeletResolvers
from netdoctor.facts.cluster.last_ends import COREDNS, KUBE_PROXY, LastEnd, LastEnds
from netdoctor.facts.cluster.workloads import Pods, Workload, Workloads
from netdoctor.facts.gateways.gateway_ends import GatewayEnds
from netdoctor.facts.node.ipv6_switches import Ipv6Switches
from netdoctor.facts.node.reserved_addresses import ReservedAddresses
from netdoctor.facts.node.sysctl import TRACKED_MOST, Sysctls
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusals, refusal_of
from netdoctor.model import Confidence, Severity
from netdoctor.program_messages import coredns, gateways, kube_proxy, network_agents
from netdoctor.program_messages.message import find
from netdoctor.system.kubelet_settings import USUAL
from tests.builders import NODE_NAME, cni, pods, slices, sysctls, workloads
from tests.gateways.module_builders import modules
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Case
from tests.worlds import unread

TABLES = {COREDNS: coredns.MESSAGES, KUBE_PROXY: kube_proxy.MESSAGES, "llm": gateways.MESSAGES}
P1001 = "Error: P1001: Can't reach database server at `postgres:5432`"
LOOP = ('[FATAL] plugin/loop: Loop (127.0.0.1:53402 -> :53) detected for zone ".", see '
        "https://coredns.io/plugins/loop#troubleshooting.")  # fmt: skip
DENIED = ("could not set conntrack parameters from kube-proxy configuration: open "
          "/proc/sys/net/netfilter/nf_conntrack_max: permission denied")  # fmt: skip
ABSENT = DENIED.replace("permission denied", "no such file or directory")
RPF = ("2019-05-06 [FATAL][9] int_dataplane.go 824: Kernel's RPF check is set to 'loose'.  This would allow "
       "endpoints to spoof their IP address.")  # fmt: skip
NODENAME = ('plugin type="calico" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that '
            "the calico/node container is running and has mounted /var/lib/calico/")  # fmt: skip
FULL = "failed to allocate for range 0: no IP addresses available in range set: 10.244.0.1-10.244.0.40"
TAKEN = 'plugin type="bridge" failed (add): container veth name ("eth0") peer provided ("vethc6f8657b") already exists'
NO_IPV6 = ('plugin type="bridge" failed (add): failed to set bridge addr: could not add IP address fd00:10:244::1/64 '
           'to "bridge": permission denied')  # fmt: skip
LOOPBACK_GONE = 'plugin type="loopback" failed (add): failed to find plugin "loopback" in path [/opt/cni/bin]'
NOT_EXECUTABLE = "netplugin failed with no error message: fork/exec /opt/cni/bin/host-local: permission denied"
UNKNOWN_WORDS = 'plugin type="bridge" failed (add): something that nobody knows'
STUB = KubeletResolvers(USUAL, ("127.0.0.53",), ("192.0.2.53",))
OF_POD = {COREDNS: "coredns-5dd-xyz12", KUBE_PROXY: "kube-proxy-1"}


def ended(program: str, line: str, **changed: object) -> LastEnds:
    """One container that has ended, and whose log's telling line is this one."""
    found = find(line, TABLES.get(program, network_agents.MESSAGES))
    pod = OF_POD.get(program, "calico-node-1")
    end = LastEnd(program, "kube-system", pod, NODE_NAME, "main", 1, "Error", "2026-01-01T00:00:00Z", 4,
                  found.said if found else line, found.means if found else "",
                  found.message.cause if found else "")  # fmt: skip
    return LastEnds((replace(end, **changed),))  # type: ignore[arg-type]


def of_gateway(line: str, **changed: object) -> GatewayEnds:
    """A container of module llm that has ended."""
    (end,) = ended("llm", line, namespace="litellm", pod="litellm-llm-1", **changed).items
    return GatewayEnds((end,))


def refused(message: str) -> tuple[SandboxRefusals, dict[type, CannotRead]]:
    """The test pod, which the CNI has refused with these words."""
    reason = CannotRead("test pod", f"no network: {message}", Why.NO_NETWORK)
    return SandboxRefusals((refusal_of("", "", message),)), {NewPod: reason}


def another(message: str) -> SandboxRefusals:
    """A pod that was refused, while others are not."""
    return SandboxRefusals((refusal_of("shop", "cart-1", message),))


def of_test_pod(probe: str, story: str, message: str, says: str, *facts: object, evidence: str = "") -> Case:
    """The test pod is refused with these words."""
    refusals, reason = refused(message)
    return Case(probe, story, FAIL, (refusals, *facts), says, reason, evidence=evidence)


def with_daemon_set(name: str) -> Workloads:
    return Workloads((*workloads().items, Workload("DaemonSet", "kube-system", name, 1, 0, {})))


def on_host_network() -> Pods:
    return pods(host_network=True)


LIKELY, WARNING = Confidence.LIKELY, Severity.WARNING
OWN = Upstreams((Upstream("127.0.0.53", 53, False),), f"Corefile -> {OWN_FILE}")
NO_MAXIMUM = Sysctls({**sysctls().values, TRACKED_MOST: None})
LOOSE = Sysctls({**sysctls().values, "net.ipv4.conf.all.rp_filter": "2"})
STRICT = Sysctls({**sysctls().values, "net.ipv4.conf.all.rp_filter": "1"})
CASES = [
    Case("coredns-forwards-to-itself", "the kubelet gives it the node's stub", FAIL, (ended(COREDNS, LOOP), STUB),
         "nameserver 127.0.0.53 from /etc/resolv.conf, which is the pod itself", evidence="plugin/loop"),
    Case("coredns-forwards-to-itself", "by way of another resolver", FAIL, (ended(COREDNS, LOOP),),
         "the resolver that it forwards to leads back to it", confidence=LIKELY),
    Case("coredns-forwards-to-itself", "it runs without the plugin loop", FAIL, (STUB, OWN), "127.0.0.53",
         evidence="127.0.0.53:53"),
    Case("coredns-forwards-to-itself", "a stub that CoreDNS does not use", PASS, (STUB,)),
    Case("coredns-forwards-to-itself", "on the host's network the stub is right", PASS, (STUB, OWN, on_host_network())),
    Case("coredns-forwards-to-itself", "a resolver of its own pod, which the Corefile names", PASS,
         (Upstreams((Upstream("127.0.0.1", 5353, False),), "Corefile"),)),
    Case("coredns-forwards-to-itself", "it ended for another reason", PASS, (ended(COREDNS, "panic: x"), STUB)),
    Case("coredns-not-ready", "it ends with a line that nobody knows", FAIL,
         (slices("kube-system/kube-dns"), ended(COREDNS, "panic: runtime error: index out of range [3]")),
         "ended with exit status 1: panic: runtime error: index out of range [3]", evidence="panic: runtime error"),
    Case("coredns-not-ready", "out of memory", FAIL,
         (slices("kube-system/kube-dns"), ended(COREDNS, "[INFO] 10.244.0.7", exit_code=137, kind="OOMKilled")),
         "ended with exit status 137 (OOMKilled)"),
    Case("coredns-not-ready", "it is ready for a moment between two ends", FAIL, (ended(COREDNS, "panic: x"),),
         "panic: x"),
    Case("coredns-not-ready", "one of two keeps ending", PASS, (ended(COREDNS, "panic: x", pod="coredns-2"),)),
    Case("coredns-not-ready", "a message that is known, and that no probe judges", FAIL,
         (slices("kube-system/kube-dns"), ended(COREDNS, "Listen: listen tcp :53: bind: permission denied")),
         "(CoreDNS cannot listen on :53: permission denied)"),
    Case("coredns-not-ready", "its log cannot be read", FAIL, (slices("kube-system/kube-dns"),), "1 pods, none ready",
         unread=unread(LastEnds)),
    Case("kube-proxy-conntrack-refused", "it may not write", FAIL, (ended(KUBE_PROXY, DENIED),),
         "nf_conntrack_max: permission denied", confidence=LIKELY, evidence="262144"),
    Case("kube-proxy-conntrack-refused", "the kernel has no such setting", FAIL,
         (ended(KUBE_PROXY, ABSENT), NO_MAXIMUM), "nf_conntrack_max: no such file or directory",
         evidence="there is no such file"),
    Case("kube-proxy-conntrack-refused", "another end", PASS, (ended(KUBE_PROXY, "E0101 bad config"),)),
    Case("kube-proxy-conntrack-refused", "the logs cannot be read", UNKNOWN, unread=unread(LastEnds)),
    Case("kube-proxy-not-running", "it ends with a line that nobody knows", FAIL,
         (KubeProxy("iptables", "", False, "kube-system/kube-proxy-1", ""), ended(KUBE_PROXY, "F0101 no way")),
         "ended with exit status 1: F0101 no way"),
    Case("kube-proxy-not-running", "it runs for a moment between two ends", FAIL, (ended(KUBE_PROXY, "F0101 no way"),),
         "F0101 no way"),
    Case("kube-proxy-not-running", "it has ended once, and runs", PASS, (ended(KUBE_PROXY, "F0101 x", restarts=1),)),
    Case("calico-refuses-loose-rp-filter", "it is loose", FAIL, (ended("Calico", RPF), LOOSE),
         "net.ipv4.conf.all.rp_filter is 2"),
    Case("calico-refuses-loose-rp-filter", "it was changed meanwhile", FAIL, (ended("Calico", RPF), STRICT),
         confidence=LIKELY),
    Case("calico-refuses-loose-rp-filter", "loose, and nobody minds", PASS, (LOOSE,)),
    Case("network-agent-not-running", "it ends, and new pods get no network", FAIL,
         (ended("Calico", "panic: no datastore"),), "panic: no datastore", refused(NODENAME)[1]),
    Case("network-agent-not-running", "it ends, and new pods get their network", FAIL,
         (ended("Calico", "panic: no datastore"),), "panic: no datastore", severity=WARNING),
    Case("network-agent-not-running", "others end", PASS, (ended(COREDNS, LOOP),)),
    of_test_pod("cni-agent-missing", "left over from a network that is gone", NODENAME,
                "/etc/cni/net.d/1-k8s.conflist is left over from Calico", evidence="none"),
    of_test_pod("cni-agent-missing", "the agent does not run here", NODENAME,
                "asks the agent of Calico, which does not run on this node", with_daemon_set("calico-node"),
                evidence="kube-system/calico-node"),
    Case("cni-agent-missing", "refused for another reason", PASS, (another(FULL),)),
    of_test_pod("cni-addresses-exhausted", "left over", FULL, "37 of them are reserved for pods that are gone",
                ReservedAddresses("k8s-pod-network", 40), evidence="40 addresses are reserved, for 3 pods"),
    of_test_pod("cni-addresses-exhausted", "as many pods as addresses", FULL,
                "no address is free for a new pod in 10.244.0.1-10.244.0.40"),
    Case("cni-addresses-exhausted", "one pod was refused", FAIL, (another(FULL),), "no address is free"),
    Case("cni-addresses-exhausted", "many reserved, and nobody refused", PASS, (ReservedAddresses("n", 250),)),
    of_test_pod("cni-interface-exists", "two plugins make it", TAKEN, "has 2 plugins that make a pod's interface",
                cni(plugins=({"type": "bridge", "bridge": "a"}, {"type": "ptp"}, {"type": "portmap"}))),
    of_test_pod("cni-interface-exists", "left behind", TAKEN, "eth0 is there already"),
    Case("cni-interface-exists", "of one pod", FAIL, (another("could not create veth pair vethx: file exists"),),
         "the interface of pod shop/cart-1"),
    of_test_pod("cni-address-family-disabled", "off for the bridge", NO_IPV6, "net.ipv6.conf.bridge.disable_ipv6 = 1",
                Ipv6Switches({"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.bridge.disable_ipv6": "1"})),
    of_test_pod("cni-address-family-disabled", "the kernel has none",
                "open /proc/sys/net/ipv6/conf/eth0/accept_dad: no such file or directory", "IPv6 is off",
                Ipv6Switches({}), evidence="the kernel has no IPv6"),
    Case("cni-address-family-disabled", "the switches were not read", FAIL, (refused(NO_IPV6)[0],), "IPv6 is off",
         {**refused(NO_IPV6)[1], **unread(Ipv6Switches)}, confidence=LIKELY),
    Case("cni-address-family-disabled", "off, and the CNI gives IPv4 alone", PASS,
         (Ipv6Switches({"net.ipv6.conf.all.disable_ipv6": "1"}),)),
    Case("gateway-keeps-ending", "a key that it refuses", FAIL,
         (modules(), of_gateway("proxy refused to start: the master key is a publicly known default.")),
         "gateway llm ends again and again: LiteLLM refuses its well-known default key", confidence=LIKELY,
         stands_for=("litellm-master-or-salt-key",)),
    Case("gateway-keeps-ending", "out of memory", FAIL, (modules(), of_gateway("INFO: started", kind="OOMKilled")),
         "needs more memory than its limit",
         stands_for=("litellm-nonroot-home-or-oom",)),
    Case("gateway-keeps-ending", "a line that nobody knows", FAIL, (modules(), of_gateway("KeyError: 'x'")),
         "KeyError: 'x'",
         severity=WARNING, confidence=LIKELY),
    Case("gateway-keeps-ending", "it waits for Postgres", PASS, (modules(), of_gateway(P1001))),
    Case("gateway-keeps-ending", "Postgres refuses its password", PASS,
         (modules(), of_gateway('FATAL: password authentication failed for user "x"'))),
    Case("gateway-keeps-ending", "they stay up", PASS, (modules(), GatewayEnds(()))),
    Case("gateway-keeps-ending", "there is none", NOT_APPLICABLE, says="no workload of LiteLLM"),
    Case("corefile-invalid", "it could not be loaded, and the old one serves", FAIL,
         (CorefileRefusal("kube-system/coredns-1", 5, "Unknown directive 'redy'", runs=True),),
         "CoreDNS runs with its old Corefile, and will not start with the new one (line 5)", severity=WARNING),
    of_test_pod("cni-config-unusable", "a plugin that no configuration names", LOOPBACK_GONE,
                "the program of the CNI plugin loopback is not in /opt/cni/bin"),
    of_test_pod("cni-config-unusable", "a program that may not be started", NOT_EXECUTABLE,
                "the CNI plugin /opt/cni/bin/host-local cannot be started: permission denied"),
    Case("new-pod-without-network", "another pod is refused again and again", FAIL, (another(UNKNOWN_WORDS),),
         "pod shop/cart-1 gets no network: "),
    of_test_pod("new-pod-without-network", "words that are known, and that no probe judges",
                '"cni0" already has an IP address different from 10.244.1.1/24', "already has an IP address",
                evidence="the bridge cni0 has the address of another pod network than 10.244.1.1/24"),
]  # fmt: skip
