"""The process in which benches are imported once; each request, a line of JSON, is answered by a fork of it.

The fork runs pytest with the plugin, in a process group of its own that is ended as a whole when time is over.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from typing import Any

import pytest

from . import plugin

_OPTIONS = ["-q", "-p", "no:cacheprovider", "-p", "no:warnings", "--no-header", "--tb=no", "-p", "mutation.plugin"]


def _import(files: set[str]) -> None:
    """Let pytest import benches, so that every fork has them."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        pytest.main([*_OPTIONS, "--collect-only", *sorted(files)])


def _run(request: dict[str, Any]) -> None:
    """In the fork: pytest, its words into a file."""
    os.setsid()
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    plugin.CONFIG.update(request["config"])
    pytest.main([*_OPTIONS, *request["tests"]])


def _wait(child: int, timeout: float) -> str:
    """Answer for a fork: "done", or "timeout" once it and what it runs has been ended."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return "done"
        time.sleep(0.05)
    # First so that the program under test, which has a group of its own, is ended by whoever started it.
    for sig, patience in ((signal.SIGINT, 20.0), (signal.SIGKILL, 60.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, sig)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if os.waitpid(child, os.WNOHANG)[0]:
                return "timeout"
            time.sleep(0.05)
    return "timeout"


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    imported: set[str] = set()
    for line in sys.stdin:
        request = json.loads(line)
        files = {test.partition("::")[0] for test in request["tests"]} - {"sim"}
        if files - imported:
            _import(files - imported)
            imported |= files
        child = os.fork()
        if child == 0:
            try:
                _run(request)
            finally:
                os._exit(0)
        answers.write(_wait(child, request["timeout"]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
