"""The CNI cannot connect a new pod.

## What it checks
/etc/cni/net.d holds a configuration, it can be read, and every plugin that it names is there.

## Why it matters
The runtime takes the first file by name. Without a usable one, or with a plugin missing, new pods stay in
ContainerCreating while those that run go on.

## By hand
`ls /etc/cni/net.d /opt/cni/bin`; `journalctl -u containerd`.
"""

from collections.abc import Iterator

from netdoctor import Evidence, Finding, Subject, probe
from netdoctor.facts.cni import CniConfig
from netdoctor.facts.this_node import ThisNode


@probe(explains=("coredns-not-ready", "new-pod-without-network"))
def cni_config_unusable(cni: CniConfig, this: ThisNode) -> Iterator[Finding]:
    """No configuration, an unreadable one, or a plugin that is not there."""
    where = cni.path or "/etc/cni/net.d"
    if cni.problem:
        yield Finding(
            f"the CNI configuration cannot be used: {cni.problem}",
            (Evidence(where, cni.problem, "a network configuration in JSON"),),
            Subject(node=this.name),
        )
    elif cni.missing_plugins:
        names = ", ".join(cni.missing_plugins)
        yield Finding(
            f"CNI plugins that {where} names are not installed: {names}",
            (Evidence("/opt/cni/bin", f"no {names}", "each plugin's program"),),
            Subject(node=this.name),
        )
