"""More forms of secrets, as people and programs write them where no name stands before a sign; see `canary_forms`."""

from __future__ import annotations

from tests.canary_forms import canary


def odd_canary(length: int = 20) -> str:
    """A secret with digits, which a sentence may show by mistake; a word in a sentence is a word."""
    return "c4n4ry" + canary(length)[6:]


# prefixes of prefixes.py that have no name beside them
BY_PREFIX = (
    "glffct-{c}",
    "_gitlab_session={c}",
    "sha256~{c}",
    "tgp_v1_{c}",
    "pcsk_abc12_{c}",
    "cfut_{c}",
    "cfat_{c}",
    "AVNS_{c}",
    "HRKU-AA{c}",
    "pnu_{c}",
    "sgp_{c}",
    "rdme_{c}",
    "xkeysib-{c}",
    "tk-us-{c}",
    "ico-{c}",
    "p8e-{c}",
    "fio-u-{c}",
    "dnkey-{c}",
    "duffel_live_{c}",
    "FLWSECK_TEST-{c}",
    "shippo_live_{c}",
    "EZAK{c}",
    "sm_aat_{c}",
    "tfp_{c}",
    "test_{h}abc",
    "pat.{c}ab.{c}abcd.{c}",
    "access-sandbox-{h}",
    "ZXlK{c}",
    "Abc123_{c}abcdefghi_mmk",
    "{h}ffffNRAL",
    "NRIQ-{c}",
    "dp.st.prd.{c}",
    "dp.audit.{c}",
    "https://discord.com/api/webhooks/123/{c}",
    "abc8Q~{c}abcd",
    "M{c}abc.abcdef.{c}abcdefg",
)
