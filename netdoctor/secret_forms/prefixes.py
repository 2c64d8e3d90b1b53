"""Secrets that are known by how they begin: a table, with where each form is from.

Sources: gitleaks (config/gitleaks.toml), trufflehog (pkg/detectors), detect-secrets (detect_secrets/plugins), or the
page of the provider. Lengths are lower bounds: a key that was cut short is no less secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from netdoctor.secret_forms.patterns import Hints, LatePattern


class Prefix(NamedTuple):
    """One form: words of which one is in each such secret, a pattern that matches the whole secret, and the source."""

    words: tuple[str, ...]
    pattern: LatePattern
    source: str


def _row(words: str, pattern: str, source: str) -> Prefix:
    return Prefix(tuple(words.split()), LatePattern(pattern), source)


PREFIXES = (
    _row("sk-", r"sk-[\w-]{8,}+", "gitleaks openai-api-key, anthropic-api-key; LiteLLM, DeepSeek, OpenRouter"),
    _row("sk_ rk_ pk_live whsec_", r"(?:[srp]k|whsec)_(?:(?:live|test|prod)_)?[A-Za-z0-9+/=]{8,}+", "gitleaks stripe-access-token"),
    _row("A3T AKIA ASIA ABIA ACCA AKID", r"A(?:3T[A-Z0-9]|KIA|SIA|BIA|CCA|KID)[A-Za-z0-9]{8,}+", "gitleaks aws-access-token; trufflehog tencent"),
    _row("ABSK bedrock-api-key-", r"(?:ABSK|bedrock-api-key-)[\w=+/-]{16,}+", "gitleaks aws-amazon-bedrock-api-key-long-lived"),
    _row("AIza", r"AIza[\w-]{8,}+", "gitleaks gcp-api-key"),
    _row("ya29. GOCSPX- 1//0", r"(?:ya29\.|GOCSPX-|1//0)[\w.-]{8,}+", "trufflehog gcpapplicationdefaultcredentials"),
    _row("gho_ ghp_ ghu_ ghs_ ghr_ github_pat_", r"(?:gh[pousr]_|github_pat_)\w{8,}+", "gitleaks github-pat"),
    _row("glpat- glptt- glrt- gldt- glcbt- glsoat- glft- glffct- glagent- glimt- gloas- GR1348941 _gitlab_session=",
         r"(?:gl(?:pat|ptt|rt|dt|cbt|soat|ft|ffct|agent|imt|oas)-|GR1348941|_gitlab_session=)[\w.-]{8,}+",
         "gitleaks gitlab-pat, gitlab-feature-flag-client-token, gitlab-session-cookie"),
    _row("xox xapp- xwfp-", r"(?:xox[a-z](?:\.xox[a-z])?|xapp|xwfp)-[\w-]{8,}+", "gitleaks slack-bot-token"),
    _row("hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows|triggers)/[\w/+-]{8,}+", "gitleaks slack-webhook-url"),
    _row("discord", r"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/[\w/-]{8,}+", "trufflehog discordwebhook"),
    _row(".", r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}+", "detect-secrets discord"),
    _row("webhook.office.com", r"webhook\.office\.com/[\w/@-]{8,}+", "gitleaks microsoft-teams-webhook"),
    _row("hf_ api_org_", r"(?:hf_|api_org_)[A-Za-z0-9]{8,}+", "gitleaks huggingface-access-token"),
    _row("gsk_ r8_ pplx- xai- fw_ pk-lf- nvapi- tvly- csk- lsv2_ jina_ voyage pa-",
         r"(?:gsk_|r8_|pplx-|xai-|fw_|pk-lf-|nvapi-|tvly-|csk-|lsv2_|jina_|pa-(?=\w*\d))[\w-]{16,}+", "trufflehog groq, replicate; the providers' pages"),
    _row("doo_v1_ dop_v1_ dor_v1_", r"do[opr]_v1_\w{8,}+", "gitleaks digitalocean-pat"),
    _row("dckr_pat_ dckr_oat_", r"dckr_[po]at_[\w-]{8,}+", "trufflehog dockerhub"),
    _row("npm_", r"npm_[A-Za-z0-9]{12,}+", "gitleaks npm-access-token"),
    _row("pypi-", r"pypi-[\w-]{16,}+", "gitleaks pypi-upload-token"),
    _row("rubygems_ CLOJARS_", r"(?:rubygems_|CLOJARS_)[A-Za-z0-9]{16,}+", "gitleaks rubygems-api-token, clojars-api-token"),
    _row("hvs. hvb. hvr.", r"hv[sbr]\.[\w-]{8,}+", "gitleaks vault-service-token"),
    _row("s. b.", r"\b[sb]\.(?=[A-Za-z]{0,23}\d)[A-Za-z0-9]{24}\b", "HashiCorp Vault before 1.10"),
    _row(".atlasv1.", r"(?<=[A-Za-z0-9]{14})\.atlasv1\.[\w-]{8,}+", "gitleaks hashicorp-tf-api-token"),
    _row("AGE-SECRET-KEY- age-secret-key- AGE-PLUGIN-", r"(?i:AGE-(?:SECRET-KEY|PLUGIN-\w{1,20})-1)[A-Za-z0-9]{8,}+", "gitleaks age-secret-key"),
    _row("SG.", r"SG\.[\w-]{8,}+(?:\.[\w-]+)?", "gitleaks sendgrid-api-token"),
    _row("SK AC", r"(?:SK|AC)[0-9a-f]{32}", "gitleaks twilio-api-key"),
    _row("key- -us", r"(?:key-[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2})", "gitleaks mailgun-private-api-token, mailchimp-api-key"),
    _row(":A", r":A[\w-]{24,}+", "gitleaks telegram-bot-api-token"),
    _row("eyJ eyK", r"ey[JK][\w-]{4,}+(?:\.[\w-]{2,}+)*+\.?", "gitleaks jwt"),
    _row("$", (r"\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|md5|sha1|argon2(?:id?|d)|scrypt|pbkdf2(?:-sha\d+)"
    r"?|bcrypt-sha256)\$[^\s\"'<>|]{8,}+"), "crypt(5)"),
    _row("SCRAM-SHA-", r"SCRAM-SHA-\d+\$[^\s\"'<>]{8,}+", "PostgreSQL, pg_authid"),
    _row("md5", r"md5[0-9a-f]{32}", "PostgreSQL, pg_authid"),
    _row("{", r"\{(?:S?SHA(?:\d+)?|S?MD5|CRYPT|PBKDF2[\w-]{0,20}|BCRYPT|PLAIN|CLEARTEXT)\}[^\s\"'<>]{8,}+", "RFC 2307; Dovecot"),
    _row("AccountKey= SharedAccessKey= SharedAccessSignature=", r"(?:AccountKey|SharedAccessKey|SharedAccessSignature)=[^;\s\"']+", "detect-secrets azure_storage_key"),
    _row("Q~", r"[\w~.]{3}\dQ~[\w~.-]{20,}+", "gitleaks azure-ad-client-secret"),
    _row("sha256~", r"sha256~[\w-]{8,}+", "gitleaks openshift-user-token"),
    _row("tgp_v1_ pcsk_ cfut_ cfat_", r"(?:tgp_v1_|pcsk_|cfu?a?t_)[\w-]{16,}+",
         "trufflehog pinecone; public code that uses the keys of Together and Cloudflare"),
    _row("AVNS_ HRKU-AA pnu_ sgp_ rdme_ xkeysib- tk-us- ico- p8e- fio-u- dnkey- duffel_ FLWSECK shippo_ EZAK EZTK",
         r"(?:AVNS_|HRKU-AA|pnu_|sgp_|rdme_|xkeysib-|tk-us-|ico-|p8e-|fio-u-|dnkey-|duffel_\w{4}_|FLWSECK(?:_TEST)?-|"
         r"shippo_\w{4}_|EZ[AT]K)(?=[\w=-]{0,30}\d)[\w=-]{16,}+",
         "detect-secrets aiven_token; gitleaks heroku-api-key-v2, prefect, sourcegraph, readme, sendinblue, scalingo, "
         "infracost, adobe, frameio, defined-networking, duffel, flutterwave, shippo, easypost"),
    _row("sm_aat_ sm_pat_ sm_sat_ tfp_ live_ test_", r"(?:sm_[aps]at_|tfp_|(?:live|test)_(?=[0-9a-f]{35}))[\w.=-]{16,}+",
         "gitleaks settlemint, typeform-api-token, lob-api-key"),
    _row("pat. sat.", r"[ps]at\.[\w-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}", "gitleaks harness-api-key"),
    _row("access-", r"access-(?:sandbox|development|production)-[0-9a-f-]{20,}+", "gitleaks plaid-api-token"),
    _row("ZXlK", r"ZXlK[\w+/=-]{16,}+", "gitleaks jwt-base64"),
    _row("_mmk", r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk", "gitleaks maxmind-license-key"),
    _row("NRAL", r"[0-9A-Za-z]{36}NRAL", "New Relic's page on license keys"),
    _row("glc_ glsa_", r"(?:glc_|glsa_)[\w+/=-]{8,}+", "gitleaks grafana-cloud-api-token"),
    _row("LTAI", r"LTAI[A-Za-z0-9]{12,}+", "gitleaks alibaba-access-key-id"),
    _row("AQVN t1. y0_", r"(?:AQVN|t1\.|y0_)[\w.=-]{20,}+", "gitleaks yandex-api-key"),
    _row("shpat_ shpca_ shppa_ shpss_ sq0 EAAA EAAC EAAM",
         r"(?:shp(?:at|ca|pa|ss)_|sq0[a-z]{3}-|EAA[ACM])[\w-]{16,}+", "gitleaks shopify-access-token, square-access-token"),
    _row("NRAK- NRJS- NRII- NRAA- NRIQ- NRRA- sntr", r"(?:NR(?:AK|JS|II|AA|IQ|RA)-|sntr[yus]{1,2}_)[\w+/=-]{8,}+", "gitleaks new-relic-user-api-key, sentry-org-token"),
    _row("dapi dt0c01. pul- pscale_", r"(?:dapi[0-9a-f]|dt0c01\.|pul-|pscale_\w{2,5}_)[\w.-]{16,}+", "gitleaks databricks-api-token, dynatrace-api-token"),
    _row("dp. lin_api_ PMAK- ntn_ secret_ figd_", r"(?:dp\.(?:pt|ct|sa|scim|audit|st(?:\.[a-z0-9_-]{2,35})?)\.|lin_api_|PMAK-|ntn_|secret_|figd_)(?=\w{0,30}\d)[\w-]{16,}+", "trufflehog doppler; gitleaks notion-api-token"),
    _row("A3- ops_eyJ", r"(?:A3-[A-Z0-9]{6}-[A-Z0-9-]{16,}+|ops_eyJ[\w+/=-]{16,}+)", "gitleaks 1password-secret-key"),
    _row("ATATT3 ATCTT3 ATBB AKCp cmVmd", r"(?:ATATT3|ATCTT3|ATBB|AKCp|cmVmd)[\w=-]{16,}+", "gitleaks atlassian-api-token, artifactory-api-key"),
    _row("tskey- fo1_ fm1 fm2_", r"(?:tskey-|fo1_|fm1[ar]_|fm2_)[\w+/=-]{8,}+", "gitleaks flyio-access-token; Tailscale"),
    _row("v1.0-", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{20,}+", "gitleaks cloudflare-origin-ca-key"),
    _row("K10", r"K10[0-9a-f]{16,}+::[^\s\"']+", "k3s, its token"),
)  # fmt: skip
HINTS = Hints([form.words for form in PREFIXES])
# the public half that the kubelet writes, and the secret half of a kubeadm bootstrap token
BOOTSTRAP = re.compile(r"(?<![\w.-])[a-z0-9]{6}\.(?=[a-z]{0,15}\d)[a-z0-9]{16}(?![\w.-])")
DOT_AND_SIXTEEN = re.compile(r"\.[a-z0-9]{16}(?![\w.-])")
TELEGRAM_NUMBER = re.compile(r"\d{6,16}\Z")


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where secrets of a known form stand in a text."""
    for place in HINTS.found_in(text):
        for match in PREFIXES[place].pattern.finditer(text):
            start = match.start()
            if text[start] == ":":  # a Telegram bot's number stands before it
                number = TELEGRAM_NUMBER.search(text, max(0, start - 16), start)
                if number:
                    yield number.start(), match.end()
            elif _begins_at(text, start):
                yield match.span()
    yield from _bootstrap_tokens(text)


def _begins_at(text: str, start: int) -> bool:
    """Whether a prefix begins here, and is not the middle of a word."""
    if start == 0 or text[start] in ".$" or not _letter(text[start - 1]):
        return True
    return text[start - 1] in "nrt" and text[start - 2 : start - 1] == "\\"  # a line break or tab, written out


def _bootstrap_tokens(text: str) -> Iterator[tuple[int, int]]:
    for match in DOT_AND_SIXTEEN.finditer(text):
        begin = match.start() - 6
        found = BOOTSTRAP.match(text, begin) if begin >= 0 else None
        if found:
            yield found.span()


def _letter(character: str) -> bool:
    return character.isascii() and character.isalnum()
