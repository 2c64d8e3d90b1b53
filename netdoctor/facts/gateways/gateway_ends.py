"""Why the gateways do not stay up: how their containers ended last, and what their logs say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

from netdoctor.facts.cluster.last_ends import LastEnd, read_end, without_unknown_words
from netdoctor.facts.cluster.workloads import ContainerEnd, Pod, Pods
from netdoctor.facts.gateways.gateways import Gateway, Modules
from netdoctor.program_messages.gateways import MESSAGES
from netdoctor.system.kube_api import KubeApi

MOST, AGAIN = 6, 2  # logs that are read; restarts of a container that waits for nothing


@dataclass(frozen=True, slots=True)
class GatewayEnds:
    """logs of gateways that do not stay up"""

    items: tuple[LastEnd, ...]  # `program` is the module's name

    added_later: ClassVar[bool] = True

    @classmethod
    def collect(cls, api: KubeApi, pods: Pods, modules: Modules) -> GatewayEnds:
        """The last ends of their containers, where they end again and again. Raises CannotRead without modules."""
        found = list(_troubled(pods, modules))[:MOST]
        if not found:
            return cls(())
        with ThreadPoolExecutor(len(found)) as pool:
            return cls(tuple(pool.map(lambda each: read_end(api, each[0], each[1], each[2], MESSAGES), found)))

    def without_unknown_words(self) -> GatewayEnds:
        """For a recording: a line that no entry knows may hold anything."""
        return GatewayEnds(tuple(map(without_unknown_words, self.items)))


def _troubled(pods: Pods, modules: Modules) -> Iterator[tuple[str, Pod, ContainerEnd]]:
    now = time.time()
    for gateway in modules.gateways:
        for pod in _pods_of(gateway, pods):
            for end in pod.ends:
                if end.restarts >= AGAIN and (not (end.running and pod.ready) or pod.keeps_ending(now)):
                    yield gateway.name, pod, end


def _pods_of(gateway: Gateway, pods: Pods) -> Iterator[Pod]:
    for pod in pods.selected(gateway.namespace, gateway.labels):
        if not pod.leaving and pod.owner:
            yield pod
