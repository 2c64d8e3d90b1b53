"""The cases of what the next boot will do to a node that is healthy now."""

from __future__ import annotations

from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.node.boot_rules import BootRules, SavedRules
from netdoctor.facts.node.sysctl import OTHERS_LAST, SysctlFiles
from netdoctor.model import Confidence, Severity
from tests.builders import cni, firewalld, sysctls
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, Case

WARNING, LIKELY = Severity.WARNING, Confidence.LIKELY
LATE = "/etc/sysctl.d/99-hardening.conf"
FORWARD_OFF, BRIDGE_OFF = "net.ipv4.ip_forward = 0\n", "net.bridge.bridge-nf-call-iptables = 0\n"
ON_EARLY = {"/etc/sysctl.d/10-k8s.conf": "net.ipv4.ip_forward = 1\n"}
REPLAYED = SavedRules("netfilter-persistent.service", "/etc/iptables/rules.v4", 84)
CLOSED = SavedRules("nftables.service", "/etc/nftables.conf", 0, "inet filter")
WITHOUT_FIREWALL = cni(plugins=cni().plugins[:2])


def booting(*saved: SavedRules, tables: tuple[str, ...] = (), starts: bool = False, trusted: bool = False) -> BootRules:
    """What the next boot does to the packet filter."""
    return BootRules(saved, tables, starts_firewalld=starts, trusts_pods=trusted)


CASES = [
    Case("settings-undone-at-boot", "a later file turns forwarding off", FAIL,
         (SysctlFiles({**ON_EARLY, LATE: FORWARD_OFF}),),
         f"{LATE} sets net.ipv4.ip_forward to 0 at the next boot: the node forwards nothing then",
         severity=WARNING),
    Case("settings-undone-at-boot", "bridged packets will pass by iptables", FAIL, (SysctlFiles({LATE: BRIDGE_OFF}),),
         "ClusterIPs time out", severity=WARNING),
    Case("settings-undone-at-boot", "only `sysctl --system` reads the file", FAIL,
         (SysctlFiles({**ON_EARLY, OTHERS_LAST: FORWARD_OFF}),), "at the next `sysctl --system`", severity=WARNING),
    Case("settings-undone-at-boot", "an earlier file turns it off, and a later one on", PASS,
         (SysctlFiles({"/etc/sysctl.d/05-x.conf": FORWARD_OFF, **ON_EARLY}),)),
    Case("settings-undone-at-boot", "no file names it", PASS),
    Case("settings-undone-at-boot", "it is off already", PASS, (sysctls("0"), SysctlFiles({LATE: FORWARD_OFF}))),
    Case("settings-undone-at-boot", "nothing translates ClusterIPs with iptables", PASS,
         (KubeProxy("", "", False, "", ""), SysctlFiles({LATE: BRIDGE_OFF}))),
    Case("rules-loaded-at-boot", "rules of kube-proxy were saved", FAIL, (booting(REPLAYED),),
         "/etc/iptables/rules.v4, which netfilter-persistent.service loads at the next boot, holds 84 rules",
         severity=WARNING),
    Case("rules-loaded-at-boot", "a forward chain drops", FAIL, (booting(CLOSED, tables=("ip nat",)),),
         "drops forwarded packets in table inet filter and accepts none of bridge", severity=WARNING,
         confidence=LIKELY),
    Case("rules-loaded-at-boot", "it is loaded already, and pods live with it", PASS,
         (booting(CLOSED, tables=("inet filter",)),)),
    Case("rules-loaded-at-boot", "rules of others were saved", PASS,
         (booting(SavedRules("iptables.service", "/etc/sysconfig/iptables", 0)),)),
    Case("rules-loaded-at-boot", "a CNI without a Linux bridge", PASS,
         (booting(CLOSED), cni(plugins=({"type": "cilium-cni"},)))),
    Case("firewalld-starts-at-boot", "stopped, and not disabled", FAIL, (booting(starts=True), WITHOUT_FIREWALL),
         "firewalld does not run, and starts at the next boot", severity=WARNING, confidence=LIKELY),
    Case("firewalld-starts-at-boot", "the CNI puts each pod into its zone", PASS, (booting(starts=True),)),
    Case("firewalld-starts-at-boot", "it trusts the pod network", PASS,
         (booting(starts=True, trusted=True), WITHOUT_FIREWALL)),
    Case("firewalld-starts-at-boot", "disabled", PASS, (WITHOUT_FIREWALL,)),
    Case("firewalld-starts-at-boot", "it runs", NOT_APPLICABLE,
         (booting(starts=True), WITHOUT_FIREWALL, firewalld("10.244.0.0/16"))),
    Case("firewalld-starts-at-boot", "a CNI without a Linux bridge", NOT_APPLICABLE,
         (booting(starts=True), cni(plugins=({"type": "cilium-cni"},)))),
]  # fmt: skip
