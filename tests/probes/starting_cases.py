"""Pods that are not ready because they have just been started, and those where something else is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netdoctor.facts.cluster.workloads import ContainerEnd, Pods
from tests.builders import pods, slices
from tests.probes.cases import FAIL, UNKNOWN, Case


def young(seconds: str, minute: str = "08:00", **changed: Any) -> Pods:
    """CoreDNS and Postgres, not ready, that were started at 08:00 and are listed some seconds after this minute."""
    stated = {"ready": False, "started": "2026-11-30T08:00:00Z", **changed}
    return replace(pods(**stated), at=f"2026-11-30T{minute}:{seconds}Z")


WITHOUT_DNS, WITHOUT_POSTGRES = slices("kube-system/kube-dns"), slices("default/postgres")
AN_END = ContainerEnd("coredns", 1, "Error", "2026-11-30T08:00:05Z", running=True, restarts=1)
WITH_THE_MACHINE = replace(AN_END, kind="Unknown", exit_code=255)

CASES = [
    Case("coredns-not-ready", "started 12 s ago", UNKNOWN, (WITHOUT_DNS, young("12")),
         "CoreDNS is starting: pod kube-system/coredns-5dd-xyz12 is 12 s old; check again in 48 s"),
    Case("coredns-not-ready", "started 61 s ago", FAIL, (WITHOUT_DNS, young("01", "08:01")), "1 pods, none ready"),
    Case("coredns-not-ready", "started by a clock that is two minutes ahead", FAIL, (WITHOUT_DNS, young("00", "07:58")),
         "1 pods, none ready"),
    Case("coredns-not-ready", "young, and the kubelet says what is wrong", FAIL,
         (WITHOUT_DNS, young("12", trouble="coredns: ErrImagePull not found")), "not found"),
    Case("coredns-not-ready", "young, and it has ended", FAIL, (WITHOUT_DNS, young("12", ends=(AN_END,))),
         "1 pods, none ready"),
    Case("coredns-not-ready", "begun again after a boot", UNKNOWN,
         (WITHOUT_DNS, young("12", ends=(WITH_THE_MACHINE,))), "12 s old"),
    Case("coredns-not-ready", "a recording that does not say when", FAIL, (WITHOUT_DNS, replace(young("12"), at="")),
         "1 pods, none ready"),
    Case("postgres-without-endpoints", "started 12 s ago", UNKNOWN, (WITHOUT_POSTGRES, young("12")),
         "Postgres is starting: pod default/postgres-66c-qwert is 12 s old"),
    Case("postgres-without-endpoints", "started 61 s ago", FAIL, (WITHOUT_POSTGRES, young("01", "08:01")),
         "1 pods, none ready"),
]  # fmt: skip
