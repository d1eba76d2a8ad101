"""Output to terminals and files of any encoding: what they cannot hold is written otherwise, never an error."""

from __future__ import annotations

import codecs
import io
import sys

#: how signs that are used here are written in ASCII; any other becomes a question mark
_PLAIN = {"µ": "u", "×": "x", "→": "->", "…": "...", "–": "-", "—": "-", "≤": "<=", "≥": ">=", "·": "."}
_HANDLER = "bvit-hw-plain"
#: the same where bytes of file names that are no text go out as they came: Python's way in the locale C
_WITH_NAMES = "bvit-hw-plain-names"
_ESCAPED = range(0xDC80, 0xDD00)


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def _plain_names(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    found = [bytes([ord(s) & 0xFF]) if ord(s) in _ESCAPED else _PLAIN.get(s, "?").encode() for s in signs]
    return b"".join(found), error.end


def make_printable() -> None:
    """Let stdout and stderr take any text, whatever their encoding."""
    codecs.register_error(_HANDLER, _plain)
    codecs.register_error(_WITH_NAMES, _plain_names)
    handlers = {"strict": _HANDLER, "surrogateescape": _WITH_NAMES}
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in handlers:
            stream.reconfigure(errors=handlers[stream.errors])
