"""Whether the modules serve: each asked on its NodePort, and each replica by its own address, over new connections.

A kept-alive connection proves nothing about the network, and one answer of a Service nothing about its other replicas.
A chat with every module would prove little too: LiteLLM answers it for a transcription model in some set-ups, so each
module is asked at its own endpoint (measured with LiteLLM 1.106.2).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from netdoctor.facts.gateways.gateways import Gateway
from netdoctor.facts.gateways.litellm_config import Model
from netdoctor.gateways.gateway_http import QUICK, GatewayReply, ask, said
from netdoctor.gateways.pod_failure import cut

SECONDS = 20.0  # for a call that goes to a provider: a first one needs 2 s, one with a dead provider 5 to 20
HEALTH_SECONDS = 20.0  # /health calls every model, and one that hangs makes it take 60 s
SETTLE = 10.0  # for a NodePort whose pods have just become ready: kube-proxy writes its rules about once a second
AGAIN = 0.5
AT_ONCE = 5
READINESS, MODELS, WRONG_KEY, OWN, REPLICAS, HEALTH = "readiness", "models", "wrong key", "call", "replicas", "health"
COSTLY = "image_generation"  # asked only on demand: it costs money at a real provider
# 0.1 s of silence: PCM, one channel, 8 kHz, 16 bit
WAV = (
    b"RIFF" + struct.pack("<I", 1636) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    + b"data" + struct.pack("<I", 1600) + bytes(1600)
)  # fmt: skip
PIXEL = (  # of one colour
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5"
    "ErkJggg=="
)


@dataclass(frozen=True, slots=True)
class SmokeStep:
    """One question to a module."""

    name: str
    ok: bool | None  # None: not asked
    observed: str
    seconds: float = 0.0
    warning: bool = False  # told, but no reason to call the module broken


@dataclass(frozen=True, slots=True)
class Served:
    """What one module answered."""

    module: str
    url: str
    steps: tuple[SmokeStep, ...]

    @property
    def ok(self) -> bool:
        """Whether it serves."""
        return all(s.ok is not False or s.warning for s in self.steps)

    @property
    def asked(self) -> bool:
        """Whether its own endpoint was asked at all."""
        return any(s.name == OWN and s.ok is not None for s in self.steps)

    @property
    def failed(self) -> tuple[SmokeStep, ...]:
        """The steps that say otherwise."""
        return tuple(s for s in self.steps if s.ok is False and not s.warning)


@dataclass(frozen=True, slots=True)
class Target:
    """A module to ask: where, with which key, and where each of its replicas is."""

    gateway: Gateway
    url: str  # http://NODE:NODEPORT
    key: str
    replicas: tuple[str, ...]  # http://POD:PORT
    not_asked: str = ""  # why the replicas are not asked one by one

    def __repr__(self) -> str:
        """Without the key."""
        return f"Target({self.gateway.name!r}, {self.url!r})"


def serve(
    targets: Sequence[Target], *, images: bool, settle: float = SETTLE, tell: Callable[[Served], None] = lambda _: None
) -> tuple[Served, ...]:
    """Ask every module, a few at once; `images` asks for a picture too, which costs money."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(_serve, target, images, settle) for target in targets]
        found = []
        for future in futures:
            found.append(future.result())
            tell(found[-1])
    return tuple(found)


def _serve(target: Target, images: bool, settle: float) -> Served:
    end = time.monotonic() + settle
    steps = [_steady(lambda: _readiness(target.url), end)]
    if steps[0].ok:
        steps += [_steady(lambda: _models(target), end), _steady(lambda: _wrong_key(target), end)]
        steps += _calls(target, images, end)
        if images or not any(m.mode == COSTLY for m in target.gateway.models):
            steps.append(_health(target))
    return Served(target.gateway.name, target.url, tuple(steps))


def _steady(question: Callable[[], SmokeStep], end: float) -> SmokeStep:
    """The answer, asked again until `end` while it is no: a pod that was replaced may be in kube-proxy's rules yet."""
    step = question()
    while step.ok is False and time.monotonic() < end:
        time.sleep(AGAIN)
        step = question()
    return step


def _readiness(url: str) -> SmokeStep:
    reply = ask(url + "/health/readiness", timeout=QUICK)
    ok = reply.status == 200
    database = reply.data.get("db", "") if ok and isinstance(reply.data, dict) else ""
    words = f"ready, database {cut(database.lower())}" if database and isinstance(database, str) else "ready"
    return SmokeStep(READINESS, ok, words if ok else f"it is not ready: {said(reply)}", reply.seconds)


def _models(target: Target) -> SmokeStep:
    reply = ask(target.url + "/v1/models", key=target.key, timeout=QUICK)
    if reply.status != 200:
        words = "its own key is refused" if reply.status in (400, 401, 403) else "its models cannot be listed"
        return SmokeStep(MODELS, False, f"{words}: {said(reply)}", reply.seconds)
    data = reply.data.get("data") if isinstance(reply.data, dict) else None
    listed = {cut(str(m.get("id"))) for m in list_in(data) if isinstance(m, dict)}
    wanted = {m.name for m in target.gateway.models}
    if listed == wanted:
        return SmokeStep(MODELS, True, f"{len(listed)} models", reply.seconds)
    missing, more = ", ".join(sorted(wanted - listed)), ", ".join(sorted(listed - wanted))
    told = [f"it does not list {missing}"] if missing else []
    told += [f"it lists {more}, which its ConfigMap does not name"] if more else []
    return SmokeStep(MODELS, False, "; ".join(told), reply.seconds)


