"""The build engine: steps resume, folders are kept whole, faults of the disk and of the user are told apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from bvit_hw.errors import OutputError, ToolError
from bvit_hw.pipeline.engine import BuildFolder, Step, StepContext, StepNotRun
from bvit_hw.pipeline.progress import Progress

QUIET = Progress(quiet=True)
IDENTITY = {"board": "pynq-z2", "model": "abc"}


class Recorder:
    """Makes steps that write one file and remember that they ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def step(self, name: str, after: tuple[str, ...] = (), value: int = 0) -> Step:
        def run(context: StepContext) -> dict[str, int]:
            self.ran.append(name)
            total = value + sum(int((context.earlier[a] / "out.txt").read_text()) for a in after)
            (context.folder / "out.txt").write_text(str(total))
            return {"total": total}

        return Step(name, name, run, after=after, inputs={"value": value})


def build(path: Path, steps: list[Step], **kwargs: object) -> list[str]:
    with BuildFolder(path, IDENTITY, **kwargs) as folder:  # type: ignore[arg-type]
        return [f"{o.name}:{o.status}" for o in folder.run(steps, QUIET)]


def test_second_run_takes_everything_from_the_folder(tmp_path: Path) -> None:
    recorder = Recorder()
    steps = [recorder.step("a", value=2), recorder.step("b", after=("a",), value=3)]
    assert build(tmp_path / "out", steps) == ["a:done", "b:done"]
    assert (tmp_path / "out/b/out.txt").read_text() == "5"
    assert build(tmp_path / "out", steps) == ["a:cached", "b:cached"]
    assert recorder.ran == ["a", "b"]


def test_a_changed_input_runs_its_step_and_the_ones_after_it(tmp_path: Path) -> None:
    recorder = Recorder()
    build(tmp_path, [recorder.step("a"), recorder.step("c"), recorder.step("b", after=("a",))])
    outcome = build(tmp_path, [recorder.step("a", value=9), recorder.step("c"), recorder.step("b", after=("a",))])
    assert outcome == ["a:done", "c:cached", "b:done"]
    assert (tmp_path / "b/out.txt").read_text() == "9"


