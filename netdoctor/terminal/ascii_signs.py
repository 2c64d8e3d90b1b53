"""What stands for a sign that a terminal's encoding lacks: each has another letter, so that they can be told apart."""

from __future__ import annotations

import codecs

SIGNS = {
    "✓": "v", "✗": "x", "–": "-", "—": "-", "·": "-", "…": "...", "→": "->", "←": "<-", "↔": "<->", "×": "x",
    "’": "'", "“": '"', "”": '"', "▸": ">", "●": "*", "│": "|", "─": "-", "├": "|", "└": "`",
}  # fmt: skip
HANDLER = "netdoctor.ascii-signs"


def register() -> str:
    """The name of the handler of encoding errors that writes them; any other letter is a question mark."""
    codecs.register_error(HANDLER, _instead)
    return HANDLER


def _instead(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(SIGNS.get(letter, "?") for letter in error.object[error.start : error.end]), error.end
