"""A file turns off at the next boot what pods need now.

## What it checks
Which value sysctl files set at the next boot for `net.ipv4.ip_forward`, and for `net.bridge.bridge-nf-call-iptables`
where pods are joined by a bridge and kube-proxy translates ClusterIPs. Files are taken in the order of systemd-sysctl;
/etc/sysctl.conf, which only `sysctl --system` reads, comes last.

## Why it matters
The node works because a program has set the value since the last boot: by hand, or the CNI with a new pod. A reboot,
or an update that runs `sysctl --system`, brings the file's value back, and pods lose the outside or every ClusterIP
without anybody having changed anything that day.

## When it mends itself
The CNI's bridge plugin sets `ip_forward` to 1 with each pod that it adds: pods are cut off until then, and again
after each `sysctl --system`. Nothing sets the other one.

## When it is not a fault
It is a warning only: today's traffic is not affected. Where no file names the setting nothing is said: the program that
sets it now does so after each boot.

## By hand
`grep -rn ip_forward /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d`; correct the file, or write 1 in a file of
/etc/sysctl.d that sorts after it.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, Severity, Subject, Values, probe
from netdoctor.facts.cluster.kube_proxy import KubeProxy
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.sysctl import BRIDGE_NF_CALL, IP_FORWARD, OTHERS_LAST, SysctlFiles, Sysctls
from netdoctor.model import Confidence
from netdoctor.shell import command

CONSEQUENCE = {
    IP_FORWARD: "the node forwards nothing then, and pods lose the outside and every ClusterIP",
    BRIDGE_NF_CALL: "answers from pods on the same bridge are not translated back then, and ClusterIPs time out",
}


@probe(area=Area.NODE, healthy="the next boot keeps the settings that pods need")
def settings_undone_at_boot(
    sysctls: Sysctls, files: SysctlFiles, cni: CniConfig, kube_proxy: KubeProxy, this: ThisNode
) -> Iterator[Finding]:
    """Settings that are on, and that a file turns off."""
    needed = (IP_FORWARD, BRIDGE_NF_CALL) if cni.bridge and kube_proxy.mode else (IP_FORWARD,)
    for key in needed:
        off = [path for path, value in files.at_boot(key) if value == "0"]
        if sysctls[key] == "1" and off:
            yield _turned_off(key, off[0], this.name)


def _turned_off(key: str, path: str, node: str) -> Finding:
    when = "the next `sysctl --system`" if path == OTHERS_LAST else "the next boot"
    data = Values(setting=key, file=path, value="0", expected="1")
    return Finding(
        f"{path} sets {key} to 0 at {when}: {CONSEQUENCE[key]}",
        (Evidence(path, f"{key} = 0", "1, as it is now", data),),
        Subject(node=node),
        severity=Severity.WARNING,
        confidence=Confidence.CONFIRMED,
        by_hand=command("sudoedit /etc/sysctl.conf  # {} = 1", key) if path == OTHERS_LAST else (),
    )
