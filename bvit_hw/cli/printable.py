"""Output to terminals and files of any encoding: what they cannot hold is written otherwise, never an error."""

from __future__ import annotations

import codecs
import io
import sys

#: how signs that are used here are written in ASCII; any other becomes a question mark
_PLAIN = {"µ": "u", "×": "x", "→": "->", "…": "...", "–": "-", "—": "-", "≤": "<=", "≥": ">=", "·": "."}
_HANDLER = "bvit-hw-plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def make_printable() -> None:
    """Let stdout and stderr take any text, whatever their encoding."""
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors=_HANDLER)
