"""A deployment for a person: what was applied, why a rollout is not complete, and how the modules serve.

Each is one line; the caller that writes it passes it through `netdoctor.redact.one_line`.
"""

from __future__ import annotations

from netdoctor.gateways.deployment import Deployment
from netdoctor.gateways.rollout import Rollout
from netdoctor.gateways.smoke import Served


def applied(result: Deployment, count: int) -> str:
    """The line of the first stage; `count` is the number of objects."""
    if result.made_namespace:
        return f"apply: namespace {result.namespace} made, {count} objects in it ({result.seconds['apply']:.1f} s)"
    if result.changed:
        return f"apply: {', '.join(result.changed)} ({result.seconds['apply']:.1f} s)"
    return f"apply: nothing changes, all {count} objects are up to date"


def reason(rollout: Rollout) -> str:
    """Why a rollout is not complete."""
    if rollout.cause:
        return f"pod {rollout.cause.pod}: {rollout.cause.sentence}"
    unseen = [progress.workload for progress in rollout.progress if not progress.seen]
    if unseen:
        return f"no controller has seen the change of {', '.join(unseen)}: does kube-controller-manager run?"
    return f"they are still starting after {rollout.total:.0f} s; see netdoctor status"


def served_line(served: Served) -> str:
    """One module of a smoke test."""
    port = served.url.rpartition(":")[2]
    if not served.ok:
        sign, words = "✗", [step.observed for step in served.failed]
    else:
        sign = "✓" if served.asked else "–"
        words = [f"! {step.observed}" if step.ok is False else step.observed for step in served.steps]
    return f"  {sign} {served.module:11} {port}  {'; '.join(words)}"


def scraped_line(result: Deployment) -> str:
    """What Prometheus sees; "" where it is not among the objects."""
    if result.scraped is None:
        return ""
    if result.scrape_trouble:
        return f"  ✗ {result.scrape_trouble}"
    return f"  ✓ {'prometheus':11} {sum(target.up for target in result.scraped)} targets up"


def serving(result: Deployment, total: float) -> str:
    """The last line: how many modules serve, and what each stage took, of `total` seconds."""
    good = sum(served.ok and served.asked for served in result.served)
    spared = [served.module for served in result.served if served.ok and not served.asked]
    more = f", {', '.join(spared)} got no request that costs money (--images)" if spared else ""
    parts = [f"{stage} {seconds:.1f}" for stage, seconds in result.seconds.items()]
    return f"{good} of {len(result.served)} modules serve{more}; after {total:.1f} s: {', '.join(parts)}"
