"""Pass bridged pod traffic through iptables, now and at boot.

## What it does
Loads br_netfilter if it is not there, and sets `net.bridge.bridge-nf-call-iptables` to 1. Where the next boot would not
do the same, it writes its own file in /etc/modules-load.d and one in /etc/sysctl.d.

## What it costs
Nothing restarts. Packets that cross any bridge of this node (of virtual machines too) pass iptables from then on.

## By hand
`modprobe br_netfilter`; `sysctl -w net.bridge.bridge-nf-call-iptables=1`; the same in
/etc/modules-load.d/99-netdoctor-br-netfilter.conf and /etc/sysctl.d/99-netdoctor-bridge-netfilter.conf.

## Undo
Removes the files, sets the old value, and unloads the module if netdoctor loaded it and nothing has come to use it
since: no further port of a bridge, no rule that matches `physdev`, no file or setting of others. In doubt it stays
loaded, and undo says so.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, remedy
from netdoctor.changes._at_boot import keep_at_boot
from netdoctor.changes.file import HEAD, WriteFile
from netdoctor.changes.module import LoadModule
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.facts.node.sysctl import BRIDGE_NF_CALL, BridgeNetfilterModule, SysctlFiles, Sysctls
from netdoctor.model import Access
from netdoctor.system.host import Host

MODULE = "br_netfilter"
MODULE_FILE = "/etc/modules-load.d/99-netdoctor-br-netfilter.conf"


@remedy(fixes="bridge-netfilter-disabled", opens=(Access.POD_TO_POD, Access.POD_TO_SERVICE))
def enable_bridge_netfilter(
    findings: tuple[Finding, ...],  # noqa: ARG001 - there is one such setting
    sysctls: Sysctls,
    files: SysctlFiles,
    module: BridgeNetfilterModule,
    host: Host,
) -> Iterator[Change]:
    """Module and setting, each now and at boot."""
    if not module.loaded:
        yield LoadModule.planned(host, MODULE)
    if sysctls[BRIDGE_NF_CALL] != "1":
        yield SetSysctl.planned(host, BRIDGE_NF_CALL, "1", sysctls[BRIDGE_NF_CALL])
    if not module.at_boot:
        text = f"{HEAD}{MODULE}\n"
        yield WriteFile.planned(MODULE_FILE, text, live=host.live)
    if file := keep_at_boot(BRIDGE_NF_CALL, "1", "bridge-netfilter", files):
        yield WriteFile.planned(*file, live=host.live)
