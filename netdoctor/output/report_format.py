"""The forms of a report, and which of them a file's name asks for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.errors import BadInput
from netdoctor.model import Report

if TYPE_CHECKING:
    from netdoctor.diagnosis.traced_cause import TracedCause


class Format(StrEnum):
    """What a report is written as; the terminal's text is not among them."""

    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    HTML = "html"


ENDINGS = {
    ".json": Format.JSON,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".xml": Format.JUNIT,
}


def format_of(path: str) -> Format:
    """The form that a file's name asks for: JSON where it has no ending. Raises BadInput for an ending of others."""
    ending = PurePath(path).suffix.lower()
    if not ending:
        return Format.JSON
    if ending not in ENDINGS:
        raise BadInput(f"{path}: a report is written as .json, .md, .html or .xml")
    return ENDINGS[ending]


def document(report: Report, catalogue: Catalogue, form: Format, traced: TracedCause | str = "") -> str:
    """The report in this form, as the whole text of a file.

    `traced`: the flow that HTML draws, or why there is none.
    """
    if form is Format.MARKDOWN:
        from netdoctor.output.report_markdown import render

        return render(report, catalogue)
    if form is Format.HTML:
        from netdoctor.output import report_html

        return report_html.render(report, catalogue, traced)
    if form is Format.JUNIT:
        from netdoctor.output import report_junit

        return report_junit.render(report, catalogue)
    from netdoctor.output.report_json import to_json

    return to_json(report) + "\n"
