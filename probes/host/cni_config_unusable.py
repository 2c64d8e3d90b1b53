"""The CNI cannot connect a new pod.

## What it checks
/etc/cni/net.d holds a readable configuration, and every plugin that it names is installed, also the one that gives
addresses. Whether the CNI refused a new pod because it found no program of a plugin where the runtime looks for it, or
could not start one.

## Why it matters
The runtime takes the first file by name. Without a usable one, or with a plugin missing, new pods stay in
ContainerCreating while running pods keep working.

## When it is not a fault
When a new pod gets its network anyway: the runtime has its configuration or plugins elsewhere.

## By hand
`ls /etc/cni/net.d /opt/cni/bin`; `journalctl -u containerd`.
"""

from collections.abc import Iterator
from pathlib import Path

from netdoctor import Area, Evidence, Finding, Subject, probe
from netdoctor.errors import CannotRead, Why
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.node.cni import CONFIG_FOLDERS, PLUGIN_FOLDERS, CniConfig
from netdoctor.facts.traffic.new_pod import NewPod
from netdoctor.facts.traffic.sandbox_refusals import SandboxRefusal, SandboxRefusals
from netdoctor.model import Confidence
from netdoctor.shell import command


@probe(area=Area.PODS, healthy="the CNI can connect a pod", explains=("coredns-not-ready", "new-pod-without-network"))
def cni_config_unusable(
    cni: CniConfig, new_pod: NewPod | CannotRead, refusals: SandboxRefusals | CannotRead, this: ThisNode
) -> Iterator[Finding]:
    """No configuration, an unreadable one, or a plugin that is not there; and no new pod gets a network."""
    if isinstance(new_pod, NewPod):
        return
    tried = new_pod.why is Why.NO_NETWORK
    evidence = [Evidence("test pod", new_pod.reason, "a network")] if tried else []
    confidence = Confidence.CONFIRMED if tried else Confidence.LIKELY
    if cni.problem:
        where = cni.path or str(CONFIG_FOLDERS[0])
        by_hand = _edited(cni.path) or command("sudo ls -l {:path}", CONFIG_FOLDERS[0])
        summary = f"the CNI configuration cannot be used: {cni.problem}"
        evidence.insert(0, Evidence(where, cni.problem, "a network configuration in JSON"))
    elif cni.missing_plugins:
        names = ", ".join(cni.missing_plugins)
        summary = f"CNI plugins that {cni.path} names are not installed: {names}"
        by_hand = command("sudo ls -l {:path}", tuple(f"{PLUGIN_FOLDERS[0]}/{name}" for name in cni.missing_plugins))
        evidence.insert(0, Evidence(str(PLUGIN_FOLDERS[0]), f"no {names}", "each plugin's program"))
    elif refused := _refused(refusals):
        summary = f"{refused.means}, and no new pod gets a network"
        by_hand = _program(refused)
    else:
        return
    if cni.others:
        evidence.append(Evidence("files that sort after it", ", ".join(cni.others), "the runtime takes the first"))
    evidence += this.not_ready()
    yield Finding(summary, tuple(evidence), Subject(node=this.name), confidence=confidence, by_hand=by_hand)


def _refused(refusals: SandboxRefusals | CannotRead) -> SandboxRefusal | None:
    """The test pod's refusal, where it is about a plugin's program."""
    found = () if isinstance(refusals, CannotRead) else refusals.of_cause("cni-config-unusable")
    return next((each for each in found if each.is_test_pod), None)


def _program(refused: SandboxRefusal) -> tuple[str, ...]:
    """Look at the program: the message names the plugin and the folders, or the program."""
    first, second = refused.groups[0], refused.groups[1]
    path = first if first.startswith("/") else f"{second.split()[0]}/{first}"
    return command("sudo ls -l {:path}", path)


def _edited(path: str) -> tuple[str, ...]:
    """Edit the configuration; nothing where a recording calls another file so."""
    return command("sudoedit {:path}", path) if Path(path).parent in CONFIG_FOLDERS else ()
