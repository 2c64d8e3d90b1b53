"""Each JSON output follows its schema, errors too, and the schemas are those of the documents."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from netdoctor.changes.file import WriteFile
from netdoctor.cli.status import as_json as status_json
from netdoctor.diagnosis.check import look
from netdoctor.diagnosis.gate import judge
from netdoctor.facts.gateways.kustomization import EnvMissing
from netdoctor.gateways.deployment import Deployment
from netdoctor.gateways.rollout import Rollout
from netdoctor.gateways.scraping import Scraped
from netdoctor.model import Access, Diagnosis
from netdoctor.output.gate_json import gate_document
from netdoctor.output.json_schemas import NAMES, document_types, file_name, generated, stored
from netdoctor.output.json_text import as_data, json_text
from netdoctor.output.repair_text import as_json as fix_json
from netdoctor.output.report_json import to_json
from netdoctor.recording.file import from_json
from netdoctor.rehearsal.exposure import ExposedFlow
from netdoctor.rehearsal.rehearsal import Rehearsal, TriedFlow
from netdoctor.repair.executor import Outcomes, StepEnd, StepOutcome
from netdoctor.repair.plan import NotRepairable, Plan, Step
from netdoctor.terminal.sayer import Sayer
from netdoctor.twin.twin import Flow
from netdoctor.values import Values
from tests.builders import REFUSED
from tests.cli.test_cli import netdoctor
from tests.conftest import ROOT
from tests.diagnosis.test_gate_verdicts import DEPLOYABLE, gate
from tests.gateways.module_builders import provider
from tests.gateways.test_deployment_text import BAD, CRASH, GOOD, SPARED, UNSEEN, WAITING, WARNED
from tests.gateways.test_status import STATUS, WELL
from tests.output.test_report import CAUSE, FAULTY, REPORTS
from tests.schemas import valid
from tests.scripts import script
from tests.twin.network import real
from tests.worlds import catalogue, world

pytestmark = pytest.mark.thorough

RECORDINGS = sorted((ROOT / "tests/recordings").glob("*.json"))
NAME = "name"


def by_stem(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize(NAME, list(NAMES))
class TestSchemas:
    def test_it_is_one(self, name: str) -> None:
        schema = json.loads(stored(name))
        Draft202012Validator.check_schema(schema)
        version = schema["properties"]["schema_version"]["const"]
        assert schema["$id"] == f"urn:netdoctor:schema:{name}:{version}"
        assert "schema_version" in schema["required"]

    def test_it_is_that_of_the_document(self, name: str) -> None:
        assert json.loads(stored(name)) == generated(name), "make docs"

    def test_the_command_prints_it(self, name: str) -> None:
        done = netdoctor("schema", name)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == (ROOT / "netdoctor/output/schemas" / file_name(name)).read_text()

    def test_no_object_may_have_another_key(self, name: str) -> None:
        def objects(value: Any) -> list[dict[str, Any]]:
            if isinstance(value, list):
                return [found for item in value for found in objects(item)]
            if not isinstance(value, dict):
                return []
            own = [value] if "properties" in value and "type" in value else []
            return own + objects(list(value.values()))

        assert all(found["additionalProperties"] is False for found in objects(json.loads(stored(name))))


def test_each_document_has_a_schema() -> None:
    assert list(document_types()) == list(NAMES)
    assert stored("report") == (ROOT / "docs/report.schema.json").read_text()
    assert {path.name for path in (ROOT / "netdoctor/output/schemas").iterdir()} == set(map(file_name, NAMES))


def test_a_comment_behind_a_field_is_its_description() -> None:
    values = json.loads(stored("report"))["$defs"]["Values"]["properties"]
    assert values["handle"]["description"] == "of the rule"
    assert json.loads(stored("report"))["properties"]["causes"]["description"] == "worst first"


def test_the_list_names_all() -> None:
    done = netdoctor("schema")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(NAMES)


def test_one_that_there_is_not() -> None:
    done = netdoctor("schema", "chek")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no schema chek" in done.stderr


@pytest.mark.parametrize("path", RECORDINGS, ids=by_stem)
def test_a_report_on_a_recording(path: Path) -> None:
    done = netdoctor("check", "--facts", path, "-o", "json")
    report = valid("report", done.stdout)
    assert report["exit_code"] == done.returncode
    probes = [name for names in report["outcomes"]["passed"].values() for name in names]
    probes += report["outcomes"].get("failed", [])
    for outcome in ("unknown", "blocked", "not_applicable"):
        probes += [name for reason in report["outcomes"].get(outcome, ()) for name in reason["probes"]]
    assert sorted(probes) == sorted(catalogue().probes), "each probe once"
    findings = [*report["causes"], *report.get("findings", ())]
    ids = [finding["id"] for finding in findings]
    assert len(set(ids)) == len(ids)
    assert {name for cause in report["causes"] for name in cause.get("explains", ())} <= set(ids)
    assert len({(f["probe"], f["says"], str(f.get("subject"))) for f in findings}) == len(ids)


@real
@pytest.mark.parametrize("path", RECORDINGS, ids=by_stem)
def test_a_report_is_smaller_than_that_of_version_1(path: Path) -> None:
    sizes = script("report-sizes")
    page = (ROOT / "docs/reports.md").read_text()
    now, before = sizes.size_of(path), sizes.VERSION_1[path.stem]
    assert now < 0.6 * before, "though it has 94 checks, and version 1 had 44"
    row = re.search(rf"^\| {path.stem} \| {before} \| (\d+) \|", page, re.MULTILINE)
    assert row
    assert abs(int(row[1]) - now) < now / 10, "scripts/report-sizes prints the table of docs/reports.md"


@pytest.mark.parametrize(NAME, list(REPORTS))
def test_a_report(name: str) -> None:
    text = to_json(REPORTS[name])
    valid("report", text)
    for damage in ({"seconds": "long"}, {"verdict": "well"}, {"other": 1}, {"schema_version": 1}):
        with pytest.raises(ValidationError):
            valid("report", json.dumps({**json.loads(text), **damage}))


def test_every_value_of_evidence_is_in_the_schema() -> None:
    words = {"handle", "port", "count", "of"}
    data = Values(**{name: 1 if name in words else "x" for name in Values.__dataclass_fields__})  # type: ignore[arg-type]
    cause = replace(CAUSE, evidence=(replace(CAUSE.evidence[0], data=data),))
    told = valid("report", to_json(replace(FAULTY, diagnoses=(Diagnosis(cause),))))
    assert set(told["causes"][0]["evidence"][0]["data"]) == set(Values.__dataclass_fields__)


@pytest.mark.parametrize("path", RECORDINGS, ids=by_stem)
def test_the_gate_on_a_recording(path: Path) -> None:
    seen = look(catalogue(), from_json(path.read_text(), catalogue()))
    judged = judge(seen.results, seen.diagnoses, seen.facts.known())
    told = valid("gate", json_text(as_data(gate_document(judged, ""))))
    assert told["verdict"] == judged.verdict
    assert [cause["probe"] for cause in told["causes"]] == [each.cause.probe for each in judged.causes]


@pytest.mark.parametrize(
    "judged",
    [gate(*DEPLOYABLE), gate(*DEPLOYABLE, provider(REFUSED)), gate(), gate(unbuilt=EnvMissing("k8s"))],
    ids=["open", "closed", "no modules", "no keys"],
)
def test_the_gate(judged: Any) -> None:
    valid("gate", json_text(as_data(gate_document(judged, "/root/.kube/config"))))


TRACES = [
    ("default/client", "8.8.8.8", "53"), ("default/client", "svc/default/postgres", "5432"),
    ("default/client", "node", "10250"), ("host", "svc/default/echo", "80"),
]  # fmt: skip


@real
@pytest.mark.parametrize("path", RECORDINGS, ids=by_stem)
def test_a_trace_on_a_recording(path: Path) -> None:
    for words in TRACES:
        done = netdoctor("trace", *words, "--facts", path, "-o", "json")
        name = "trace" if done.returncode in (0, 1) else "error"
        told = valid(name, done.stdout)
        assert name == "error" or told["arrived"] == (done.returncode == 0)


CHANGE = WriteFile("/etc/x", "a\n", None)
REMEDY = next(iter(catalogue().remedies.values()))
STEP = Step(REMEDY, "it fails", (CHANGE,))
PLAN = Plan((STEP,), (NotRepairable("corefile-invalid", "it is invalid", "there is no remedy"),))
FLOW = Flow("default/client", "8.8.8.8", "udp", 53)
OPENED = ExposedFlow(Access.POD_TO_OUTSIDE, FLOW)
REHEARSAL = Rehearsal(
    flows=(TriedFlow("a -> b", "no answer", "ok", True, False),),
    opened=(OPENED,), closed=(OPENED,), tried=5, not_shown=("x",), seconds=0.5, needless=(OPENED,),
    untouched=("y",), sampled=("z",), unseen=("w",), made=1,
)  # fmt: skip


@pytest.mark.parametrize("rehearsal", [REHEARSAL, None], ids=["rehearsed", "not rehearsed"])
@pytest.mark.parametrize("why_not", ["", "no root"])
@pytest.mark.parametrize("end", [None, *StepEnd])
def test_a_repair(end: StepEnd | None, why_not: str, rehearsal: Rehearsal | None) -> None:
    seen = look(catalogue(), world())
    outcomes = Outcomes((StepOutcome(REMEDY.name, REMEDY.fixes, end, "", (CHANGE,)),), seen) if end else None
    run = "20260101T000000Z-abcd" if end else ""
    told = valid("fix", fix_json(PLAN, outcomes, seen, run, end is None, rehearsal, why_not))
    valid("report", json.dumps(told["report"]))


def test_a_repair_of_nothing() -> None:
    seen = look(catalogue(), world())
    valid("fix", fix_json(Plan((), ()), None, seen, "", False, None, ""))


@pytest.mark.parametrize("answers", [True, False, None])
def test_a_status(answers: bool | None) -> None:
    status = replace(STATUS, modules=(WELL, replace(WELL, answers=answers)))
    told = valid("status", status_json(status, FAULTY, "/root/.kube/config"))
    assert told["causes"][0] == {"probe": CAUSE.probe, "summary": CAUSE.summary}


WHOLE = Deployment(
    "litellm", True, ("deployment/a",), Rollout((WAITING, UNSEEN), {"deployment/a": 1.5}, (CRASH,), 2.0), (WAITING,),
    (GOOD, SPARED, WARNED, BAD), (Scraped("llm", "http://llm", True, ""),), "", {"gate": 1.0},
)  # fmt: skip


@pytest.mark.parametrize(
    "parts",
    [
        {"deployed": False},
        {"gate": gate(), "deployed": False, "seconds": {"gate": 0.5}},
        {"gate": gate(), "deployed": False, "would_change": ("a",), "diff": "+ a"},
        {"gate": gate(), "deployed": True, "ok": False, "result": WHOLE, "cause": CRASH},
        {"gate": gate(), "deployed": True, "ok": False, "result": WHOLE, "cause": None},
        {"gate": gate(*DEPLOYABLE), "deployed": True, "ok": True, "result": Deployment("litellm")},
    ],
)
def test_a_deployment(parts: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    Sayer("json").json(**parts)
    valid("deploy", capsys.readouterr().out)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--nonsense"), ("check", "--facts", "/nonexistent"), ("check", "--facts", "/etc/hostname"),
        ("check", "--report", "/nonexistent/x"), ("check", "-v", "-q"), ("check", "--kubeconfig", "/nonexistent"),
        ("gate", "-k", "/nonexistent"), ("gate", "--kubeconfig", "/nonexistent"),
        ("fix", "--only", "nothing"), ("fix", "--confirm", "1"),
        ("undo", "20200101T000000Z-abcd"), ("undo", "--nonsense"),
        ("trace",), ("trace", "a", "b", "1", "--facts", str(RECORDINGS[0])), ("trace", "a", "b", "nothing"),
        ("status", "--kubeconfig", "/nonexistent"), ("status", "--nonsense"),
        ("deploy", "-k", "/nonexistent"), ("deploy",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_error(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = netdoctor(*arguments, "-o", "json", cwd=tmp_path)
    assert done.returncode in (2, 3)
    assert valid("error", done.stdout)["error"] in done.stderr
