"""The command line, called in this process; what it leaves."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

from bvit_hw.cli import main


@dataclass(frozen=True)
class Done:
    """What a call of the command line left."""

    returncode: int
    stdout: str
    stderr: str


def bvit(*words: object, cwd: Path) -> Done:
    """The command in this process (a new one would spend its time importing PyTorch)."""
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd()
    os.chdir(cwd)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main([str(word) for word in words])
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        os.chdir(before)
    return Done(code, out.getvalue(), err.getvalue())


def refused(done: Done, *fragments: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for fragment in fragments:
        assert fragment in done.stderr
