"""URLs of databases, and what Postgres's refusals mean."""

from __future__ import annotations

import pytest

from netdoctor.errors import BadInput
from netdoctor.facts.gateways.database_login import Login, parse_url
from netdoctor.facts.gateways.postgres_session import LOGIN, TLS, classify


class TestDatabase:
    def test_url(self) -> None:
        login = parse_url("postgresql://us%40er:p%2Fw@postgres:5432/shop?sslmode=require")
        assert login == Login("us@er", "p/w", "shop", "require")
        assert "p/w" not in repr(login)
        assert parse_url("postgres://u@h").database == "postgres"

    @pytest.mark.parametrize("url", ["", "mysql://u:canary@h/d", "postgresql://h/canary", "postgresql://u:canary@[::1",
                                     "canary", "postgresql://"])  # fmt: skip
    def test_bad_url_is_not_repeated(self, url: str) -> None:
        with pytest.raises(BadInput) as caught:
            parse_url(url)
        assert "canary" not in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('connection failed: FATAL:  password authentication failed for user "u"', (LOGIN, "28P01")),
            ('FATAL:  no pg_hba.conf entry for host "10.244.0.5", user "u", database "d"', (LOGIN, "28000")),
            ('FATAL:  role "u" does not exist', (LOGIN, "28000")),
            ('FATAL:  database "d" does not exist', (LOGIN, "3D000")),
            ("FATAL:  sorry, too many clients already", (LOGIN, "53300")),
            ("FATAL:  remaining connection slots are reserved for roles with ...", (LOGIN, "53300")),
            ("FATAL:  the database system is starting up", (LOGIN, "57P03")),
            ("FATAL:  the database system is shutting down", (LOGIN, "57P03")),
            ("SSL error: certificate verify failed", (TLS, "")),
            ("server does not support SSL, but SSL was required", (TLS, "")),
            ("something new", (LOGIN, "")),
        ],
    )
    def test_classify(self, text: str, expected: tuple[str, str]) -> None:
        stage, state, said = classify(f"{text} (pw s3cr3t)", Login("u", "s3cr3t", "d"))
        assert (stage, state) == expected
        assert "s3cr3t" not in said
