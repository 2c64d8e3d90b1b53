"""Reports for the tests of documents: those of the recordings, and one whose every foreign text is hostile."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from netdoctor.diagnosis.check import Look, look
from netdoctor.model import Diagnosis, Evidence, Finding, Made, Outcome, Report, Result, Severity, Subject
from netdoctor.recording.file import from_json
from tests.conftest import ROOT
from tests.worlds import catalogue

FOLDER = ROOT / "tests" / "recordings"
RECORDINGS = sorted(path.stem for path in FOLDER.glob("*.json"))
HOSTILE = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>\"' onclick=alert(1) &lt;b&gt; --> ]]></style>",
    "details": "</details></summary></pre></code></td></title><h1>x</h1><a href=javascript:alert(1)>x</a>",
    "fences": "``` `` ` ~~~ ````` ` x `",
    "table": "| a | b |\n|---|---|\n| c | d | \\| \\",
    "lines": "\n# heading\n- item\n1. item\n> quote\n---\n```\ncode\n```\n\n<b>x</b>",
    "names": "@root @org/team #1 GH-2 owner/name#3 !4 user@example.com \\@root \\#1 &5 $6 %7",
    "odd names": '@_root @.root ~"a b" %"v 1" a@-example.com a@_b.com a@.c _www.example.com (www.example.com',
    "links": "[x](http://example.com) ![y](//example.com/z.png) <http://example.com> www.example.com https://example.com",
    "emphasis": "*a* _b_ **c** __d__ ~~e~~ $f$ $$g$$ [ ] [x] [^1] \\*a\\*",
    "control": "a\x00b\x07c\x1b[31md\x1b]8;;http://example.com\x07e\x85f\u202eg\ud800h\ufffei\uffffj\u200bk\u2028l",
}


@cache
def looked_at(name: str) -> Look:
    """What a recording shows, looked at once."""
    return look(catalogue(), from_json((FOLDER / f"{name}.json").read_text(), catalogue()))


@cache
def report_of(name: str) -> Report:
    """The report on a recording."""
    return looked_at(name).report()


def hostile(value: str) -> Report:
    """A report with this value wherever somebody else's words can stand."""
    evidence = (Evidence(value, value, value), Evidence(f"copy of the node, {value}", value, value))
    subject = Subject(value, value, value, value, value)

    def finding(probe: str, severity: Severity = Severity.ERROR) -> Finding:
        return Finding(value, evidence, subject, severity, since=value, probe=probe, by_hand=(value, value))

    cause, symptom = finding("packets-dropped-by-rule"), finding("postgres-unreachable")
    warning = finding("coredns-upstream-dead", Severity.WARNING)
    results = (
        Result("packets-dropped-by-rule", Outcome.FAIL, (cause, replace(cause, by_hand=(value,) * 9))),
        Result("postgres-unreachable", Outcome.FAIL, (symptom,), seconds=0.25),
        Result("coredns-upstream-dead", Outcome.FAIL, (warning,)),
        Result("corefile-invalid", Outcome.UNKNOWN, reason=value),
        Result("postgres-login-refused", Outcome.BLOCKED, reason=value, blocked_by=("postgres-unreachable",)),
        Result("firewalld-rejects-pods", Outcome.NOT_APPLICABLE, reason=value),
        Result("cni-config-unusable", Outcome.PASS),
    )
    diagnoses = (
        Diagnosis(cause, (symptom,), proof=value, see=value),
        Diagnosis(replace(cause, probe="ip-forward-disabled"), remedies=("enable-ip-forward",)),
        Diagnosis(replace(symptom, by_hand=()), unexplained=True),
        Diagnosis(warning),
    )
    return Report(
        results, diagnoses, value, (value, value), value, 1.5, value, (value,) * 6, (Made(value, value, value),),
        kubeconfig=value, about=(value, value), remarks=(value,),
    )  # fmt: skip
