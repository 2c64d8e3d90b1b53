"""Acts that take many rules away at once: the act is named, and its effects stand under it."""

from __future__ import annotations

from dataclasses import replace

from netdoctor.facts.node.cni import Attachments
from netdoctor.facts.node.firewalld import Firewalld
from netdoctor.system.nft_trace import Dropped
from tests.builders import (
    CLIENT,
    COREDNS,
    POSTGRES,
    REJECTED,
    SILENT,
    attachments,
    firewalld,
    iptables,
    masquerade,
    reach,
    upstream_answers,
)
from tests.probes.cases import FAIL, NOT_APPLICABLE, PASS, Case
from tests.probes.host_cases import dropped

UNANSWERED = upstream_answers(pods=SILENT)
ALL_LOST = (masquerade(CLIENT, COREDNS, POSTGRES), UNANSWERED)
NO_RULES = iptables("KUBE-SERVICES")
BEFORE, AFTER = "2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z"  # all pods were connected between them


def started(at: str, *direct: str) -> Firewalld:
    """firewalld, and when it was started."""
    return replace(firewalld(direct=direct), started=at)


def connected(address: str, at: str) -> Attachments:
    """The node's pods, one of them connected at another time than the others."""
    pods = attachments().pods
    return Attachments(tuple(replace(pod, connected=at) if address in pod.addresses else pod for pod in pods))


CASES = [
    Case("firewalld-started-after-pods", "a second after them", FAIL, (started(AFTER), *ALL_LOST),
         "firewalld was started after the pods and flushed iptables", evidence=AFTER),
    Case("firewalld-started-after-pods", "before them", PASS, (started(BEFORE), *ALL_LOST)),
    Case("firewalld-started-after-pods", "after some of those that have lost it", PASS,
         (started(AFTER), *ALL_LOST, connected(CLIENT, "2026-01-01T00:00:02Z"))),
    Case("firewalld-started-after-pods", "after them, and nothing is lost", PASS, (started(AFTER),)),
    Case("firewalld-started-after-pods", "the outside answers without a masquerade", PASS,
         (started(AFTER), masquerade(CLIENT), upstream_answers())),
    Case("firewalld-started-after-pods", "its direct rules did it", PASS,
         (started(AFTER, "--add-rule ipv4 filter OUTPUT 0 -j ACCEPT"), *ALL_LOST)),
    Case("firewalld-started-after-pods", "no firewalld", NOT_APPLICABLE, ALL_LOST, "does not run"),
    Case("firewalld-started-after-pods", "systemd does not say when", NOT_APPLICABLE, (started(""), *ALL_LOST),
         "does not say"),
    Case("netfilter-flushed", "kube-proxy's and the CNI's rules are gone", FAIL, (NO_RULES, *ALL_LOST), "gone together",
         evidence="3 pods"),
    Case("netfilter-flushed", "a pod that was created since has its own", FAIL,
         (NO_RULES, masquerade(COREDNS, POSTGRES), UNANSWERED, connected(CLIENT, AFTER)), "gone together",
         evidence="2 pods"),
    Case("netfilter-flushed", "an older pod has kept its own", PASS,
         (NO_RULES, masquerade(COREDNS, POSTGRES), UNANSWERED, connected(CLIENT, BEFORE))),
    Case("netfilter-flushed", "kube-proxy has written its rules again", PASS, ALL_LOST),
    Case("netfilter-flushed", "only kube-proxy's are gone", PASS, (NO_RULES,)),
    Case("netfilter-flushed", "firewalld's late start did it", PASS, (NO_RULES, *ALL_LOST, started(AFTER))),
    Case("netfilter-flushed", "firewalld's direct rules did it", PASS,
         (NO_RULES, *ALL_LOST, started(BEFORE, "--add-rule ipv4 filter OUTPUT 0 -j ACCEPT"))),
    Case("netfilter-flushed", "firewalld has nothing to do with it", FAIL, (NO_RULES, *ALL_LOST, started(BEFORE)),
         "gone together"),
    Case("firewalld-rejects-pods", "something else fails too, and ends at another rule", FAIL,
         (firewalld(), reach(REJECTED), dropped(Dropped("inet", "guard", "forward", 2, "drop")))),
    Case("firewalld-rejects-pods", "packets of a trusted pod to the same destination end elsewhere", PASS,
         (firewalld("10.244.0.3/32"), upstream_answers(pods=REJECTED), dropped(Dropped(last_seen="prerouting 400")))),
    Case("firewalld-rejects-pods", "the packets themselves end at another rule", PASS,
         (firewalld(), upstream_answers(pods=REJECTED), dropped(Dropped("inet", "guard", "forward", 2, "reject")))),
]  # fmt: skip
