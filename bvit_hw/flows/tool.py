"""The one way to run an external program: command line, output and exit code in a log, nothing left running behind."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bvit_hw.disk import full_disk
from bvit_hw.doctor import TOOLS
from bvit_hw.errors import ToolError
from bvit_hw.interruption import held_back

_GRACE = 5.0  # seconds between asking a process group to end and killing it
_LOG_TAIL = 15  # lines of the log that an error message repeats

_running: set[subprocess.Popen[bytes]] = set()
_running_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class CompletedTool:
    """A program that has run: ``returncode`` as from the shell, ``seconds`` of wall-clock time."""

    name: str
    argv: tuple[str, ...]
    returncode: int
    log: Path
    seconds: float

    @property
    def output(self) -> str:
        """The log's text: the command line, what the program wrote (both streams in order), the exit code."""
        return self.log.read_text(errors="replace")


def find_tool(name: str, path: str | None = None) -> Path:
    """Where a program lies on ``path`` (default: $PATH); raises ToolError saying how to get it."""
    found = shutil.which(name, path=path)
    if found is None:
        raise ToolError(_missing(name, name))
    return Path(found)


def _missing(name: str, program: str) -> str:
    known = {tool.name: tool for tool in TOOLS}
    tool = known.get(name) or known.get(Path(program).name)
    where = f"{name}: program {program!r} was not found"
    if tool is None:
        return f"{where}; install it and put it on PATH"
    return f"{where}. It is for: {tool.purpose}. To get it: {tool.how_to_get}."


def cannot_run(name: str, program: str | Path, error: OSError) -> ToolError:
    """What to raise for a program that is there, and that the system does not start."""
    reason = "the interpreter in its first line is missing" if error.errno == errno.ENOENT else error.strerror or error
    return ToolError(f"{name}: {program} cannot be run: {reason}")


def ask(name: str, argv: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a program that answers at once, such as for its version; its output is in the result.

    Raises ToolError where it is missing or cannot be run; its exit code is for the caller to look at.
    """
    program = find_tool(str(argv[0]))
    try:
        return subprocess.run([program, *argv[1:]], capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise cannot_run(name, program, error) from error


#: what programs and their parents say when memory is short
_NO_MEMORY = re.compile(
    r"bad_alloc|out of memory|cannot allocate memory|memory exhausted|\bKilled\b|MemoryError|Insufficient memory", re.I
)


def short_memory(output: str, returncode: int) -> str:
    """What to add to the message of a program that failed for want of memory; nothing where that was not the reason.

    A program that is killed by nobody here was most likely killed by the system, which does that when memory is short.
    """
    if returncode not in (-signal.SIGKILL, 128 + signal.SIGKILL) and not _NO_MEMORY.search(output):
        return ""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return f"\nmemory seems to be too small: this machine has {memory:.1f} GB; fewer --jobs take less at once"


def stop_running_tools() -> None:
    """End every program that :func:`run_tool` has running in any thread (for callers that keep a pool of them)."""
    with _running_lock:
        processes = list(_running)
    for process in processes:
        _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for sig, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        # The group may outlive its leader (make is gone, its compilers are not): signalled whatever poll() says.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, sig)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def _started(
    name: str, words: Sequence[str], program: str, cwd: Path, env: Mapping[str, str], stream: BinaryIO
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            executable=program,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise cannot_run(name, program, error) from error


def run_tool(
    name: str,
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    check: bool = True,
) -> CompletedTool:
    """Run ``argv`` in ``cwd``; both output streams go to the file ``log``, which begins with the command line.

    ``name`` is what messages call the tool. ``env`` replaces the environment, ``timeout`` is in seconds. The program
    runs in a process group of its own that is ended as a whole on a timeout, on Ctrl-C and on any other exception.

    Raises ToolError, naming tool, exit code and log, when the program is missing, takes longer than ``timeout`` or
    (unless ``check`` is False) exits with anything but 0.
    """
    words = tuple(str(word) for word in argv)
    if not words:
        raise ToolError(f"{name}: no program given to run")
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ if env is None else env)
    start = time.monotonic()
    with log.open("wb") as stream:
        stream.write(os.fsencode(f"$ cd {shlex.quote(str(cwd))} && {shlex.join(words)}\n"))
        stream.flush()
        # Looked up by hand: Popen would search our PATH, not the one in env, and could not tell a missing cwd apart.
        program = shutil.which(words[0], path=environment.get("PATH", os.defpath))
        if program is None:
            raise ToolError(_missing(name, words[0]))
        if not cwd.is_dir():
            raise ToolError(f"{name}: cannot run in {cwd}: no such folder")
        process: subprocess.Popen[bytes] | None = None
        try:
            # Started and known at once: whoever stops all tools, or Ctrl-C, finds it.
            with held_back(), _running_lock:
                process = _started(name, words, program, cwd, environment, stream)
                _running.add(process)
            returncode = process.wait(timeout)
        except subprocess.TimeoutExpired:
            assert process is not None
            _end_group(process)
            stream.write(f"\n[stopped after {timeout:g} s]\n".encode())
            raise ToolError(f"{name}: not finished after {timeout:g} s, stopped; log: {log}") from None
        except BaseException:
            if process is not None:
                _end_group(process)
                stream.write(b"\n[interrupted]\n")
            raise
        finally:
            if process is not None:
                with _running_lock:
                    _running.discard(process)
        stream.write(f"[exit code {returncode}]\n".encode())
    if check and returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL - 1 : -1])
        why = f"{full_disk(tail, cwd)}{short_memory(tail, returncode)}"
        raise ToolError(f"{name}: exit code {returncode}; log: {log}\n{tail}{why}")
    return CompletedTool(name=name, argv=words, returncode=returncode, log=log, seconds=time.monotonic() - start)
