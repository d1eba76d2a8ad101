"""Files that commands write: never over what they read, and over nothing else unless asked to."""

from __future__ import annotations

from pathlib import Path

from bvit_hw.disk import write_aside
from bvit_hw.errors import OutputError


def writable_output(out: Path, *inputs: Path | None, overwrite: bool, option: str = "--out") -> None:
    """Check the output file ``out`` of a command that reads ``inputs`` (None: nothing given); ``option`` names it.

    Raises :class:`OutputError` for a folder, for a device or pipe (renaming would put a file in its place), for a file
    that is there without ``overwrite``, and, with or without it, for one of the inputs under whatever name.
    """
    if out.is_dir():
        raise OutputError(f"{option} {out}: is a folder; name a file to write")
    # /dev/stdout is a link, to an ordinary file where the output is redirected.
    if (out.exists() and not out.is_file()) or out.absolute().parent == Path("/dev"):
        raise OutputError(f"{option} {out}: is a device or pipe; name a file to write")
    for given in inputs:
        if given is not None and out.exists() and given.exists() and out.samefile(given):
            raise OutputError(
                f"{option} {out}: is the file that is read; an input is never replaced, choose another {option}"
            )
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: is there already; choose another {option}, or pass --overwrite")


def write_text(out: Path, text: str) -> None:
    """Write ``text`` to ``out``, whole or not at all; :class:`OutputError` where the disk refuses."""
    try:
        write_aside(out, text)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from error
