"""Take out firewalld's direct rules, which make it wipe the rules of kube-proxy and the CNI.

## What it does
Removes every direct rule from the permanent configuration and from the rules in force, over D-Bus, without a reload.
Removing a direct rule flushes nothing (measured with firewalld 1.3.3 and 2.3.1). It acts only where each rule is an
ACCEPT in table filter: such a rule helps nobody, for firewalld's own tables judge the packet all the same. With any
other direct rule, chain or passthrough it leaves all as it is, and says so.

## What it costs
Nothing restarts. The rules that were wiped before do not come back by it: that is what resync-kube-proxy and
restore-pod-masquerade are for.

## By hand
`firewall-cmd --permanent --direct --get-all-rules`; the same with `--remove-rule ...`, with and without `--permanent`.

## Undo
Restores /etc/firewalld/direct.xml and firewalld's backup of it to the byte, and the rules in force. firewalld 2 flushes
iptables when it adds the first direct rule: undo keeps the rules of others meanwhile, and writes back whatever is gone
(measured: all 79 of them back, kube-proxy's were away for 0.03 s). Rules in ebtables are not kept.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes.direct_rules import RemoveDirectRules
from netdoctor.facts.firewalld import Firewalld
from netdoctor.host import Host


@remedy(fixes="direct-rules-flush-iptables")
def remove_direct_rules(
    findings: tuple[Finding, ...],  # noqa: ARG001 - one direct rule is enough for the flush: all have to go
    firewalld: Firewalld,
    host: Host,
) -> Iterator[Change]:
    """All direct rules at once."""
    if not host.live:
        raise NotApplicable("a recorded firewalld is on no bus of this machine")
    if firewalld.direct or firewalld.permanent_direct:
        yield RemoveDirectRules.planned()
