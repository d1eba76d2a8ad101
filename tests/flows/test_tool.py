"""run_tool: logs, exit codes, missing programs, nothing left running; Verilator models and their cache."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bvit_hw.errors import BvitError, ToolError
from bvit_hw.flows import tool
from bvit_hw.flows.cache import cache_folder
from bvit_hw.flows.tool import find_tool, run_tool, stop_running_tools
from bvit_hw.flows.verilator import build_model, lint, parameter_flags
from tests.odd_names import ODD

# A program with a child of its own that would outlive it; both write their ids.
_FAMILY = "echo $$ > parent; sh -c 'echo $$ > child; sleep 300; true' & wait"


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie, which its new parent has yet to reap, does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_for(condition, seconds: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def pids(folder: Path) -> list[int]:
    def written() -> bool:
        return all((folder / n).is_file() and (folder / n).read_text().strip() for n in ("parent", "child"))

    wait_for(written)
    return [int((folder / name).read_text()) for name in ("parent", "child")]


def test_log_holds_command_line_output_and_exit_code(tmp_path: Path) -> None:
    run = run_tool("echo", ["sh", "-c", "echo out; echo err >&2"], cwd=tmp_path, log=tmp_path / "logs" / "echo.log")
    lines = run.log.read_text().splitlines()
    assert lines[0] == f"$ cd {tmp_path} && sh -c 'echo out; echo err >&2'"
    assert lines[1:] == ["out", "err", "[exit code 0]"]
    assert (run.returncode, run.argv[0], run.output) == (0, "sh", run.log.read_text())


def test_failure_names_tool_code_and_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    argv = ["sh", "-c", "echo the reason; exit 7"]
    with pytest.raises(ToolError, match="synth: exit code 7") as caught:
        run_tool("synth", argv, cwd=tmp_path, log=log)
    assert str(log) in str(caught.value) and "the reason" in str(caught.value)
    assert isinstance(caught.value, BvitError)
    assert run_tool("synth", argv, cwd=tmp_path, log=log, check=False).returncode == 7


def test_missing_program_says_what_for_and_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"vivado.*not found.*bitstreams.*To get it") as caught:
        run_tool("vivado", ["vivado", "-version"], cwd=tmp_path, log=tmp_path / "v.log", env={"PATH": str(tmp_path)})
    assert "settings64" in str(caught.value)
    with pytest.raises(ToolError, match="program 'no-such-program' was not found"):
        run_tool("something", ["no-such-program"], cwd=tmp_path, log=tmp_path / "n.log")
    with pytest.raises(ToolError, match="no-such-program"):
        find_tool("no-such-program")
    with pytest.raises(ToolError, match="no such folder"):
        run_tool("true", ["true"], cwd=tmp_path / "nowhere", log=tmp_path / "n.log")


def test_program_is_looked_up_on_the_path_given(tmp_path: Path) -> None:
    program = tmp_path / "mytool"
    program.write_text("#!/bin/sh\necho mine $MARK\n")
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "MARK": "here"}
    assert "mine here" in run_tool("mytool", ["mytool"], cwd=tmp_path, log=tmp_path / "m.log", env=env).output


def test_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"slow: not finished after 1 s.*slow\.log"):
        run_tool("slow", ["sh", "-c", _FAMILY], cwd=tmp_path, log=tmp_path / "slow.log", timeout=1)
    for pid in pids(tmp_path):
        wait_for(lambda pid=pid: not alive(pid))


def test_timeout_kills_what_ignores_to_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "_GRACE", 0.3)
    script = "trap '' TERM; echo $$ > parent; while true; do sleep 0.1; done"
    with pytest.raises(ToolError, match="not finished"):
        run_tool("deaf", ["sh", "-c", script], cwd=tmp_path, log=tmp_path / "deaf.log", timeout=0.5)
    assert not alive(int((tmp_path / "parent").read_text()))


def test_ctrl_c_ends_the_whole_group(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from bvit_hw.flows.tool import run_tool\n"
        f"run_tool('family', ['sh', '-c', {_FAMILY!r}], cwd=Path('.'), log=Path('family.log'))"
    )
    root = str(Path(__file__).resolve().parents[2])
    driver = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.PIPE,
        # A shell that started the tests in the background has them ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    family = pids(tmp_path)
    assert all(map(alive, family))
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=30)
    assert b"KeyboardInterrupt" in err
    for pid in family:
        wait_for(lambda pid=pid: not alive(pid))
    assert "[interrupted]" in (tmp_path / "family.log").read_text()


def test_ctrl_c_while_a_program_starts_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs, but run_tool does not know it yet."""
    started: list[subprocess.Popen[bytes]] = []
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*args, **options):  # type: ignore[no-untyped-def]
        started.append(popen(*args, **options))
        os.kill(os.getpid(), signal.SIGINT)
        return started[0]

    popen = subprocess.Popen
    monkeypatch.setattr(tool.subprocess, "Popen", start)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_tool("slow", ["sleep", "300"], cwd=tmp_path, log=tmp_path / "slow.log")
    finally:
        signal.signal(signal.SIGINT, handler)
    assert started[0].returncode is not None and "[interrupted]" in (tmp_path / "slow.log").read_text()


