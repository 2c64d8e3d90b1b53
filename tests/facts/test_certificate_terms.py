"""The dates of a certificate by openssl, and of damaged ones."""

from __future__ import annotations

import random
import re

import pytest

from netdoctor.facts.node.certificate_terms import USED_FOLDER, Term, parse
from netdoctor.system.certificate_dates import certificates, dates
from netdoctor.system.clock import utc

PEM = """-----BEGIN OTHER-----
AAAA
-----END OTHER-----
-----BEGIN CERTIFICATE-----
MIHAMHQCAQEwBQYDK2VwMAwxCjAIBgNVBAMMAWEwIBcNMjYwMTAxMDAwMDAwWhgP
MjA5NTAyMDMwNDA1MDZaMAwxCjAIBgNVBAMMAWMwKjAFBgMrZXADIQAi7/3f3U96
HR7+2d5IQEMZHXeJHWzMtV4ZKhM26x2BETAFBgMrZXADQQBEdFK77JKoJXC9ri8Y
0g2vokb2jNO8WjFAFXaQxJKCYwEPkdpyyAbCjrU1hWJkElCqDkZz6nT/SCJpzHlF
7k4M
-----END CERTIFICATE-----
"""
(DER,) = certificates(PEM)


def test_both_forms_of_time() -> None:
    assert [utc(moment) for moment in dates(DER)] == ["2026-01-01T00:00:00Z", "2095-02-03T04:05:06Z"]


def test_the_first_certificate_of_a_file() -> None:
    assert parse("/x.pem", PEM + PEM) == [Term("/x.pem", *dates(DER))]
    assert parse("/x.pem", "no certificate") == []
    assert parse("/x.pem", PEM.replace("MIHA", "MIHB")) == []


def test_damaged_certificates_have_no_dates_or_some() -> None:
    chance = random.Random(5)
    for _ in range(3000):
        damaged = bytearray(DER[: chance.randrange(len(DER) + 1)])
        for _ in range(min(3, len(damaged))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            dates(bytes(damaged))
        except ValueError:
            continue


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x80", b"\x30\x02\x30\x00"])
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(ValueError, match="element"):
        dates(data)


def test_the_folder_of_the_api_server_that_runs_here() -> None:
    manifest = "    - kube-apiserver\n    - --tls-cert-file=/etc/kubernetes/pki/apiserver.crt\n"
    found = USED_FOLDER.search(manifest)
    assert found is not None
    assert found[1] == "/etc/kubernetes/pki"
    assert re.search(USED_FOLDER, "# --tls-cert-file=/etc/kubernetes/pki/apiserver.crt") is None