def test_all_missing_tools_are_told_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    first, second = recorder.step("a"), replace(recorder.step("b", after=("a",)), needs=("g++", "make"))
    third = replace(recorder.step("c"), needs=("make", "verilator"))
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as told:
        build(tmp_path / "out", [first, second, third])
    lines = str(told.value).splitlines()
    assert len(lines) == 3 and recorder.ran == [] and "verilator" not in str(told.value)
    assert lines[1].startswith("  g++, for the step b: ") and "apt install g++" in lines[1]
    assert lines[2].startswith("  make, for the steps b, c: ") and "apt install make" in lines[2]
    monkeypatch.setenv("PATH", path)
    assert build(tmp_path / "out", [first, second, third]) == ["a:done", "b:done", "c:done"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build(tmp_path / "out", [first, second, third]) == ["a:cached", "b:cached", "c:cached"], "none is needed"


def test_tools_that_may_be_needed_are_told_at_once_and_those_that_do_not_run_count_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder()
    step = replace(recorder.step("a"), may_need=("g++", "make"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with BuildFolder(tmp_path / "out", {"board": "x"}) as folder:
        folder.run([step], Progress())
    told = capsys.readouterr().err
    assert told.index("the build ends at what the cache does not hold") < told.index("apt install g++") < told.index(
        "a ...") and recorder.ran == ["a"]  # fmt: skip
    (tmp_path / "g++").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "g++").chmod(0o755)
    with pytest.raises(ToolError, match=r"g\+\+ \(does not run: .*exit code 3\), for the step b: "):
        build(tmp_path / "out2", [replace(recorder.step("b"), needs=("g++",))])


@pytest.mark.parametrize("damage", ["edit", "delete"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    recorder = Recorder()
    build(tmp_path, [recorder.step("a", value=4)])
    file = tmp_path / "a/out.txt"
    file.write_text("5") if damage == "edit" else file.unlink()
    assert build(tmp_path, [recorder.step("a", value=4)]) == ["a:done"]
    assert file.read_text() == "4"


def test_an_interrupted_build_resumes_after_the_last_finished_step(tmp_path: Path) -> None:
    recorder = Recorder()

    def interrupted(context: StepContext) -> dict[str, int]:
        (context.folder / "half").write_text("half a file")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, [recorder.step("a"), Step("b", "b", interrupted, after=("a",))])
    assert not (tmp_path / "b").exists()
    assert build(tmp_path, [recorder.step("a"), recorder.step("b", after=("a",))]) == ["a:cached", "b:done"]
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_missing_tool_ends_the_build_without_an_error(tmp_path: Path) -> None:
    recorder = Recorder()

    def no_tool(context: StepContext) -> dict[str, int]:
        raise StepNotRun("bitstream not built: Vivado not found")

    assert build(tmp_path, [recorder.step("a"), Step("bit", "bit", no_tool)]) == ["a:done", "bit:not run"]
    assert not (tmp_path / "bit").exists()


def test_what_steps_say_is_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def talks(context: StepContext) -> dict[str, object]:
        context.say("2 CPU threads [as asked for]")
        return {}

    with BuildFolder(tmp_path, {}) as folder:
        folder.run([Step("a", "a", talks), Step("b", "b", talks)], Progress())
    assert capsys.readouterr().err.count("2 CPU threads [as asked for]\n") == 1


def test_a_folder_of_another_build_is_refused_and_left_alone(tmp_path: Path) -> None:
    recorder = Recorder()
    build(tmp_path, [recorder.step("a", value=1)])
    with pytest.raises(OutputError, match=r"holds another build.*'pynq-z2', asked for 'u50'.*--out"):
        BuildFolder(tmp_path, {"board": "u50", "model": "abc"}).__enter__()
    assert (tmp_path / "a/out.txt").read_text() == "1"
    with BuildFolder(tmp_path, {"board": "u50", "model": "abc"}, overwrite=True) as folder:
        assert [o.status for o in folder.run([recorder.step("a", value=1)], QUIET)] == ["done"]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=r"not written by bvit-hw \(found thesis.tex\)"):
        BuildFolder(tmp_path, IDENTITY).__enter__()
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_two_builds_in_one_folder_are_refused(tmp_path: Path) -> None:
    with BuildFolder(tmp_path, IDENTITY), pytest.raises(OutputError, match="another build is running"):
        BuildFolder(tmp_path, IDENTITY).__enter__()


def test_an_output_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be used as output folder"):
        BuildFolder(tmp_path / "file", IDENTITY).__enter__()


def test_a_damaged_manifest_is_refused_not_overwritten(tmp_path: Path) -> None:
    recorder = Recorder()
    build(tmp_path, [recorder.step("a")])
    (tmp_path / "manifest.json").write_text(json.dumps({"x": 1}))
    with pytest.raises(OutputError, match="not written by bvit-hw"):
        BuildFolder(tmp_path, IDENTITY).__enter__()


def test_a_full_disk_is_named_and_the_next_run_resumes(tmp_path: Path) -> None:
    """A file size limit makes the kernel refuse a write as a full disk does (EFBIG instead of ENOSPC)."""
    program = textwrap.dedent(
        f"""
        import resource, signal, sys
        from pathlib import Path
        from bvit_hw.pipeline.engine import BuildFolder, Step
        from bvit_hw.pipeline.progress import Progress
        from bvit_hw.errors import OutputError
        def small(c):
            (c.folder / "s").write_text("small"); return {{}}
        def large(c):
            (c.folder / "l").write_bytes(bytes(1 << 20)); return {{}}
        if sys.argv[1] == "limited":
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        try:
            with BuildFolder(Path({str(tmp_path / "out")!r}), {IDENTITY!r}) as f:
                print([o.status for o in f.run([Step("s", "s", small), Step("l", "l", large)], Progress(quiet=True))])
        except OutputError as e:
            print("OutputError", e)
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}

    def run(mode: str) -> str:
        argv = [sys.executable, "-c", program, mode]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout

    assert "OutputError" in (first := run("limited")) and "step 'l' was writing" in first
    assert not (tmp_path / "out/l").exists()
    assert run("free").strip() == "['cached', 'done']"
