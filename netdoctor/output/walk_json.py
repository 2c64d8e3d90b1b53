"""A traced flow as plain data, for `netdoctor trace --output json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from netdoctor import __version__
from netdoctor.tracing.packet_path import Passage, Stay
from netdoctor.tracing.traced import Traced

SCHEMA_VERSION = 1


def as_json(traced: Traced) -> dict[str, Any]:
    """The flow, its ending, its packets hook by hook, and every step."""
    way, stop = traced.way, traced.way.stop
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": f"netdoctor {__version__}",
        "node": traced.node,
        "source": {"name": traced.source.label, "address": traced.source.address},
        "destination": {"name": traced.target.label, "address": traced.target.address, "port": traced.target.port},
        "protocol": traced.walk.flow.protocol,
        "arrived": traced.ending.arrived,
        "ending": {"word": str(traced.ending.word), "text": traced.ending.text},
        "reply": {"answer": str(traced.reply.answer), "icmp": traced.reply.icmp},
        "stop": asdict(stop) if stop else None,
        "not_copied": _not_copied(traced),
        "question": [_passage(passage) for passage in way.question],
        "answer": [_passage(passage) for passage in way.answer],
        "error": [_passage(passage) for passage in way.error],
        "later": [_passage(passage) for passage in way.later],
        "steps": [asdict(step) for step in traced.walk.steps],
    }


def _passage(passage: Passage) -> dict[str, Any]:
    return {"where": passage.where, "hooks": [_stay(stay) for stay in passage.stays]}


def _stay(stay: Stay) -> dict[str, Any]:
    translation = stay.translation
    changes = list(translation.changes()) if translation else []
    return {
        "hook": stay.name,
        "interface_in": stay.interface_in,
        "interface_out": stay.interface_out,
        "packet": str(stay.before),
        "passed": stay.passed,
        "translations": [{"from": old, "to": new, "by": translation.by} for old, new in changes if translation],
        "rules": [asdict(step) for rules in stay.rules for step in rules.effects],
    }


def _not_copied(traced: Traced) -> list[str]:
    """What the copy does not have, in words."""
    settings = [traced.state.not_set_in_words] if traced.state.not_set_in_words else []
    return [*settings, *traced.lacking, *traced.state.node.programs]
