"""Whether Prometheus reaches every module, asked of Prometheus itself through the API server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.errors import CannotRead
from netdoctor.gateways.pod_failure import cut
from netdoctor.system.kube_api import KubeApi

EVERY = 1.0  # seconds between questions
PATIENCE = 45.0  # seconds: a scrape every 15, and a name that did not resolve at first


@dataclass(frozen=True, slots=True)
class Scraped:
    """A target as Prometheus sees it."""

    module: str
    url: str
    up: bool
    error: str


def targets(api: KubeApi, namespace: str, service: str = "prometheus", port: int = 9090) -> tuple[Scraped, ...]:
    """Every active target. Raises CannotRead where Prometheus does not answer."""
    path = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy/api/v1/targets"
    data = api.get(path, state="active").get("data")
    active = data.get("activeTargets") if isinstance(data, Mapping) else None
    if not isinstance(active, list):
        raise CannotRead("Prometheus", "its answer holds no targets")
    return tuple(_scraped(target) for target in active if isinstance(target, Mapping))


def _scraped(target: Mapping[str, Any]) -> Scraped:
    labels = target.get("labels")
    named = labels if isinstance(labels, Mapping) else {}
    name, url = str(named.get("module") or named.get("job", "")), str(target.get("scrapeUrl", ""))
    return Scraped(cut(name), cut(url), target.get("health") == "up", cut(str(target.get("lastError", ""))))


def wait_up(api: KubeApi, namespace: str, modules: tuple[str, ...], timeout: float = PATIENCE) -> tuple[Scraped, ...]:
    """The targets, once one of each module is up and none is down, or when the time is over. Raises CannotRead."""
    end = time.monotonic() + timeout
    while True:
        try:
            found = targets(api, namespace)
        except CannotRead:
            if time.monotonic() > end:
                raise
            found = ()
        good = found and all(t.up for t in found) and set(modules) <= {t.module for t in found}
        if good or time.monotonic() > end:
            return found
        time.sleep(EVERY)
