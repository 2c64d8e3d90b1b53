"""HTTP requests to a gateway, each over a connection of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.modules.pod_failure import cut

QUICK = 5.0  # seconds to connect, and for an answer that needs no provider


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; status 0 for none."""

    status: int
    text: str
    seconds: float

    @property
    def data(self) -> Any:
        """Its JSON, None where it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


def said(reply: Reply) -> str:
    """An answer that was not wanted, in words."""
    if reply.status == 0:
        return reply.text
    error = reply.data.get("error") if isinstance(reply.data, dict) else None
    message = error.get("message") if isinstance(error, Mapping) else error
    return f"HTTP {reply.status} {cut(str(message or reply.text or ''))}".strip()


def ask(
    url: str, *, key: str = "", body: Mapping[str, Any] | None = None, fields: Mapping[str, Any] | None = None,
    timeout: float,
) -> Reply:  # fmt: skip
    """One HTTP request over a connection of its own; POST when there is something to send."""
    import urllib3

    headers = {"Connection": "close", "User-Agent": "netdoctor", **({"Authorization": f"Bearer {key}"} if key else {})}
    begin = time.monotonic()
    limit = urllib3.Timeout(connect=min(timeout, QUICK), read=timeout)
    try:
        with urllib3.PoolManager(retries=False, timeout=limit) as pool:
            if fields is not None:
                answer = pool.request("POST", url, headers=headers, fields=dict(fields))
            elif body is not None:
                answer = pool.request("POST", url, headers=headers, json=dict(body))
            else:
                answer = pool.request("GET", url, headers=headers)
            return Reply(answer.status, answer.data.decode(errors="replace"), round(time.monotonic() - begin, 2))
    except urllib3.exceptions.HTTPError as error:
        return Reply(0, _plain(error, timeout), round(time.monotonic() - begin, 2))
    except OSError as error:
        return Reply(0, error.strerror or str(error), round(time.monotonic() - begin, 2))


def _plain(error: Exception, timeout: float) -> str:
    text = str(error)
    for words, plain in (
        ("refused", "connection refused"),
        ("No route", "no route to host"),
        ("unreachable", "network is unreachable"),
        ("connect timeout", f"no connection within {min(timeout, QUICK):g} s"),
        ("timed out", f"no answer within {timeout:g} s"),
        ("reset", "the connection was reset"),
    ):
        if words in text:
            return plain
    return cut(text)