def test_tools_are_stopped_that_are_being_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopper = threading.Thread(target=stop_running_tools)

    def start(*args, **options):  # type: ignore[no-untyped-def]
        process = popen(*args, **options)
        stopper.start()
        stopper.join(0.5)  # it has to wait for the program to be known
        return process

    popen = subprocess.Popen
    monkeypatch.setattr(tool.subprocess, "Popen", start)
    with pytest.raises(ToolError, match="exit code -15"):
        run_tool("slow", ["sleep", "20"], cwd=tmp_path, log=tmp_path / "slow.log")
    stopper.join()


def test_tools_of_other_threads_can_be_stopped(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run_tool, "pool", ["sh", "-c", _FAMILY], cwd=tmp_path, log=tmp_path / "pool.log")
        family = pids(tmp_path)
        stopper = threading.Thread(target=stop_running_tools)
        stopper.start()
        with pytest.raises(ToolError, match="pool: exit code -15"):
            future.result(timeout=30)
        stopper.join()
    for pid in family:
        wait_for(lambda pid=pid: not alive(pid))


def test_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BVIT_HW_CACHE", str(tmp_path / "c"))
    assert cache_folder() == tmp_path / "c"
    monkeypatch.delenv("BVIT_HW_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "bvit-hw"


def test_parameter_flags_quote_strings() -> None:
    assert parameter_flags({"W": 8, "FILE": "a b.mem"}) == ["-GW=8", '-GFILE="a b.mem"']


_MODULE = """
module adder #(parameter int W = 4) (input wire [W-1:0] a, input wire [W-1:0] b, output wire [W-1:0] c);
  assign c = a + b;
endmodule
"""
_MAIN = """
#include "Vtop.h"
#include <cstdio>
int main() { Vtop top; top.a = 9; top.b = 9; top.eval(); std::printf("%d\\n", top.c); return 0; }
"""


@pytest.mark.sim
def test_lint_accepts_clean_and_rejects_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    source = folder / "adder.sv"
    source.write_text(_MODULE)
    lint([source], "adder", {"W": 7})
    source.write_text(_MODULE.replace("input wire [W-1:0] b", "input wire [W:0] b"))
    with pytest.raises(ToolError, match="WIDTH"):
        lint([source], "adder", {"W": 7})


@pytest.mark.sim
def test_models_are_cached_by_contents(tmp_path: Path) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    source, main = folder / "adder.sv", folder / "main.cpp"
    source.write_text(_MODULE)
    main.write_text(_MAIN)

    def build(width: int) -> Path:
        return build_model([source], "adder", parameters={"W": width}, cpp=[main], cflags="-O0", cache=folder / "cache")

    def result(model: Path) -> int:
        return int(subprocess.run([model], capture_output=True, text=True, check=True).stdout)

    with ThreadPoolExecutor(3) as pool:  # three want the same model at once: one builds it
        first, again, third = pool.map(build, [5, 5, 5])
    assert first == again == third and result(first) == 18
    stamp = first.stat().st_mtime_ns
    assert build(5) == first and first.stat().st_mtime_ns == stamp
    assert result(build(4)) == 2
    source.write_text(_MODULE.replace("a + b", "a - b"))
    assert build(5) != first and result(build(5)) == 0
    assert sorted(p.name for p in (folder / "cache" / "models").iterdir() if p.name.startswith(".")) == []
    source.write_text(_MODULE.replace("assign", "asign"))
    with pytest.raises(ToolError, match=r"verilator: exit code 1; log: .*verilate\.log"):
        build(5)


@pytest.mark.parametrize(
    ("content", "says"), [(b"\0\1", "Exec format error"), (b"#!/no/such/sh\n", "the interpreter in its first line")]
)
def test_programs_that_the_system_does_not_start(content: bytes, says: str, tmp_path: Path) -> None:
    program = tmp_path / "torn"
    program.write_bytes(content)
    program.chmod(0o755)
    with pytest.raises(ToolError, match=f"compiler: .*torn cannot be run: {says}"):
        run_tool("compiler", [program], cwd=tmp_path, log=tmp_path / "log")
    with pytest.raises(ToolError, match=f"compiler: .*torn cannot be run: {says}"):
        tool.ask("compiler", [program, "--version"])


@pytest.mark.parametrize(
    ("script", "short"),
    [
        ("kill -9 $$", True),
        ("echo 'make: *** [a.o] Killed' >&2; exit 2", True),
        ("echo 'terminate called after throwing std::bad_alloc' >&2; exit 1", True),
        ("echo 'g++: fatal error: Killed signal terminated program cc1plus' >&2; exit 1", True),
        ("echo 'syntax error' >&2; exit 1", False),
        ("exit 3", False),
    ],
)
def test_want_of_memory_is_named(script: str, short: bool, tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        run_tool("g++", ["sh", "-c", script], cwd=tmp_path, log=tmp_path / "log")
    assert bool(re.search(r"memory seems to be too small: this machine has \d+\.\d GB", str(caught.value))) is short