def _wrong_key(target: Target) -> SmokeStep:
    reply = ask(target.url + "/v1/models", key="sk-netdoctor-is-not-a-key", timeout=QUICK)
    if reply.status in (400, 401, 403):  # 400 "No connected db." where there is no database to look the key up in
        return SmokeStep(WRONG_KEY, True, "wrong key refused", reply.seconds)
    words = "a wrong key is accepted" if reply.status == 200 else f"asked with a wrong key: {said(reply)}"
    return SmokeStep(WRONG_KEY, False, words, reply.seconds)


def _calls(target: Target, images: bool, end: float) -> Iterator[SmokeStep]:
    """The module's own endpoint, through the NodePort and at each replica."""
    model = next(iter(target.gateway.models), None)
    if model is None:
        yield SmokeStep(OWN, False, "its ConfigMap names no model")
        return
    if model.mode == COSTLY and not images:
        yield SmokeStep(OWN, None, "no picture and no /health requested: they cost money (--images)")
        return
    yield _steady(lambda: _own(target, model), end)
    if not target.replicas:
        yield SmokeStep(REPLICAS, None, target.not_asked or "no replica is known")
        return
    answers = [(url, call(url, target.key, target.gateway.name, model)) for url in target.replicas]
    wrong = [f"the replica {url.removeprefix('http://')}: {t}" for url, a in answers if (t := trouble_of(a, model))]
    count = f"{len(answers)} replica{'s' if len(answers) > 1 else ''}"
    yield SmokeStep(REPLICAS, not wrong, "; ".join(wrong) or f"{count} by address", max(a.seconds for _, a in answers))


def _own(target: Target, model: Model) -> SmokeStep:
    reply = call(target.url, target.key, target.gateway.name, model)
    trouble = trouble_of(reply, model)
    words = trouble or f"{_noun(target.gateway.name, model)} {reply.seconds:.1f} s"
    return SmokeStep(OWN, not trouble, words, reply.seconds)


def _noun(module: str, model: Model) -> str:
    return {
        "embedding": "embedding", "image_generation": "image", "audio_transcription": "transcription",
    }.get(model.mode, "vision chat" if module == "vision" else model.mode)  # fmt: skip


def call(url: str, key: str, module: str, model: Model) -> GatewayReply:
    """One request to the endpoint that the model is for."""
    if model.mode == "audio_transcription":
        fields = {"model": model.name, "file": ("silence.wav", WAV, "audio/wav")}
        return ask(url + "/v1/audio/transcriptions", key=key, fields=fields, timeout=SECONDS)
    path, body = {
        "embedding": ("/v1/embeddings", {"input": "text"}),
        "image_generation": ("/v1/images/generations", {"prompt": "a white square"}),
    }.get(model.mode, ("/v1/chat/completions", {"messages": _messages(module), "max_tokens": 16}))
    return ask(url + path, key=key, body={"model": model.name, **body}, timeout=SECONDS)


def _messages(module: str) -> list[dict[str, Any]]:
    if module != "vision":
        return [{"role": "user", "content": "Hello!"}]
    picture = {"type": "image_url", "image_url": {"url": PIXEL}}
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}]


def trouble_of(reply: GatewayReply, model: Model) -> str:
    """What is wrong with the answer of a call, "" for nothing; the provider's faults are told from the gateway's."""
    if reply.status == 200 and isinstance(reply.data, dict):
        field = {"embedding": "data", "image_generation": "data", "audio_transcription": "text"}.get(
            model.mode, "choices"
        )
        return "" if field in reply.data else f"{model.name} answers without {field}"
    if reply.status == 0:
        return f"{model.name} does not answer: {reply.text}"
    where = f" at {model.provider}" if model.provider else ""
    if any(words in reply.text for words in ("Missing credentials", "AuthenticationError", "Incorrect API key")):
        return f"the gateway works, but the provider{where} refuses its key ({model.name})"
    if any(words in reply.text for words in ("Connection error", "Cannot connect", "APIConnectionError", "Timeout")):
        return f"the gateway works, but does not reach its provider{where} ({model.name}, after {reply.seconds:.0f} s)"
    return f"{model.name}: {said(reply)}"


def list_in(value: object) -> list[Any]:
    """The list, empty for whatever else an answer holds there."""
    return value if isinstance(value, list) else []


def _health(target: Target) -> SmokeStep:
    """/health, once and with a time limit: it answers 200 whatever is broken, so its body is read."""
    reply = ask(target.url + "/health", key=target.key, timeout=HEALTH_SECONDS)
    if reply.status != 200 or not isinstance(reply.data, dict):
        return SmokeStep(HEALTH, False, f"/health: {said(reply)}", reply.seconds, warning=True)
    broken = [e for e in list_in(reply.data.get("unhealthy_endpoints")) if isinstance(e, Mapping)]
    count = reply.data.get("healthy_count")
    healthy = count if isinstance(count, int) else 0
    if not broken:
        return SmokeStep(HEALTH, True, f"/health: all {healthy} healthy", reply.seconds)
    first = broken[0]
    why = cut(str(first.get("error", "")).partition("stack trace")[0])
    words = f"/health: {len(broken)} of {healthy + len(broken)} unhealthy, first {cut(str(first.get('model')))}: {why}"
    return SmokeStep(HEALTH, False, words, reply.seconds, warning=healthy > 0)
