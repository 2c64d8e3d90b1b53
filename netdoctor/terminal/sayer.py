"""What a command says while it works: lines for a person, or with --output json one document at the end."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import Any

import click

from netdoctor import __version__
from netdoctor.diagnosis.gate import Gate
from netdoctor.output.console import print_lines
from netdoctor.output.gate_json import gate_document
from netdoctor.output.json_text import as_data
from netdoctor.redact_data import plain
from netdoctor.system.kubeconfig import used


class Sayer:
    """Lines for a person on standard output; with --output json on standard error, and JSON at the end."""

    def __init__(self, output: str) -> None:
        self._json = output == "json"

    def __call__(self, line: str) -> None:
        """One line, without secrets."""
        print_lines([line], stderr=self._json)

    def block(self, text: str) -> None:
        """Text of several lines, whose fields have passed `one_line`."""
        for line in text.split("\n"):
            self(line)

    def json(self, gate: Gate | None = None, **parts: Any) -> None:
        """The whole result, where JSON was asked for."""
        if not self._json:
            return
        asked = {"gate": as_data(gate_document(gate, used()))} if gate else {}
        whole = {k: asdict(v) if is_dataclass(v) and not isinstance(v, type) else v for k, v in parts.items()}
        whole = {"schema_version": 2, "tool": f"netdoctor {__version__}", "kubeconfig": used(), **asked, **whole}
        click.echo(json.dumps(plain(whole), indent=1, ensure_ascii=False))
