"""Less than a whole build: which steps run, and what the report says of those left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bvit_hw.errors import ConfigError
from bvit_hw.pipeline.engine import Step
from bvit_hw.pipeline.selection import select
from bvit_hw.report.model import Report
from tests.command import bvit, refused

STEPS = [
    Step(name, name, lambda context: {}, after=after)
    for name, after in {"read": (), "make": ("read",), "look": ("make",), "pack": ("read", "make")}.items()
]


@pytest.mark.parametrize(
    ("until", "skip", "kept", "left_out"),
    [
        (None, (), ["read", "make", "look", "pack"], []),
        ("make", (), ["read", "make"], [("look", "--until make"), ("pack", "--until make")]),
        (None, ("look",), ["read", "make", "pack"], [("look", "--skip look")]),
        ("look", ("look",), ["read", "make"], [("look", "--skip look"), ("pack", "--until look")]),
        (None, ("make", "look", "pack"), ["read"], [(n, f"--skip {n}") for n in ("make", "look", "pack")]),
    ],
)
def test_what_is_left(
    until: str | None, skip: tuple[str, ...], kept: list[str], left_out: list[tuple[str, str]]
) -> None:
    found = select(STEPS, until, skip)
    assert [step.name for step in found.steps] == kept and list(found.left_out) == left_out


def test_who_goes_with_another_is_left_out_with_it() -> None:
    steps = [*STEPS, Step("judge", "judge", lambda context: {}, after=("look",), goes_with="look")]
    found = select(steps, None, ("look",))
    assert [step.name for step in found.steps] == ["read", "make", "pack"]
    assert found.left_out == (("look", "--skip look"), ("judge", "--skip look"))
    assert [step.name for step in select(steps, None, ("judge",)).steps] == ["read", "make", "look", "pack"]


@pytest.mark.parametrize(
    ("until", "skip", "said"),
    [
        ("mak", (), r"--until mak: there is no such step; allowed: read, make, look, pack"),
        (None, ("none",), r"--skip none: there is no such step"),
        (None, ("make",), r"--skip make: look needs it; skip look too"),
        ("read", ("read",), r"no step is left to run"),
    ],
)
def test_what_cannot_be_left_out_is_refused(until: str | None, skip: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        select(STEPS, until, skip)


def test_a_build_ends_where_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = bvit("build", "--board", "pynq-z2", "--out", "out", "--until", "freeze", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert lines[:3] == [["checkpoint", "done"], ["freeze", "done"], ["export", "left out (--until freeze)"]]
    assert "no report: there is one from the step generate on" in done.stdout
    assert (tmp_path / "out/freeze/frozen.safetensors").is_file() and not (tmp_path / "out/report.json").exists()
    refused(bvit("build", "--board", "pynq-z2", "--skip", "lower", cwd=tmp_path), "--skip lower: fold needs it")


def test_the_report_says_what_was_left_out(built: Path, tmp_path: Path) -> None:
    """Nothing that was not run is shown as run, though the folder holds it from a whole build."""
    out = shutil.copytree(built, tmp_path / "out", ignore=shutil.ignore_patterns("*.zip"))
    left = ("simulate", "synthesize", "bitstream")
    notes = {name: f"--skip {name}" for name in left} | {"timing": "--skip synthesize"}
    words = [word for name in left for word in ("--skip", name)]
    done = bvit("build", "--board", "pynq-z2", "--out", out, *words, "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found, whole = Report.read(out / "report.json"), Report.read(built / "report.json")
    assert {s.name: s.note for s in found.steps if s.status == "left out"} == notes
    assert found.cycles_per_frame.simulated is None and found.latency_cycles is None
    assert found.cycles_per_frame.model == whole.cycles_per_frame.model
    assert found.frames_per_second == found.clock_mhz * 1e6 / found.cycles_per_frame.model
    assert (found.accuracy.rtl, found.accuracy.rtl_images, found.accuracy.rtl_equal_to_frozen) == (None, 0, None)
    assert found.accuracy.frozen == whole.accuracy.frozen
    for name, resource in found.resources.items():
        assert resource.synthesized is None and resource.model == whole.resources[name].model
    assert all(row.synthesized is None for row in found.operators)
    assert found.timing is None and whole.timing is not None
    assert found.bitstream.note == "bitstream not built: left out by --skip bitstream" and found.bitstream.command
    for said in ("by the cycle model", "RTL not simulated", "left out (--skip synthesize)", "not run"):
        assert said in done.stdout, said
    page = (out / "report.html").read_text()
    assert "by the cycle model, not simulated" in page and "left out" in page and "logits equal" not in page
    before = json.loads((out / "report.json").read_text())
    done = bvit("build", "--board", "pynq-z2", "--out", out, "--until", "fold", "--quiet", cwd=tmp_path)
    assert done.returncode == 0 and json.loads((out / "report.json").read_text()) == before
