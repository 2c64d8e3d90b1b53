"""A deployment from the built manifests to modules that answer: apply, rollout, smoke test, Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.facts import Facts
from netdoctor.facts.cluster.this_node import ThisNode
from netdoctor.facts.cluster.workloads import Nodes
from netdoctor.facts.gateways.gateway_objects import WORKLOADS, ModuleObjects, workload_name
from netdoctor.facts.gateways.gateways import Gateway, Modules, gateway_key
from netdoctor.facts.gateways.kubectl import Kubectl
from netdoctor.facts.gateways.kustomization import Kustomization
from netdoctor.gateways import scraping
from netdoctor.gateways.apply import Difference, apply, as_it_is, difference, make_namespace, rolled
from netdoctor.gateways.prune import prune
from netdoctor.gateways.rollout import Progress, Rollout, look, watch
from netdoctor.gateways.scraping import Scraped
from netdoctor.gateways.smoke import Served, Target, serve
from netdoctor.system.kube_api import KubeApi

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose."""

    timeout: float = 300.0  # seconds for the rollout
    images: bool = False  # ask for a picture, which costs money
    force_conflicts: bool = False


@dataclass(slots=True)
class Deployment:
    """What was done, and what came of it."""

    namespace: str
    made_namespace: bool = False
    changed: tuple[str, ...] = ()
    rollout: Rollout | None = None
    before: tuple[Progress, ...] = ()
    served: tuple[Served, ...] = ()
    scraped: tuple[Scraped, ...] | None = None  # None: there is no Prometheus among the objects
    scrape_trouble: str = ""
    seconds: dict[str, float] = field(default_factory=dict)  # by stage

    @property
    def ok(self) -> bool:
        """Whether every module serves and Prometheus sees them all."""
        if self.rollout is None or not self.rollout.complete:
            return False
        return bool(self.served) and all(s.ok for s in self.served) and not self.scrape_trouble

    @property
    def can_go_back(self) -> tuple[str, ...]:
        """The workloads that ran something else before."""
        return rolled(self.before, self.rollout.progress) if self.rollout else ()


class Deployer:
    """One deployment. Every method raises CannotRead with a sentence when the cluster or kubectl cannot be used."""

    def __init__(self, manifests: Kustomization, options: Options) -> None:
        """Connect to what it takes."""
        self.objects, self.options = manifests.objects, options
        self.kubectl = Kubectl.find()
        self._facts = Facts(given={Kustomization: manifests})
        self.api = self._facts.get(KubeApi)
        self.modules = self._facts.get(Modules)
        self.result = Deployment(self.modules.namespace)
        self._was: tuple[Mapping[str, Any], ...] = ()
        self.workloads = tuple(workload_name(o) for o in self.objects if o.get("kind") in WORKLOADS)

    def difference(self) -> Difference:
        """What applying would change."""
        return difference(
            self.kubectl, self.api, self.modules.namespace, self.objects, force_conflicts=self.options.force_conflicts
        )

    def apply(self) -> None:
        """Apply what differs, and nothing where nothing does."""
        begin = time.monotonic()
        different = self.difference()
        self.result.changed = different.changed
        if different.namespace_missing:
            host_network = any(g.host_network for g in self.modules.gateways)
            make_namespace(self.api, self.modules.namespace, host_network=host_network)
            self.result.made_namespace = True
        self.result.before = look(self.api, self.modules.namespace, self.workloads)
        if different.changed:
            changed = [o for o in self.objects if f"{o['kind']}/{o['metadata']['name']}" in different.changed]
            self._was = () if different.namespace_missing else as_it_is(self.kubectl, changed)
            apply(self.kubectl, self.objects, force_conflicts=self.options.force_conflicts)
        self._took("apply", begin)

    def watch(self, tell: Tell) -> None:
        """Wait for the rollout; `tell` gets a line when a workload is there."""
        begin = time.monotonic()
        width = max(len(w) for w in self.workloads)

        def came_further(progress: Progress, seconds: float) -> None:
            if progress.done:
                tell(f"  ✓ {progress.workload:{width}} {progress.ready}/{progress.wanted}  {seconds:.0f} s")

        self.result.rollout = watch(
            self.api, self.modules.namespace, self.workloads, self.options.timeout, came_further
        )
        self._took("rollout", begin)

    def smoke(self, tell: Callable[[Served], None]) -> None:
        """Ask every module."""
        begin = time.monotonic()
        self.result.served = serve(targets(self._facts), images=self.options.images, tell=tell)
        self._took("smoke test", begin)

    def scrape(self) -> None:
        """Ask Prometheus, where it is among the objects."""
        if not any(name.endswith("/prometheus") for name in self.modules.services):
            return
        begin = time.monotonic()
        names = tuple(g.name for g in self.modules.gateways)
        try:
            self.result.scraped = scraping.wait_up(self.api, self.modules.namespace, names)
        except CannotRead as error:
            self.result.scraped, self.result.scrape_trouble = (), str(error)
        else:
            self.result.scrape_trouble = scrape_trouble(self.result.scraped, names)
        self._took("Prometheus", begin)

    def prune(self) -> tuple[str, ...]:
        """Delete the ConfigMaps and Secrets of earlier deployments that nothing refers to any more."""
        return prune(self.api, self.modules.namespace, self.objects)

    def roll_back(self, tell: Tell) -> bool:
        """Put every object that was changed back as it was, and wait for the workloads; whether they are all there.

        Not by `kubectl rollout undo`: that makes another manager the owner of the fields, and the next deployment would
        be in conflict with it.
        """
        back = self.result.can_go_back
        apply(self.kubectl, self._was)
        again = watch(self.api, self.modules.namespace, back, self.options.timeout, lambda *_: None)
        for progress in again.progress:
            tell(f"  {'✓' if progress.done else '✗'} {progress.workload} rolled back")
        return again.complete

    def _took(self, stage: str, begin: float) -> None:
        self.result.seconds[stage] = round(time.monotonic() - begin, 1)


