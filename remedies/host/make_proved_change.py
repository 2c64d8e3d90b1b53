"""Make the change that lets the lost packets pass in a copy of the node.

## What it does
Makes on the node what an experiment on a copy of it has shown to be the smallest cure, where that is a change of this
list:

- `net.ipv4.conf.INTERFACE.forwarding` becomes 1 at the pods' bridge, at a pod's own interface, or at the interface of
  the default route, while `net.ipv4.ip_forward` is 1. Where the next boot would not end with 1, it also writes its own
  file in /etc/sysctl.d.
- An option of a pod's port of the bridge becomes what is usual: `isolated`, `guard` and `root_block` off, `learning`,
  `flood` and `hairpin` on, and a disabled port forwards. Isolated ports stay where the CNI's configuration has
  `portIsolation`.
- A pod's interface that is at no bridge becomes a port of the pods' bridge again, where libcni's cache says that the
  CNI made it for a pod of that bridge.
- The pods' bridge gets the IPv4 address again that most pods have as their gateway, or the route to the network of an
  address that it has.

Whatever else a copy is cured by is left to you, with the command: a rule, a route or a filter may be somebody's will.

## What it costs
Nothing restarts. Packets of pods, and answers to them, pass again where they were lost, as far as the rules let them:
over a port, an address or a route of the bridge also to other ports of the node.

## By hand
`netdoctor check` shows the command for each of them.

## Undo
Sets each back to what it was, and removes the file.
"""

from collections.abc import Iterator

from netdoctor import Change, Finding, NotApplicable, remedy
from netdoctor.changes import of_data
from netdoctor.changes._at_boot import keep_at_boot
from netdoctor.changes.bridge_port import JoinBridge
from netdoctor.changes.file import WriteFile
from netdoctor.changes.link import SetLink
from netdoctor.changes.sysctl import SetSysctl
from netdoctor.errors import CannotRead
from netdoctor.experiments.interventions import UNNAMED
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.facts.node.sysctl import SysctlFiles
from netdoctor.facts.traffic.experiments import Experiments, smallest_cures, with_no_other_cure
from netdoctor.model import FROM_PODS, Access
from netdoctor.system.host import Host


@remedy(fixes=UNNAMED, opens=(*FROM_PODS, Access.OUTSIDE_TO_POD, Access.OUTSIDE_TO_NODE_PORT))
def make_proved_change(
    findings: tuple[Finding, ...],  # noqa: ARG001 - what was tried is in the experiments
    experiments: Experiments,
    cni: CniConfig | CannotRead,
    attached: Attachments | CannotRead,
    files: SysctlFiles,
    host: Host,
) -> Iterator[Change]:
    """Each change of the smallest cures, where all of them may be made."""
    trials = with_no_other_cure(experiments.trials, UNNAMED)
    for tried in smallest_cures(trials, UNNAMED):
        changes = [of_data(kind, fields) for kind, fields in tried.changes]
        if not changes or any(_is_configured(each, cni) or _is_unknown(each, attached) for each in changes):
            raise NotApplicable(f"whether somebody wants it so is not known: {tried.says}")
        yield from _on_the_node(changes, files, host)


def _is_configured(change: Change, cni: CniConfig | CannotRead) -> bool:
    """Whether the CNI's configuration says that it has to be as it is, or cannot be asked."""
    if not isinstance(change, SetLink) or change.what != "isolated":
        return False
    return isinstance(cni, CannotRead) or bool((cni.plugin("bridge") or {}).get("portIsolation"))


def _is_unknown(change: Change, attached: Attachments | CannotRead) -> bool:
    """Whether nothing shows that the CNI itself made this interface a port of this bridge."""
    if not isinstance(change, JoinBridge):
        return False
    known = () if isinstance(attached, CannotRead) else attached.pods
    return not any(pod.bridge == change.bridge and change.name in pod.ports for pod in known)


def _on_the_node(changes: list[Change], files: SysctlFiles, host: Host) -> Iterator[Change]:
    """The changes, planned from what the node has now, and what keeps a setting at boot."""
    for change in changes:
        if not isinstance(change, SetSysctl):
            yield change
            continue
        yield SetSysctl.planned(host, change.key, change.value, change.was)
        topic = "-".join(change.key.split(".")[3:]).replace("/", ".")
        if file := keep_at_boot(change.key, change.value, topic, files):
            yield WriteFile.planned(*file, live=host.live)
