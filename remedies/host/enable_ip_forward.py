"""Turn IPv4 forwarding on, now and at boot.

## What it does
Sets `net.ipv4.ip_forward` to 1. Where the next boot would not end with 1, it also writes its own file in
/etc/sysctl.d, under a name that sorts after every file that sets another value. No other file is touched.

## What it costs
Nothing restarts. The kernel sets `forwarding` of every interface along with it, turns `accept_redirects` off and large
receive offload off.

A node with several uplinks becomes a router between them, and to the virtual machines and containers on its bridges.
Where a rehearsal shows that a host behind an uplink could then reach one behind another uplink or at such a bridge, the
repair is refused unless you say `--allow-exposure`; where rules drop such forwarded traffic, nothing opens and nothing
is reported.

## By hand
`sysctl -w net.ipv4.ip_forward=1`; `echo net.ipv4.ip_forward = 1 > /etc/sysctl.d/99-netdoctor-ip-forward.conf`.

## Undo
Removes the file and sets the old value, then every interface's `forwarding` and `accept_redirects` as they were. Large
receive offload stays off: `ethtool -K INTERFACE lro on` where a network card has it.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, remedy
from netdoctor.changes._at_boot import keep_at_boot
from netdoctor.changes.file import WriteFile
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.facts.node.sysctl import IP_FORWARD, SysctlFiles, Sysctls
from netdoctor.model import FROM_PODS, Access
from netdoctor.system.host import Host


@remedy(fixes="ip-forward-disabled", opens=(*FROM_PODS, Access.OUTSIDE_TO_POD, Access.OUTSIDE_TO_NODE_PORT))
def enable_ip_forward(
    findings: tuple[Finding, ...],  # noqa: ARG001 - there is one such setting
    sysctls: Sysctls,
    files: SysctlFiles,
    host: Host,
) -> Iterator[Change]:
    """The setting and, if needed, the file."""
    if sysctls[IP_FORWARD] != "1":
        yield SetSysctl.planned(host, IP_FORWARD, "1", sysctls[IP_FORWARD])
    if file := keep_at_boot(IP_FORWARD, "1", "ip-forward", files):
        yield WriteFile.planned(*file, live=host.live)
