"""Secrets in the forms in which programs write them; `{c}` is the secret. A person may read on: it is data."""

from __future__ import annotations

import base64
import html
import json
import random
import shlex
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

DICE = random.Random(11)
LETTERS = string.ascii_letters + string.digits


def canary(length: int = 20) -> str:
    """A secret of small letters and digits, which no disorder gives away."""
    return "canary" + "".join(DICE.choices(string.ascii_lowercase + string.digits, k=length - 6))


# what a name, a place or a form gives away, in a text of which nothing was read before
NAMED = (
    "password={c}", "password: {c}", "Password: {c}", "PASSWORD={c}", "passwd={c}", "PGPASSWORD={c}", "MYSQL_PWD={c}",
    "db_pass={c}", "DB_PASS: {c}", "userPwd={c}", "pass: {c}", "passphrase: {c}", "secret={c}", "client_secret={c}",
    "clientSecret: {c}", "token={c}", "accessToken={c}", "refresh_token: {c}", "id-token={c}", "authToken: '{c}'",
    "api_key={c}", "apikey={c}", "api-key: {c}", "apiKey: \"{c}\"", "OPENAI_API_KEY={c}", "access_key={c}",
    "secret_access_key={c}", "aws_secret_access_key = {c}", "private_key={c}", "account_key={c}", "master_key: {c}",
    "encryption_key={c}", "signing_key={c}", "credential={c}", "credentials: {c}", "auth={c}", "REDISCLI_AUTH={c}",
    "dsn=app:{c}@tcp(db:3306)/shop", "connection_string={c}", "ConnectionString={c}", "psk={c}", "salt_key={c}",
    "cookie: session={c}", "_authToken={c}", "webhook_secret={c}", "password1={c}", "PASSWORD_2={c}", "old_password={c}",
    "password_old={c}", "certificate-key: {c}", "sessionToken={c}", "otp={c}", "jwt={c}", "fernet_key={c}",
    "--password {c}", "--password={c}", "--password '{c}'", "-password {c}", "--token {c}", "--docker-password={c}",
    "--from-literal=password={c}", "--api-key {c}", "login app password {c}", "requirepass {c}", "masterauth {c}",
    "ALTER ROLE app PASSWORD '{c}'", "CREATE USER app IDENTIFIED BY '{c}'", "the password is {c}",
    '{{"password": "{c}"}}', '{{"password":"{c}","user":"app"}}', '{{"token": "{c}"', '{{\\"password\\": \\"{c}\\"}}',
    '{{\\\\\\"password\\\\\\": \\\\\\"{c}\\\\\\"}}', "{{'password': '{c}'}}", "{{password: {c}, user: app}}",
    '{{"password": {{"value": "{c}"}}}}', '{{"name": "DB_PASSWORD", "value": "{c}"}}', "- name: DB_PASSWORD\n  value: {c}",
    '("password", "{c}")', "['api_key', '{c}']", "password => '{c}'", 'password := "{c}"', "password | {c}",
    "<password>{c}</password>", '<add key="password" value="{c}"/>', 'password="{c}"', "password='{c}'", "password=`{c}`",
    'password="{c}', "password='{c}", 'password: "{c}', 'password="a\\"{c}"', "password='it''s{c}'", "password='a'\"'\"'{c}'",
    "password={c};user=app", "password=a;{c}", "password=a,{c}", "password=a}}{c}", "password=a {c}", "password: a, b {c}",
    "password=a&{c}", "password=a]{c}", "password='a;{c}'", "password: |\n  {c}", "password: >-\n  {c}\n  more",
    "password: |2\n    {c}", "key:\n  password: |\n    first\n    {c}\nother: x", "password:\n  {c}", "password: first\n  {c}",
    "password=first\\\n{c}", "&password={c}", "?token={c}&a=b", "https://h/p?access_token={c}", "https://h/p#token={c}",
    "https://h/p?sig={c}&se=2030", "https://h/p?a=b&X-Amz-Signature={c}", "%22password%22%3A%22{c}%22",
    "&quot;password&quot;:&quot;{c}&quot;", "password%3D{c}", "password&#34;: &#34;{c}&#34;", "spring.datasource.password={c}",
    "export TOKEN={c}", "ENV API_TOKEN {c}=x" if False else "ENV API_TOKEN={c}", "set PASSWORD={c}", "**password**: {c}",
    "Error: bad password: {c}", "using token: {c}9", "secrets:\n  db: 1\n  token: {c}", "x\tpassword\t=\t{c}",
)  # fmt: skip
PLACED = (
    "postgresql://app:{c}@db:5432/shop", "postgresql://:{c}@db/shop", "redis://:{c}@redis:6379/0", "https://{c}@host/path",
    "https://{c}:x-oauth-basic@github.com/a/b", "https://{c}:@host/", "amqp://app:a@{c}@mq/", "mysql://u:a/{c}@db/x",
    "mongodb+srv://app:{c}@c0.example.net/?w=1", "postgres://u:p%40{c}@db/x", "http:\\/\\/app:{c}@proxy:3128",
    "HTTP_PROXY=http://app:{c}@proxy:3128", "jdbc:oracle:thin:scott/{c}@//db:1521/x", "app:{c}@tcp(db:3306)/shop",
    "postgresql%3A%2F%2Fapp%3A{c}%40db", "ftp://u:{c}@h", "s3://{c}:x@bucket", "u:{c}@db.example.org:5432",
    "Authorization: Bearer {c}", "Authorization: Basic {c}==", "Authorization: Token {c}", "Authorization: {c}",
    "authorization: AWS4-HMAC-SHA256 Credential=x, Signature={c}", "Proxy-Authorization: Digest response={c}",
    "Cookie: a=1; session={c}", "Set-Cookie: sid={c}; Path=/", "X-Api-Key: {c}", "x-auth-token: {c}",
    "X-Vault-Token: {c}", "PRIVATE-TOKEN: {c}", "-H 'X-Api-Key: {c}'", '"Authorization": "Bearer {c}"', "bearer {c}",
    'headers={{"authorization": ["Bearer {c}"]}}', "b'Bearer {c}\\nx'",
    "-----BEGIN RSA PRIVATE KEY-----\n{c}\n-----END RSA PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n{c}",
    "-----BEGIN OPENSSH PRIVATE KEY-----\\n{c}\\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{c}\n-----END PGP PRIVATE KEY BLOCK-----",
    "-----BEGIN PGP MESSAGE-----\n{c}\n-----END PGP MESSAGE-----", "-----BEGIN EC PRIVATE KEY-----\n  {c}\n  x",
    "{c}\nabcd==\n-----END PRIVATE KEY-----", "key: |\n  -----BEGIN ENCRYPTED PRIVATE KEY-----\n  {c}\n",
)  # fmt: skip
PREFIXED = (
    "sk-{c}", "sk-proj-{c}", "sk-ant-api03-{c}", "sk-or-v1-{c}", "sk_live_{c}", "rk_test_{c}", "whsec_{c}", "ya29.{c}", "hf_{c}",
    "ghp_{c}", "gho_{c}", "ghu_{c}", "ghs_{c}", "ghr_{c}", "github_pat_{c}", "glpat-{c}", "xoxb-{c}", "xoxp-1-{c}",
    "xapp-1-{c}", "dop_v1_{c}", "dckr_pat_{c}", "npm_{c}", "pypi-{c}", "hvs.{c}", "SG.{c}.{c}", "gsk_{c}", "nvapi-{c}",
    "AIza{c}", "AKIA{C}", "ASIA{C}", "AGE-SECRET-KEY-1{C}", "bot123456789:AA{c}12345", "eyJhbGciOi.{c}.{c}", "tskey-auth-{c}",
    "$2b$12${c}", "$6$salt${c}", "SCRAM-SHA-256$4096:{c}", "abcdef.1234567890abcdef", "md5{h}", "{{SSHA}}{c}",
    "GOCSPX-{c}", "https://hooks.slack.com/services/T0/B0/{c}", "AccountKey={c};", "lin_api_{c}", "figd_{c}",
)  # fmt: skip


