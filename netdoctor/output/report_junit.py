"""The report as JUnit XML, which CI systems show: a test suite for each area, a test for each check.

A check that failed is a failure; one that could not be made is an error, so that it is never taken for a pass; one
that waits for another, or does not apply, is skipped. A check with nothing but warnings passes, as the exit status has
it, and says so in its output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from netdoctor.diagnosis.catalogue import Catalogue
from netdoctor.model import Area, Finding, Outcome, Report, Result, Severity
from netdoctor.output.diagnosis_text import in_words
from netdoctor.output.report_words import facts_of_run
from netdoctor.redact import one_line

FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"
COUNTED = {FAILURE: "failures", ERROR: "errors", SKIPPED: "skipped"}
NAME = "netdoctor"


def render(report: Report, catalogue: Catalogue) -> str:
    """The report as the text of an XML file."""
    root = Element("testsuites", name=NAME)
    found = [(area, _of_area(report.results, area, catalogue)) for area in Area]
    for area, results in found:
        if results:
            _suite(root, area, results, report, catalogue)
    _count(root, report.results)
    root.set("time", f"{report.seconds:.3f}")
    return _document(root)


def failed(sentence: str) -> str:
    """What is written where there is no report: the whole run as one error, with its reason."""
    root = Element("testsuites", name=NAME, tests="1", failures="0", errors="1", skipped="0")
    suite = SubElement(root, "testsuite", name=NAME, tests="1", failures="0", errors="1", skipped="0")
    case = SubElement(suite, "testcase", classname=NAME, name="check")
    SubElement(case, ERROR, message=one_line(sentence), type="error")
    return _document(root)


def _document(root: Element) -> str:
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _of_area(results: Iterable[Result], area: Area, catalogue: Catalogue) -> list[Result]:
    return [result for result in results if catalogue.probes[result.probe].area is area]


def _count(element: Element, results: Iterable[Result]) -> None:
    """Set how many tests there are, and how many ended in each way."""
    kinds = Counter(_kind(result) for result in results)
    element.set("tests", str(kinds.total()))
    for kind, attribute in COUNTED.items():
        element.set(attribute, str(kinds[kind]))


def _suite(root: Element, area: Area, results: list[Result], report: Report, catalogue: Catalogue) -> None:
    suite = SubElement(root, "testsuite", name=f"{NAME}.{area}")
    _count(suite, results)
    suite.set("time", f"{sum(result.seconds for result in results):.3f}")
    if report.started:
        suite.set("timestamp", one_line(report.started))
    suite.set("hostname", one_line(report.node))
    properties = SubElement(suite, "properties")
    for name, value in facts_of_run(report):
        SubElement(properties, "property", name=name, value=value)
    for result in results:
        _case(suite, area, result, catalogue)


def _case(suite: Element, area: Area, result: Result, catalogue: Catalogue) -> None:
    """One test: its class is the check's id, which stays; its name says what is true where it passes."""
    probe = catalogue.probes[result.probe]
    case = SubElement(
        suite, "testcase", classname=f"{NAME}.{area}.{probe.name}", name=probe.healthy_title,
        time=f"{result.seconds:.3f}",
    )  # fmt: skip
    kind = _kind(result)
    if kind == FAILURE:
        errors = [finding for finding in result.findings if finding.severity is Severity.ERROR]
        message = "; ".join(one_line(finding.summary) for finding in errors) or "failed"
        SubElement(
            case, FAILURE, message=message, type=str(errors[0].confidence) if errors else "failed"
        ).text = _evidence(result.findings)
    elif kind in (ERROR, SKIPPED):
        SubElement(case, kind, message=one_line(result.reason) or str(result.outcome), type=str(result.outcome))
    elif result.findings:
        SubElement(case, "system-out").text = _evidence(result.findings)


def _kind(result: Result) -> str:
    """What a result is to JUnit, "" for a pass."""
    if result.outcome is Outcome.FAIL:
        warned = bool(result.findings) and all(f.severity is Severity.WARNING for f in result.findings)
        return "" if warned else FAILURE
    if result.outcome is Outcome.UNKNOWN:
        return ERROR
    return SKIPPED if result.outcome in (Outcome.BLOCKED, Outcome.NOT_APPLICABLE) else ""


def _evidence(findings: Iterable[Finding]) -> str:
    """Each finding with its evidence, and what to type where that is known."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.severity}: {one_line(finding.summary)}")
        lines += [f"  {in_words(item)}" for item in finding.evidence]
        lines += [f"  by hand: {one_line(line)}" for line in finding.by_hand]
        lines.append(f"  netdoctor explain {finding.probe}")
    return "\n".join(lines)
