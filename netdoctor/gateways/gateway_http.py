"""HTTP requests to a gateway, each over a connection of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netdoctor.gateways.pod_failure import cut
from netdoctor.redact import remember
from netdoctor.system.patience import patience

QUICK = 5.0  # seconds to connect, and for an answer that needs no provider
LARGEST = 16 << 20  # bytes of an answer: a picture comes in base64


@dataclass(frozen=True, slots=True)
class GatewayReply:
    """An HTTP answer; status 0 for none."""

    status: int
    text: str
    seconds: float

    @property
    def data(self) -> Any:
        """Its JSON, None where it is none."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None


def said(reply: GatewayReply) -> str:
    """An answer that was not wanted, in words."""
    if reply.status == 0:
        return reply.text
    error = reply.data.get("error") if isinstance(reply.data, dict) else None
    message = error.get("message") if isinstance(error, Mapping) else error
    return f"HTTP {reply.status} {cut(str(message or reply.text or ''))}".strip()


def ask(
    url: str,
    *,
    key: str = "",
    body: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
    timeout: float,
) -> GatewayReply:
    """One HTTP request over a connection of its own; POST when there is something to send.

    `timeout`, in seconds of a quiet machine, holds for the whole answer. No redirect is followed: the key goes to this
    URL alone.
    """
    import urllib3

    from netdoctor.system.bounded_http import ask as ask_bounded
    from netdoctor.system.bounded_http import bound

    remember(key)
    headers = [("Connection", "close"), ("User-Agent", "netdoctor")]
    headers += [("Authorization", f"Bearer {key}")] if key else []
    content: dict[str, Any] = {"fields": dict(fields)} if fields is not None else {}
    if fields is None and body is not None:
        content = {"json": dict(body)}
    begin = time.monotonic()
    timeout = round(patience(timeout), 1)  # the gateways compete for this node's processors
    try:
        with urllib3.PoolManager() as pool:
            answer = ask_bounded(
                bound(pool),
                "POST" if content else "GET",
                url,
                headers=headers,
                connect=QUICK,
                seconds=timeout,
                limit=LARGEST,
                **content,
            )
        return GatewayReply(answer.status, answer.data.decode(errors="replace"), round(time.monotonic() - begin, 2))
    except urllib3.exceptions.HTTPError as error:
        return GatewayReply(0, _plain(error, timeout), round(time.monotonic() - begin, 2))
    except OSError as error:
        return GatewayReply(0, error.strerror or str(error), round(time.monotonic() - begin, 2))
    except ValueError:  # its text repeats the header
        return GatewayReply(0, "its key cannot be sent in a header", round(time.monotonic() - begin, 2))


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