def targets(facts: Facts) -> tuple[Target, ...]:
    """Where each module of the objects is asked, and with which key. Raises CannotRead."""
    modules, objects, api = facts.get(Modules), facts.get(ModuleObjects), facts.get(KubeApi)
    nodes, here = facts.get(Nodes), ""
    try:
        address = facts.get(ThisNode).addresses[0]
    except (CannotRead, IndexError) as error:
        address = next((a for n in nodes.items for a in n.addresses), "")
        here = f"the replicas are asked on their node only ({error})"
    if not address:
        raise CannotRead("nodes", "none has an InternalIP to ask the NodePorts at")
    pods = api.get(f"/api/v1/namespaces/{modules.namespace}/pods")["items"]
    found = []
    for gateway in modules.gateways:
        port = gateway.container_port if gateway.host_network else gateway.node_port
        ips = sorted(pod["status"]["podIP"] for pod in pods if _is_replica(pod, gateway))
        replicas = () if here else tuple(f"http://{ip}:{gateway.container_port}" for ip in ips)
        found.append(Target(gateway, f"http://{address}:{port}", gateway_key(objects, gateway), replicas, here))
    return tuple(found)


def _is_replica(pod: Mapping[str, Any], gateway: Gateway) -> bool:
    """Whether a pod of a Deployment is one of this gateway's, runs, has an address and is to stay."""
    meta, status = pod["metadata"], pod.get("status", {})
    labels = meta.get("labels") or {}
    if "pod-template-hash" not in labels or not gateway.labels.items() <= labels.items():
        return False
    runs = bool(status.get("podIP")) and status.get("phase") == "Running"
    return runs and "deletionTimestamp" not in meta


def scrape_trouble(found: tuple[Scraped, ...], modules: tuple[str, ...]) -> str:
    """What Prometheus does not see, in a sentence; "" for nothing."""
    missing = [m for m in modules if m not in {t.module for t in found}]
    down = [f"{t.module} ({t.error or 'not asked yet'})" for t in found if not t.up]
    words = [f"Prometheus has no target for {', '.join(missing)}"] if missing else []
    words += [f"Prometheus does not reach {', '.join(down)}"] if down else []
    return "; ".join(words)
