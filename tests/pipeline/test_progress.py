"""The build's progress: names of the user's are text, whatever terminal there is."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

_RUNS = """
from bvit_hw.pipeline.progress import Progress
progress = Progress()
with progress.step("qat: 60 images of /data/[b]set[/x] one") as update:
    progress.say("note [/y]")
    update(1, 2)
"""


@pytest.mark.parametrize(("columns", "term"), [(60, "xterm"), (160, "xterm"), (80, "dumb")])
def test_brackets_are_text_on_a_terminal(columns: int, term: str) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "LINES": "30", "TERM": term}
    with subprocess.Popen([sys.executable, "-c", _RUNS], env=environment, stderr=theirs, stdin=theirs) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:
                break
            said += part
            if not part:
                break
    os.close(ours)
    assert process.returncode == 0, said
    assert b"/data/[b]set[/x] one" in said and b"note [/y]" in said
    assert (b"\x1b[" in said) == (term == "xterm")


def test_brackets_are_text_in_a_pipe() -> None:
    done = subprocess.run([sys.executable, "-c", _RUNS], capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert lines[0] == "qat: 60 images of /data/[b]set[/x] one ..." and lines[1] == "note [/y]"
    assert lines[2].startswith("qat: 60 images of /data/[b]set[/x] one: ")
