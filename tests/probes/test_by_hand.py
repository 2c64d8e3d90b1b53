"""What a person is told to type for a fault that no remedy repairs: the command, with the values found."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from netdoctor.facts.cluster.workloads import Pods, Workloads
from netdoctor.facts.node.links import Interface, Links
from netdoctor.facts.traffic.drops import Drop, Drops
from netdoctor.model import Finding
from netdoctor.system.nft_trace import Dropped
from tests.builders import BRIDGE, slices, workloads
from tests.probes.cases import FAIL, Case
from tests.probes.test_probes import CASES
from tests.worlds import catalogue, judge

EDIT_COREFILE = "kubectl -n kube-system edit configmap coredns"
LOG_OF_POSTGRES = ["kubectl -n default logs service/postgres --tail=50"]
ASK_PROVIDER = ["dig @10.96.0.10 example.com", "kubectl -n litellm get configmaps -o yaml | grep -nF example.com"]
TYPED = {
    ("calico-refuses-loose-rp-filter", "it is loose"): [
        "sudo sysctl -w net.ipv4.conf.all.rp_filter=1", "kubectl -n kube-system delete pod/calico-node-1",
    ],
    ("cni-addresses-exhausted", "left over"): ["sudo ls -l /var/lib/cni/networks/k8s-pod-network"],
    ("cni-agent-missing", "left over from a network that is gone"): [
        "sudo mv /etc/cni/net.d/1-k8s.conflist /root/",
    ],
    ("cni-agent-missing", "the agent does not run here"): ["kubectl -n kube-system describe daemonset/calico-node"],
    ("cni-config-unusable", "a plugin that no configuration names"): ["sudo ls -l /opt/cni/bin/loopback"],
    ("cni-config-unusable", "a program that may not be started"): ["sudo ls -l /opt/cni/bin/host-local"],
    ("cni-interface-exists", "left behind"): ["ip -br link show type veth"],
    ("cni-interface-exists", "two plugins make it"): ["sudoedit /etc/cni/net.d/1-k8s.conflist"],
    ("cni-address-family-disabled", "off for the bridge"): [
        "sudoedit /etc/cni/net.d/1-k8s.conflist", "sudo sysctl -w net.ipv6.conf.bridge.disable_ipv6=0",
    ],
    ("certificate-not-valid", "that of the API server has expired"): ["sudo kubeadm certs check-expiration"],
    ("certificate-not-valid", "the clock is behind"): ["sudo chronyc tracking"],
    ("connection-to-gone-endpoint", "a client that keeps its port"): [
        "sudo conntrack -D -p udp --orig-dst 10.96.0.10 --reply-src 10.244.0.250",
    ],
    ("coredns-forwards-to-itself", "the kubelet gives it the node's stub"): [
        "sudoedit /var/lib/kubelet/config.yaml  # resolvConf: /run/systemd/resolve/resolv.conf",
        "sudo systemctl restart kubelet", "kubectl -n kube-system rollout restart deployment/coredns",
    ],
    ("coredns-forwards-to-itself", "by way of another resolver"): [f"{EDIT_COREFILE}  # forward"],
    ("kube-proxy-conntrack-refused", "it may not write"): [
        "kubectl -n kube-system edit configmap kube-proxy  # conntrack: {maxPerCore: 0, min: 0}",
        "kubectl -n kube-system delete pod/kube-proxy-1",
    ],
    ("kube-proxy-conntrack-refused", "the kernel has no such setting"): ["sudo modprobe nf_conntrack"],
    ("network-agent-not-running", "it ends, and new pods get no network"): [
        "kubectl -n kube-system logs pod/calico-node-1 --container=main --previous",
    ],
    ("api-server-unreachable", "down"): [
        "sudo crictl ps -a | grep apiserver", "sudo journalctl -u kubelet -n 50",
        "curl -k https://192.0.2.10:8443/livez",
    ],
    ("cluster-dns-bypassed", "on the host's network"): [
        "kubectl -n ai patch deployment/app --type merge -p "
        """'{"spec":{"template":{"spec":{"dnsPolicy":"ClusterFirstWithHostNet"}}}}'""",
    ],
    ("cluster-dns-bypassed", "the node's resolvers by its own choice"): [
        "kubectl -n ai patch deployment/app --type merge -p "
        """'{"spec":{"template":{"spec":{"dnsPolicy":"ClusterFirst"}}}}'""",
    ],
    ("cluster-dns-bypassed", "a bare pod"): ["kubectl -n ai get pod/app-1 -o yaml"],
    ("ports-closed-to-outside", "a rule drops a neighbour's packets"): [
        "sudo netdoctor trace outside 192.0.2.10 30080",
    ],
    ("firewalld-forwards-own-ports", "translated packets end in its chain"): [
        "sudo sed -i s/^StrictForwardPorts=.*/StrictForwardPorts=no/ /etc/firewalld/firewalld.conf",
        "sudo firewall-cmd --reload",
    ],
    ("ipv6-lookups-failing", "nobody answers AAAA"): [
        "dig @10.96.0.10 kubernetes.default.svc.cluster.local. AAAA",
    ],
    ("ipv6-lookups-failing", "of outside names, by the upstream"): ["dig @10.96.0.10 p1.example.com AAAA"],
    ("cluster-domain-mismatch", "the Corefile's zone is mistyped"): [
        f"{EDIT_COREFILE}  # kubernetes: cluster.local in place of clouster.local",
    ],
    ("cni-config-unusable", "no file"): ["sudo ls -l /etc/cni/net.d"],
    ("cni-config-unusable", "a plugin is missing, and no pod could be tried"): ["sudo ls -l /opt/cni/bin/portmap"],
    ("connection-tracking-full", "as many as may be"): ["sudo sysctl -w net.netfilter.nf_conntrack_max=524288"],
    ("coredns-not-ready", "scaled to 0"): ["kubectl -n kube-system scale deployment/coredns --replicas=1"],
    ("coredns-not-ready", "crashing"): ["kubectl -n kube-system describe pod/coredns-5dd-xyz12"],
    ("coredns-upstream-dead", "all"): [
        f"{EDIT_COREFILE}  # a resolver that answers, in place of: forward . 8.8.8.8 1.1.1.1"
    ],
    ("coredns-upstream-dead", "the node has other resolvers than when CoreDNS's pod was made"): [
        "kubectl -n kube-system rollout restart deployment/coredns",
    ],
    ("corefile-invalid", "a block left open"): [EDIT_COREFILE],
    ("corefile-invalid", "a directive that CoreDNS does not know"): [f"{EDIT_COREFILE}  # line 5"],
    ("endpoint-port-closed", "another port"): [
        "kubectl -n kube-system edit service/kube-dns  # targetPort 5353: the pod has 53",
    ],
    ("endpoint-port-closed", "on localhost only"): [],
    ("found-by-experiment", "a setting whose change alone lets the packet pass"): ["sudo sysctl -w x=2"],
    ("gateway-silent", "no answer to ARP, and the host reaches no resolver"): [
        "ip neigh show to 192.0.2.1 dev eth0", "sudo arping -c 3 -I eth0 192.0.2.1",
    ],
    ("gateway-keeps-ending", "a key that it refuses"): [
        "kubectl -n litellm logs pod/litellm-llm-1 --container=main --previous",
    ],
    ("database-host-is-the-pod", "nothing listens there"): ["kubectl -n ai edit deployment/app"],
    ("database-url-unreadable", "of a pod"): ["kubectl -n ai edit deployment/app"],
    ("database-url-unreadable", "of a module"): [
        "kubectl -n litellm edit deployment/litellm-llm  # or the Secret that it names",
    ],
    ("dns-service-port-missing", "no TCP"): [
        "kubectl -n kube-system patch service/kube-dns --type=json -p "
        '\'[{"op":"add","path":"/spec/ports/-","value":{"name":"dns-tcp","port":53,"protocol":"TCP","targetPort":53}}]\'',
    ],
    ("headless-service-not-ready", "of a database"): ["kubectl -n ai edit service/db"],
    ("policy-keeps-pods", "a namespace's policy forbids its pods the DNS"): [
        "kubectl -n default edit networkpolicy/deny",
    ],
    ("service-link-taken-as-setting", "the pod is not ready"): ["kubectl -n default edit deployment/app"],
    ("pod-asks-cluster-through-proxy", "the pod is ready"): ["kubectl -n ai edit deployment/app"],
    ("kubelet-asks-through-proxy", "and the node is not ready"): [
        "sudo systemctl edit kubelet  # Environment: NO_PROXY with 192.0.2.10",
    ],
    ("service-local-to-other-nodes", "Postgres times out"): [
        "kubectl -n default patch service/postgres -p '{\"spec\":{\"internalTrafficPolicy\":\"Cluster\"}}'",
    ],
    ("service-name-of-other-namespace", "a database"): ["kubectl -n ai edit deployment/app"],
    ("host-port-rules-missing", "flushed"): ["kubectl -n default delete pod/web"],
    ("host-port-rules-missing", "nothing leads to them"): ["kubectl -n default delete pod/web"],
    ("host-port-rules-missing", "no portmap"): [
        "sudoedit /etc/cni/net.d/1-k8s.conflist  # add the plugin portmap, for hostPort 8088",
        "kubectl -n default delete pod/web",
    ],
    ("host-port-taken", "by a process"): ["sudo ss -ltnp 'sport = :4000'", "systemctl status 77"],
    ("host-port-taken", "by another module"): [],
    ("image-not-obtainable", "a registry that is silent"): ["sudo crictl pull r.example/app:1"],
    ("pods-masqueraded-among-themselves", "by a rule that is meant for the outside"): [
        "sudo iptables -t nat -S POSTROUTING",
    ],
    ("search-domain-answers-all", "a wildcard record"): ["dig @10.96.0.10 p1.example.com.corp.example."],
    ("cgroup-drivers-differ", "a runtime that takes systemd's name for a folder's"): [
        "sudo grep -rn SystemdCgroup /etc/containerd",
    ],
    ("neighbour-table-full", "as many as may be"): [
        "sudo sysctl -w net.ipv4.neigh.default.gc_thresh3=8192",
        "sudo sysctl -w net.ipv4.neigh.default.gc_thresh2=4096",
    ],
    ("kube-proxy-not-following", "it hangs"): ["kubectl -n kube-system delete pod/kube-proxy-1"],
    ("kube-proxy-not-following", "it waits for the lock of iptables"): ["sudo fuser -v /run/xtables.lock"],
    ("kube-proxy-not-running", "gone, and its rules stand"): [
        "kubectl -n kube-system describe daemonset/kube-proxy",
    ],
    ("kube-proxy-not-running", "it crashes"): [
        "kubectl -n kube-system describe pod/kube-proxy-1", "kubectl -n kube-system logs pod/kube-proxy-1 --tail=50",
    ],
    ("large-packets-lost", "a narrow hop that says nothing"): [
        "sudoedit /etc/cni/net.d/1-k8s.conflist  # mtu: 1400",
    ],
    ("nameserver-of-no-service", "the Service has another address"): [
        "sudoedit /var/lib/kubelet/config.yaml  # clusterDNS: 10.96.0.11", "sudo systemctl restart kubelet",
    ],
    ("node-address-gone", "the API server cannot be reached at what it advertises"): [
        "sudo ip address add 192.0.2.99/32 dev eth0",
    ],
    ("node-port-taken", "by another Service"): ["kubectl -n other edit service/echo  # nodePort: 30100"],
    ("pod-network-overlaps", "the only resolver"): [
        "sudoedit /etc/cni/net.d/1-k8s.conflist  # a subnet without 10.244.200.53",
    ],
    ("pods-on-two-networks", "another file is first by name"): ["sudo mv /etc/cni/net.d/05-podman.conflist /root/"],
    ("pods-on-two-networks", "CoreDNS is older than the network"): [
        "kubectl -n kube-system delete pod/coredns-5dd-xyz12",
    ],
    ("pods-on-two-networks", "the subnet of the file was changed"): [
        "sudoedit /etc/cni/net.d/1-k8s.conflist  # subnet: 10.244.0.0/24",
    ],
    ("pod-ranges-disagree", "the CNI and the node's podCIDR"): [
        "sudoedit /etc/cni/net.d/1-k8s.conflist  # subnet: 10.244.0.0/24",
    ],
    ("pod-ranges-disagree", "kube-proxy and the pods"): [
        "kubectl -n kube-system edit configmap kube-proxy  # clusterCIDR, now 10.99.0.0/16",
    ],
    ("service-ranges-disagree", "the range was changed"): [
        "sudo grep service-cluster-ip-range /etc/kubernetes/manifests/kube-apiserver.yaml",
    ],
    ("resolver-list-too-long", "four resolvers"): ["sudo grep resolvConf /var/lib/kubelet/config.yaml"],
    ("packets-dropped-by-rule", "a rule of nftables"): [
        "sudo nft delete rule inet hardening forward handle 7",
        "sudo grep -rsn 53 /etc/nftables* /etc/sysconfig/nftables*",
    ],
    ("packets-dropped-by-rule", "a policy"): ["sudo nft chain ip filter FORWARD '{ policy accept ; }'"],
    ("packets-dropped-by-rule", "two policies of one table are one fault"): [
        "sudo nft chain inet x in '{ policy accept ; }'", "sudo nft chain inet x out '{ policy accept ; }'",
    ],
    ("packets-dropped-by-rule", "a rule of legacy iptables"): ["sudo iptables-legacy -t filter -D FORWARD -j DROP"],
    ("packets-refused-by-routing", "a prohibit route"): [],
    ("packets-refused-by-routing", "a route of the main table"): ["sudo ip route del blackhole 8.8.8.0/24 metric 5"],
    ("packets-taken-by-program", "passes in a copy, which has no tc filter"): [
        "sudo tc filter show dev veth1 ingress",
    ],
    ("pod-link-down", "two ports of it"): ["sudo ip link set dev veth1 up", "sudo ip link set dev veth2 up"],
    ("policy-isolates-modules", "no DNS"): ["kubectl -n litellm edit networkpolicy/deny"],
    ("postgres-login-refused", "wrong password"): LOG_OF_POSTGRES,
    ("postgres-query-failing", "hangs"): LOG_OF_POSTGRES,
    ("postgres-tls-broken", "something else listens"): LOG_OF_POSTGRES,
    ("postgres-without-endpoints", "scaled to 0"): ["kubectl -n default scale deployment/postgres --replicas=1"],
    ("postgres-without-endpoints", "the selector matches no pod"): [
        "kubectl -n default set selector service/postgres app=postgres",
    ],
    ("postgres-without-endpoints", "not ready"): ["kubectl -n default describe pod/postgres-66c-qwert"],
    ("provider-name-unresolved", "NXDOMAIN"): ASK_PROVIDER,
    ("provider-unreachable", "refused"): ["nc -vz -w 3 93.184.215.14 8080"],
    ("rules-loaded-at-boot", "rules of kube-proxy were saved"): [
        "sudo sed -i.bak -E '/KUBE-|CNI-/d' /etc/iptables/rules.v4",
    ],
    ("rules-loaded-at-boot", "a forward chain drops"): [
        f"sudoedit /etc/nftables.conf  # accept iifname and oifname {BRIDGE}",
    ],
    ("firewalld-starts-at-boot", "stopped, and not disabled"): [
        "sudo firewall-offline-cmd --zone=trusted --add-source=10.244.0.0/16",
    ],
    ("settings-undone-at-boot", "only `sysctl --system` reads the file"): [
        "sudoedit /etc/sysctl.conf  # net.ipv4.ip_forward = 1",
    ],
    ("secret-key-missing", "missing"): ["kubectl -n litellm edit secret/keys  # data: PROVIDER_KEY"],
    ("uplink-down", "down, with the node's address"): ["sudo ip link set dev eth0 up"],
    ("uplink-down", "down, and systemd-networkd configures it"): ["sudo networkctl up eth0"],
    ("uplink-down", "down, and NetworkManager configures it"): ["sudo nmcli device connect eth0"],
    ("uplink-down", "no carrier"): ["ip -s link show dev eth0"],
}  # fmt: skip
WITHOUT_VALUES = {
    "database-slots-exhausted": "the limit to change is one of two, in the modules' configs or in Postgres",
    "default-route-missing": "the gateway is known to the experiment that tries it: tests/diagnosis/test_conclude.py",
}


def findings_of(case: Case) -> tuple[Finding, ...]:
    return judge(case.probe, *case.facts, unread=case.unread).findings


@pytest.mark.parametrize(("probe", "story"), list(TYPED), ids=lambda each: each)
def test_what_to_type(probe: str, story: str) -> None:
    case = next(case for case in CASES if (case.probe, case.story) == (probe, story))
    assert list(findings_of(case)[0].by_hand) == TYPED[probe, story]


@pytest.mark.parametrize("name", sorted(catalogue().probes))
def test_every_cause_has_a_remedy_or_a_command_or_a_reason_for_having_neither(name: str) -> None:
    if catalogue().probes[name].symptom or catalogue().probes[name].act:
        return  # what users see, whose command is its cause's; what was done, which its effects' remedies repair
    says = any(lines for (probe, _), lines in TYPED.items() if probe == name)
    ways_out = bool(catalogue().remedies_for(name)) or says  # both, where remedies repair some of its forms
    assert ways_out + (name in WITHOUT_VALUES) == 1


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.outcome is FAIL], ids=lambda case: f"{case.probe}: {case.story}"
)
def test_every_command_is_one_line_of_a_shell_without_a_gap_to_fill(case: Case) -> None:
    for line in [line for finding in findings_of(case) for line in finding.by_hand]:
        assert line.isprintable()
        words = shlex.split(line, comments=True)
        assert words[0] in ("sudo", "sudoedit", "kubectl", "ip", "systemctl", "dig", "nc", "curl")
        assert not {"NAME", "NS", "POD", "IMAGE", "INTERFACE", "GATEWAY", "HOST", "PORT"} & {*words}


@pytest.mark.parametrize("name", ["; rm -rf /", "$(x)", "a`b`"])
def test_a_hostile_name_stays_one_word(name: str) -> None:
    down = Links((Interface(BRIDGE, 3, "bridge", True, True, "", 1500),
                  Interface(name, 9, "veth", False, False, BRIDGE, 1500)), ())  # fmt: skip
    (line,) = judge("pod-link-down", down).findings[0].by_hand
    assert shlex.split(line) == ["sudo", "ip", "link", "set", "dev", name, "up"]

    odd = Workloads(tuple(replace(workload, name=name) for workload in workloads(0).items))
    (line,) = judge("coredns-not-ready", slices("kube-system/kube-dns"), odd, Pods(())).findings[0].by_hand
    assert shlex.split(line) == ["kubectl", "-n", "kube-system", "scale", f"deployment/{name}", "--replicas=1"]


@pytest.mark.parametrize("name", ["x\ny", "x\x1b[2Jy", "-all", "x\u202ey"])
def test_a_name_that_does_not_print_as_it_is_makes_no_command(name: str) -> None:
    down = Links((Interface(BRIDGE, 3, "bridge", True, True, "", 1500),
                  Interface(name, 9, "veth", False, False, BRIDGE, 1500)), ())  # fmt: skip
    assert judge("pod-link-down", down).findings[0].by_hand == ()


@pytest.mark.parametrize("table", ["x; flush ruleset", "x y", "$(x)", "x\nflush ruleset"])
def test_a_table_that_nft_would_read_as_a_command_makes_none(table: str) -> None:
    where = Dropped("inet", table, "guard", 2, "tcp dport 5432 drop")
    drops = Drops((Drop("pod default/client -> 10.244.0.4:5432", "pod", where),))
    assert judge("packets-dropped-by-rule", drops).findings[0].by_hand == ()
