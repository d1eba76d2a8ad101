"""Simulations of one model with many mutants: the simulator starts once, and forks before its first cycle.

A model of all mutants of a module (schema.py) reads which one it is when its first cycle begins. Half of the time of a
small simulation is spent before: Python starts, cocotb and the bench are imported. The simulator imports this module
first of its tests; it answers requests over a socket, each by a fork that goes on as one simulation.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from bvit_hw.errors import ToolError

_SOCKET = "BVIT_FORKS"
#: a simulation may take this many processor seconds, and as many times those of the first one, up to the request's
_LEAST, _TIMES = 6.0, 12.0
#: and this many times its processor seconds by the clock
_WAIT = 8


class Simulator:
    """A model that has been started, in the process of a test or of a fork of it; known by ``path``, its socket."""

    def __init__(self, path: Path, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self._path = path
        if path.exists():
            return
        modules = ",".join([__name__, env["COCOTB_TEST_MODULES"]])
        with path.with_suffix(".log").open("wb") as log:
            process = subprocess.Popen(
                list(argv), cwd=cwd, env={**env, _SOCKET: str(path), "COCOTB_TEST_MODULES": modules},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        path.with_suffix(".pid").write_text(str(process.pid))
        while not path.exists():
            if process.poll() is not None:
                words = path.with_suffix(".log").read_text(errors="replace")
                raise ToolError(f"simulator of mutants ended with {process.returncode}: {words[-2000:]}")
            time.sleep(0.01)

    def simulate(self, folder: Path, log: Path, results: str, choice: tuple[str, int], seconds: float) -> int:
        """Exit code of one simulation in ``folder``, with the file ``choice`` (name, number) in it."""
        request = {"folder": str(folder), "log": str(log), "results": results, "choice": choice, "seconds": seconds}
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self._path))
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile() as answer:
                words = answer.readline()
        if not words:
            raise ToolError(f"simulator of mutants ended: {self._path.with_suffix('.log').read_text()[-2000:]}")
        return int(words)


def end_all(folder: Path) -> None:
    """End the simulators whose sockets lie in ``folder``."""
    for path in folder.glob("*.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(path.read_text()), signal.SIGKILL)
        for other in (path, path.with_suffix(".sock"), path.with_suffix(".log")):
            other.unlink(missing_ok=True)


def _serve(path: Path, modules: Sequence[str]) -> None:
    """In the simulator: fork for each request; a fork returns, to be a simulation."""
    for name in modules:
        import_module(name)
    aside = path.with_suffix(".new")
    usual: float | None = None
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(aside))
        door.listen()
        aside.rename(path)
        while True:
            line, _ = door.accept()
            with line, line.makefile() as words:
                request = json.loads(words.readline())
                limit = request["seconds"]
                if usual is not None:
                    limit = min(limit, _LEAST + _TIMES * usual)
                sys.stdout.flush()
                child = os.fork()
                if child == 0:
                    _become(request, limit)
                    return
                code, spent = _wait(child, _WAIT * limit)
                usual = spent if usual is None else usual
                line.sendall(f"{code}\n".encode())


def _become(request: Mapping[str, str], limit: float) -> None:
    """In the fork: folder, output and limit of the simulation, and an end without Verilator's threads."""
    # They are not in a fork, whose end would wait for them; the results are in their files by then.
    vars(import_module("cocotb.simulator")).update(stop_simulator=lambda: os._exit(0))
    os.chdir(request["folder"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["COCOTB_RESULTS_FILE"] = request["results"]
    name, number = request["choice"]
    Path(name).write_text(f"{number}\n")
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 2))


def _wait(child: int, patience: float) -> tuple[int, float]:
    """Exit code (a signal's negative) and processor seconds."""
    end = time.monotonic() + patience
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            end += patience
        time.sleep(0.005)


if _SOCKET in os.environ:
    _serve(Path(os.environ.pop(_SOCKET)), os.environ["COCOTB_TEST_MODULES"].split(",")[1:])
