"""Canaries in every form that a secret takes: nothing gets out by any way out."""

from __future__ import annotations

import io
import random
import string
import sys
import time

import pytest
from rich.console import Console

from netdoctor import redact as redaction
from netdoctor.errors import CannotRead
from netdoctor.facts import Facts
from netdoctor.facts.cluster.coredns import Corefile
from netdoctor.facts.gateways.database_login import DatabaseLogins, parse_url
from netdoctor.facts.gateways.kubectl import Answered
from netdoctor.facts.node.sysctl import Sysctls
from netdoctor.gateways import pod_failure
from netdoctor.model import Diagnosis, Evidence, Finding, Outcome, Report, Result
from netdoctor.output.report_json import to_json
from netdoctor.output.report_text import render
from netdoctor.recording.file import to_json as recorded
from netdoctor.redact import redact, remember
from netdoctor.secret_forms.known import KnownSecrets
from netdoctor.system.host import Host
from tests.worlds import catalogue

DICE = random.Random(3)
CANARY = "canary" + "".join(DICE.choices(string.ascii_lowercase + string.digits, k=14))
FORMS = {
    "url": f"postgresql://app:{CANARY}@postgres:5432/shop",
    "url with a slash in it": f"postgresql://app:x%2F{CANARY}@postgres/shop",
    "http url": f"could not fetch https://u:{CANARY}@host.example/path",
    "url of a password alone": f"redis://:{CANARY}@redis:6379/0",
    "environment": f"POSTGRES_PASSWORD={CANARY}",
    "environment, other names": f"MY_API_KEY={CANARY} LITELLM_MASTER_KEY={CANARY} GITHUB_TOKEN={CANARY}",
    "quoted": f'password="{CANARY}"',
    "in single quotes": f"password: '{CANARY}'",
    "libpq's words": f"connection to server failed: host=x password={CANARY} user=y",
    "json": f'{{"password": "{CANARY}", "token": "{CANARY}"}}',
    "bearer": f"Authorization: Bearer {CANARY}",
    "basic": f"Authorization: Basic {CANARY}==",
    "yaml": f"client_secret: {CANARY}",
    "form of a key": f"key sk-{CANARY}",
    "form of a token": f"eyJhbGciOiJIUzI1NiJ9.{CANARY}.{CANARY}",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("form", list(FORMS))
def test_a_secret_is_known_by_its_form(form: str) -> None:
    assert CANARY not in redact(f"before {FORMS[form]} after")
    assert redact(f"before {FORMS[form]} after").startswith("before ")


def test_what_is_no_secret_stays() -> None:
    for text in ("https://192.0.2.10:8443/version", "the password is wrong (SQLSTATE 28P01)",
                 'password authentication failed for user "app"', "net.ipv4.ip_forward = 1",
                 "kubernetes.default.svc: no answer", "token expired",
                 "nft: reject with icmpx admin-prohibited"):  # fmt: skip
        assert redact(text) == text


def test_twice_is_as_once() -> None:
    for text in FORMS.values():
        assert redact(redact(text)) == redact(text)


def test_what_was_read_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", KnownSecrets())
    remember("pa/ss w0rd")
    remember("abc")
    assert redact("it says pa/ss w0rd, abc") == "it says [redacted], abc"
    remember("pa/ss w0rd and more")
    assert redact("pa/ss w0rd and more") == "[redacted]"  # the longer one first, or its end would stay


def test_a_login_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", KnownSecrets())
    logins = DatabaseLogins({"default/postgres": (parse_url(f"postgresql://u:{CANARY}@h/d"),)}, "a test")
    assert CANARY not in redact(f"the server said {CANARY}")
    assert CANARY not in repr(logins.at)


@pytest.mark.parametrize("form", list(FORMS))
def test_nothing_gets_out(form: str) -> None:
    secret = FORMS[form]
    finding = Finding(f"summary {secret}", (Evidence(f"source {secret}", f"observed {secret}", f"expected {secret}"),),
                      probe="ip-forward-disabled")  # fmt: skip
    report = Report(
        (Result("ip-forward-disabled", Outcome.FAIL, (finding,)),
         Result("corefile-invalid", Outcome.UNKNOWN, (), f"reason {secret}"),
         Result("pod-to-pod-blocked", Outcome.BLOCKED, (), f"reason {secret}", (f"by {secret}",))),
        (Diagnosis(finding, (finding,)),), "n1", ("host",), "", 0, "netdoctor", (f"notice {secret}",),
    )  # fmt: skip
    assert CANARY not in to_json(report)
    out = io.StringIO()
    Console(file=out, width=500).print(render(report, catalogue()))
    assert "summary" in out.getvalue()
    assert CANARY not in out.getvalue()
    facts = Facts(
        {Corefile: Corefile(secret, (secret,), secret), Sysctls: CannotRead(f"source {secret}", f"reason {secret}")},
        live=False,
    )
    assert "cannot_read" in recorded(facts)
    assert CANARY not in recorded(facts)


def test_a_login_is_in_no_recording() -> None:
    logins = DatabaseLogins({"default/postgres": (parse_url(f"postgresql://u:{CANARY}2@h/d"),)}, "a test")
    text = recorded(Facts({DatabaseLogins: logins}, live=False))
    assert CANARY not in text
    assert "DatabaseLogins" not in text


def test_a_placeholder_is_no_secret_and_an_address_without_a_password_neither() -> None:
    for value in ("none", "http://example.com:8080/v1"):
        remember(value)
        assert redact(f"found {value} here") == f"found {value} here"
    remember("https://user:canary-55aa@example.com/v1")
    assert "canary-55aa" not in redact("calls https://user:canary-55aa@example.com/v1")


@pytest.mark.parametrize(
    "part",
    ["a", "a.", "eyJ-", "a://b:", "-----BEGIN PRIVATE KEY-----", "password", "api-key ", "eyJaaaaaaaaaaa.", "sk-"],
)
def test_a_hostile_text_takes_no_longer_than_another(part: str) -> None:
    begin = time.process_time()
    redact(part * (200_000 // len(part)))
    assert time.process_time() - begin < 3  # 0.3 at most; what grows with the square takes minutes


def test_a_key_that_is_cut_short_is_no_less_secret() -> None:
    assert redact("x -----BEGIN RSA PRIVATE KEY-----\nMIIE") == "x [redacted]"


@pytest.mark.parametrize("text", ["api_key:\n  winter in lisbon", "password: |\n  winter\n  in lisbon"])
def test_the_last_line_of_a_text_is_taken_once_the_text_is_redacted(text: str) -> None:
    assert "lisbon" not in Answered(1, "", text).reason
    with pytest.raises(CannotRead) as failed:
        Host().run([sys.executable, "-c", f"raise SystemExit({text!r})"])
    assert "lisbon" not in failed.value.reason
    assert "lisbon" not in pod_failure.cut(text)
    ended = {"exitCode": 1, "reason": "Error"}
    containers = [{"name": "a", "ready": False, "restartCount": 2, "state": {"terminated": ended}, "lastState": {}}]
    pod = {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a"}]},
        "status": {"containerStatuses": containers},
    }
    failure = pod_failure.why(pod, lambda _name, _previous: text, [])
    assert "ended with exit status 1" in failure.sentence
    assert "lisbon" not in failure.sentence
