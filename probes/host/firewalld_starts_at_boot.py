"""firewalld does not run, and starts at the next boot without a place for pods.

## What it checks
Where firewalld does not run: whether its service is enabled, whether its permanent zone `trusted` names the pod network
or the pods' bridge, and whether the CNI has the plugin `firewall`, which puts each new pod into that zone.

## Why it matters
Somebody stopped firewalld because pods were rejected, and did not disable it. The next boot starts it again, and it
rejects pod traffic, as it did before.

## When it is not a fault
It is a warning only: today's traffic is not affected. With the plugin `firewall` every pod that is made after that boot
has its place.

## By hand
`systemctl disable firewalld`, or keep it and trust the pods:
`firewall-offline-cmd --zone=trusted --add-source=POD_NETWORK`.
"""

from collections.abc import Iterator

from netdoctor import Area, Evidence, Finding, NotApplicable, Severity, Subject, Values, probe
from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.boot_rules import BootRules
from netdoctor.facts.node.cni import CniConfig
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.shell import command

ZONE = "trusted"


@probe(area=Area.NODE, healthy="firewalld has a place for pods when it starts at boot")
def firewalld_starts_at_boot(
    rules: BootRules, firewalld: Firewalld | CannotRead, cni: CniConfig, this: ThisNode
) -> Iterator[Finding]:
    """It is enabled, does not run, and trusts no pod."""
    if isinstance(firewalld, Firewalld) and firewalld.running:
        raise NotApplicable("firewalld runs")
    if not cni.bridge:
        raise NotApplicable("the CNI joins pods without a Linux bridge")
    if not rules.starts_firewalld or rules.trusts_pods or cni.puts_pods_into(ZONE):
        return
    network = cni.pod_network
    yield Finding(
        f"firewalld does not run, and starts at the next boot: its zone {ZONE} does not have the pods' bridge "
        f"{cni.bridge}, so it rejects their packets then",
        (
            Evidence("firewalld.service", "stopped, and enabled", "disabled, or a place for pods"),
            Evidence(f"permanent zone {ZONE}", "no pod network", network or cni.bridge,
                     Values(zone=ZONE, expected=network or cni.bridge)),
        ),
        Subject(node=this.name),
        severity=Severity.WARNING,
        by_hand=_trust(network),
    )  # fmt: skip


def _trust(network: str) -> tuple[str, ...]:
    """Trust the pods, where their network is known; else keep firewalld from starting."""
    if network:
        return command("sudo firewall-offline-cmd --zone=trusted --add-source={}", network)
    return command("sudo systemctl disable firewalld")
