"""The gate: every byte for the outside passes here, whatever code writes it, and what cannot be checked is not written.

`install` puts it before standard output and standard error, so that a library, a warning or a traceback passes too.
Files that the user names pass it in `netdoctor.output.output_file`. Children get pipes: the gate has no descriptor
to lend.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

from netdoctor import redact as redaction
from netdoctor.redact_documents import redacted_document

UNCHECKED = "the output could not be checked for secrets, so it is not shown"
COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}m")
CURSOR = re.compile(
    r"\x1b\[[0-9;?]{0,20}[A-Za-z]|\r(?!\n)|\a"
)  # what a line that is written over needs; on a terminal alone


class Unchecked(Exception):
    """The output could not be checked."""

    def __init__(self) -> None:
        super().__init__(UNCHECKED)


def passed(text: str, *, terminal: bool = False) -> str:
    """What of a text may go out: a document stays one, colours stay where nothing was hidden. Raises Unchecked."""
    try:
        if text.lstrip()[:1] in ("{", "["):
            with suppress(ValueError, RecursionError):
                return _json(text)
        if (document := redacted_document(text)) is not None:
            return document
        plain = (CURSOR if terminal else COLOURS).sub("", text)
        redacted = redaction.redact(plain)
    except Exception as error:
        raise Unchecked from error
    return text if redacted == plain else redacted


def _json(text: str) -> str:
    """A JSON document, with each of its texts redacted. Raises ValueError."""
    from netdoctor.redact_data import plain

    document = json.loads(text)
    told = plain(document)
    if told == document:
        return text
    indent = re.match(r"\s*[{\[]\n( *)", text)
    end = "\n" if text.endswith("\n") else ""
    return json.dumps(told, indent=len(indent[1]) if indent else None, ensure_ascii=False) + end


class GuardedStream(io.TextIOBase):
    """A stream that holds back what is written until it is flushed, and writes then what passes the gate."""

    def __init__(self, stream: TextIO) -> None:
        """`stream` is written to by this object alone."""
        self._stream = stream
        self._held: list[str] = []
        self.broken = False  # something could not be checked
        self.wrote = False

    def __del__(self) -> None:
        """Leave the stream open: it was here before."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the stream has it."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """As the stream has it."""
        return self._stream.errors

    @property
    def buffer(self) -> GuardedBytes:
        """For code that writes bytes; they pass the gate too."""
        return GuardedBytes(self)

    def isatty(self) -> bool:
        """Whether a person reads it at once."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Hold the text back until the next flush."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._held.append(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        """Hold them all back."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what passes. Raises Unchecked where that cannot be told, and OSError."""
        if self._held:
            text, self._held = "".join(self._held), []
            if self.broken:
                raise Unchecked
            try:
                allowed = passed(text, terminal=self.isatty())
            except Unchecked:
                self.broken = True
                raise
            self.wrote = True
            self._stream.write(allowed)
        self._stream.flush()

    def close(self) -> None:
        """Close the stream itself; what was held back is dropped."""
        self._held = []
        self._stream.close()

    def say_unchecked(self, sentence: str) -> None:
        """Write this fixed sentence, which needs no check, and nothing of what was held back."""
        self._held = []
        with suppress(OSError, ValueError):
            self._stream.write(f"{sentence}\n")
            self._stream.flush()


class GuardedBytes(io.RawIOBase):
    """The bytes of a guarded stream."""

    def __init__(self, stream: GuardedStream) -> None:
        """What is written here is text of `stream`."""
        self._of = stream

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Hold the bytes back as text."""
        encoding = self._of.encoding or "utf-8"
        if codecs.lookup(encoding).name == "ascii":
            encoding = "utf-8"  # in which click writes there
        self._of.write(bytes(data).decode(encoding, errors="replace"))
        return len(data)

    def flush(self) -> None:
        """Flush the stream."""
        self._of.flush()


def install() -> None:
    """Guard standard output and standard error from now on."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, GuardedStream):
            setattr(sys, name, GuardedStream(stream))