def _wrapped(text: str, width: int, between: str) -> str:
    return between.join(text[at : at + width] for at in range(0, len(text), width))


def _b64(before: str) -> Callable[[str], str]:
    return lambda s: base64.b64encode((before + s + "zz").encode()).decode()


# how a secret that was read is written elsewhere
SPELLED: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "in a sentence": lambda s: f"it said {s}, and",
    "url": lambda s: quote(s, safe=""),
    "url, small hex": lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%3A", "%3a"),
    "url, partly": lambda s: quote(s),
    "url, plus": quote_plus,
    "url, every letter": lambda s: "".join(f"%{b:02X}" for b in s.encode()),
    "url, twice": lambda s: quote(quote(s, safe=""), safe=""),
    "json": lambda s: json.dumps(s),
    "json in json": lambda s: json.dumps(json.dumps(s)),
    "json, all escaped": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "python": repr,
    "bytes": lambda s: repr(s.encode()),
    "shell": shlex.quote,
    "shell, backslashes": lambda s: "".join(c if c.isalnum() else "\\" + c for c in s),
    "html": html.escape,
    "html, numbers": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "html, hex numbers": lambda s: "".join(f"&#x{ord(c):x};" for c in s),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64, second alignment": _b64("a"),
    "base64, third alignment": _b64("ab"),
    "base64 for urls": lambda s: base64.urlsafe_b64encode(b"user:" + s.encode()).decode(),
    "base64 twice": lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
    "base64, wrapped": lambda s: _wrapped(base64.b64encode(s.encode() * 3).decode(), 12, "\n"),
    "hex": lambda s: s.encode().hex(),
    "hex, capitals": lambda s: s.encode().hex().upper(),
    "hex, with colons": lambda s: s.encode().hex(":"),
    "hex, escaped": lambda s: "".join(f"\\x{b:02x}" for b in s.encode()),
    "wrapped": lambda s: _wrapped(s, 6, "\n"),
    "wrapped and indented": lambda s: _wrapped(s, 7, "\n    "),
    "wrapped by a frame": lambda s: _wrapped(s, 9, " │\n│ "),
    "wrapped, escaped": lambda s: _wrapped(s, 5, "\\n"),
    "cut": lambda s: s[:12],
    "cut at the front": lambda s: s[-12:],
    "cut in the middle": lambda s: s[3:14],
    "cut and dots": lambda s: f"{s[:10]}…",
    "with colours": lambda s: f"\x1b[1m{s[:5]}\x1b[0m{s[5:]}",
    "with zero-width spaces": lambda s: "\u200b".join(s),
    "capitals": str.upper,
    "backwards": lambda s: s[::-1],
    "quoted in quotes": lambda s: "'" + s[:4] + "'\"'\"'" + s[4:] + "'",
    "concatenated": lambda s: f'"{s[:7]}" + "{s[7:]}"',
}
