"""The lines of a deployment, from what was done."""

from __future__ import annotations

import pytest

from netdoctor.gateways.deployment import Deployment
from netdoctor.gateways.pod_failure import Failure
from netdoctor.gateways.rollout import Progress, Rollout
from netdoctor.gateways.scraping import Scraped
from netdoctor.gateways.smoke import OWN, Served, SmokeStep
from netdoctor.output.deployment_text import applied, reason, scraped_line, served_line, serving
from netdoctor.program_messages.message import Kind

TOOK = {"apply": 1.25, "rollout": 30.0}
WAITING = Progress("deployment/litellm-llm", 1, 0, False, True, "2")
UNSEEN = Progress("deployment/litellm-audio", 1, 0, False, False, "1")
CRASH = Failure("llm-1", Kind.CRASH, "it ends", True)
GOOD = Served("llm", "http://192.0.2.1:30100", (SmokeStep(OWN, True, "it answers"),))
SPARED = Served("image-gen", "http://192.0.2.1:30103", (SmokeStep(OWN, None, "not asked"),))
WARNED = Served(
    "vision",
    "http://192.0.2.1:30101",
    (SmokeStep(OWN, True, "it answers"), SmokeStep("health", False, "slow", 0.0, True)),
)
BAD = Served(
    "audio", "http://192.0.2.1:30102", (SmokeStep(OWN, False, "HTTP 500"), SmokeStep("models", True, "1 model"))
)


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (Deployment("litellm", True, seconds=TOOK), "apply: namespace litellm made, 7 objects in it (1.2 s)"),
        (Deployment("litellm", changed=("a", "b"), seconds=TOOK), "apply: a, b (1.2 s)"),
        (Deployment("litellm", seconds=TOOK), "apply: nothing changes, all 7 objects are up to date"),
    ],
)
def test_what_was_applied(result: Deployment, line: str) -> None:
    assert applied(result, 7) == line


@pytest.mark.parametrize(
    ("rollout", "sentence"),
    [
        (Rollout((WAITING, UNSEEN), {}, (CRASH,), 9.0), "pod llm-1: it ends"),
        (
            Rollout((WAITING, UNSEEN), {}, (), 9.0),
            "no controller has seen the change of deployment/litellm-audio: does kube-controller-manager run?",
        ),
        (Rollout((WAITING,), {}, (), 9.4), "they are still starting after 9 s; see netdoctor status"),
    ],
)
def test_why_a_rollout_is_not_complete(rollout: Rollout, sentence: str) -> None:
    assert reason(rollout) == sentence


def test_what_prometheus_sees() -> None:
    assert scraped_line(Deployment("litellm")) == ""
    assert scraped_line(Deployment("litellm", scraped=(), scrape_trouble="it is not asked")) == "  ✗ it is not asked"
    up = (Scraped("llm", "http://llm", True, ""), Scraped("audio", "http://audio", True, ""))
    assert scraped_line(Deployment("litellm", scraped=up)) == "  ✓ prometheus  2 targets up"


def test_how_the_modules_serve() -> None:
    assert served_line(GOOD) == "  ✓ llm         30100  it answers"
    assert served_line(SPARED) == "  – image-gen   30103  not asked"
    assert served_line(WARNED) == "  ✓ vision      30101  it answers; ! slow"
    assert served_line(BAD) == "  ✗ audio       30102  HTTP 500"
    result = Deployment("litellm", served=(GOOD, SPARED, BAD), seconds=TOOK)
    assert serving(result, 31.26) == (
        "1 of 3 modules serve, image-gen got no request that costs money (--images); "
        "after 31.3 s: apply 1.2, rollout 30.0"
    )
