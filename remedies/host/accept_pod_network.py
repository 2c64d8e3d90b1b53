"""Accept packets of pods before the policy or final rule that drops them.

## What it does
Where packets of pods end at a chain's policy, or at a rule that refuses everything that was not accepted before it
(`-A FORWARD -j REJECT`), writes rules that accept pod traffic into the same chain: before that rule, or at the end of a
chain whose policy drops. Each was tried on a copy of the node first. Where docker has its chain DOCKER-USER, the rules
for a policy of FORWARD go there. It does so in iptables, in legacy iptables and in chains of nftables.

- FORWARD: what comes from the pod network by the pods' bridge, answers to it, and traffic from pods of other nodes.
- INPUT: from the pod network by the bridge, answers, and the ports that pods need of the node: API server, kubelet, DNS
  and what Services lead to, as far as something listens there.
- OUTPUT: to the pod network by the bridge, what the node itself asks, and answers from these ports.

Where somebody has flushed FORWARD and the CNI's chain CNI-FORWARD is still there, the jump to it is written again, as
the CNI does with each pod.

Where systemd runs, the script `/etc/netdoctor/accept.sh` and the unit `netdoctor-accept.service` make them again at
each boot, after firewalls and docker have written theirs. It is a script, because the place of the rule before which
they stand is known only then. A firewall that flushes the chain in between deletes them with its own: `systemctl
daemon-reload` and `systemctl restart netdoctor-accept` write them again.

## What it costs
Nothing restarts. Pods reach what the policy or rule kept from them, and nobody outside reaches more: NodePorts from
outside still depend on kube-proxy's own rules. What else would open is refused unless you say `--allow-exposure`.

## When it is left to you
A rule that names an address, a port, a set, a mark or the pods' interface was written against something: it stays, and
`netdoctor check` shows the command. The same holds for chains that others lead to, and for those of firewalld and
kube-proxy.

## By hand
`iptables -I FORWARD -i BRIDGE -s POD_CIDR -j ACCEPT`, and `iptables -I FORWARD -o BRIDGE -d POD_CIDR -m conntrack
--ctstate RELATED,ESTABLISHED -j ACCEPT`; with docker in DOCKER-USER.

## Undo
Deletes these rules and files.
"""

from collections.abc import Iterator
from dataclasses import replace

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes import cni_forward, of_data
from netdoctor.changes._accept_script import NAME, TITLE, script
from netdoctor.changes._boot_unit import keep_rules_at_boot
from netdoctor.changes.accept_rules import AcceptRules
from netdoctor.errors import CannotRead
from netdoctor.facts.node.iptables import Iptables
from netdoctor.facts.traffic.experiments import Experiments, smallest_cures
from netdoctor.model import FROM_PODS
from netdoctor.system.host import Host
from netdoctor.system.systemd import runs_here

PROBE = "packets-dropped-by-rule"


@remedy(fixes=PROBE, opens=FROM_PODS)
def accept_pod_network(
    findings: tuple[Finding, ...],  # noqa: ARG001 - what was tried is in the experiments
    experiments: Experiments,
    iptables: Iptables | CannotRead,
    host: Host,
) -> Iterator[Change]:
    """The rules of each chain, and what makes them again at boot."""
    at_boot = host.live and runs_here()
    changes: list[AcceptRules] = []
    for tried in smallest_cures(experiments.trials, PROBE):
        found = [of_data(kind, fields) for kind, fields in tried.changes]
        accepting = [replace(change, at_boot=at_boot) for change in found if isinstance(change, AcceptRules)]
        if not accepting:
            raise NotApplicable(f"somebody may have written it to block something: {tried.says}")
        changes += accepting
    changes.sort(key=lambda change: (change.program, change.table, change.chain))
    if changes and not isinstance(iptables, CannotRead) and cni_forward.is_missing(iptables.nft):
        yield cni_forward.RestoreCniForward()
    yield from changes
    if changes and at_boot:
        yield from keep_rules_at_boot(NAME, TITLE, script(changes), "/bin/sh")
