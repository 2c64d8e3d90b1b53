"""A document that passes the gate stays one, also where a text in it ends as if a secret followed."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from netdoctor.output import report_html, report_junit, report_markdown
from netdoctor.redact import remember
from netdoctor.system.output_gate import passed
from tests.output.reports import RECORDINGS, hostile, report_of
from tests.output.test_report_markdown import PARSER
from tests.worlds import catalogue

OPEN_ENDS = (
    "password=", "password:", "PASSWORD = \\", "x --password ", "Authorization: Bearer ", "token: \"", "secret='",
    "api_key: >-", "\"name\": \"password\", \"value\":", "password |", "curl -u user:", "postgres://u:", "X_KEY",
)  # fmt: skip
FORMS = (report_html.render, lambda report, known, _: report_markdown.render(report, known),
         lambda report, known, _: report_junit.render(report, known))  # fmt: skip


class Tags(HTMLParser):
    """The tags of a page, with the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}",))


def shape(value: str) -> tuple[object, ...]:
    """The structure of each document that holds this value everywhere, after the gate."""
    page, text, xml = (passed(form(hostile(value), catalogue(), f"because of {value}")) for form in FORMS)
    return (
        Tags(page).found,
        [(token.type, token.map) for token in PARSER.parse(text)],
        [element.tag for element in ElementTree.fromstring(xml).iter()],
    )


@pytest.mark.parametrize("end", OPEN_ENDS)
def test_nothing_between_two_texts_is_taken_for_a_secret(end: str) -> None:
    assert shape(end) == shape("plain words")


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_report_passes_as_it_was_written(name: str) -> None:
    for form in FORMS:
        document = form(report_of(name), catalogue(), "")
        assert passed(document) == document


def test_what_no_part_of_a_document_had_redacted_is_hidden() -> None:
    secret = 'quo"te&<9f8e7d6c5b>'
    remember(secret)
    escaped = "quo&quot;te&amp;&lt;9f8e7d6c5b&gt;"
    page = f'<!doctype html>\n<p title="x {escaped}">it is {escaped}</p><b>password=hunter2hunter2</b>'
    assert passed(page) == ('<!doctype html>\n<p title="x [redacted]">it is [redacted]</p><b>password=[redacted]</b>')
    told = passed(f"## netdoctor check: FAULTY\n\n- `{secret}`: password=hunter2hunter2\n")
    assert told == "## netdoctor check: FAULTY\n\n- `[redacted]`: password=[redacted]\n"
