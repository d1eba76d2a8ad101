"""The engine's units as jobs for Yosys: all of them, with the engine's numbers and their real ports."""

from __future__ import annotations

from pathlib import Path

from bvit_hw.flows.engine_area import unit_jobs, unit_modules
from bvit_hw.flows.yosys import synthesize
from bvit_hw.targets import XC7
from tests.emulators.engine_stand_in import CONFIG


def test_units_have_the_engines_numbers(tmp_path: Path) -> None:
    jobs = {job.name: job for job in unit_jobs(CONFIG, tmp_path / "yosys")}
    assert set(jobs) == set(unit_modules()) >= {"bvit_engine_matrix", "bvit_engine_vector", "bvit_engine_control"}
    vector = jobs["bvit_engine_vector"]
    assert vector.parameters == {"TOKENS": 2, "CHANNELS": 8}
    assert ("input", "values", 2 * 8 * 8) in vector.others and not any(name == "clk" for _, name, _ in vector.others)


def test_a_unit_is_counted(tmp_path: Path) -> None:
    """The smallest, and control, which has flip-flops for a command twice."""
    small = ("bvit_engine_turns", "bvit_engine_control")
    jobs = [job for job in unit_jobs(CONFIG, tmp_path / "ports") if job.name in small]
    counts = synthesize(jobs, target=XC7, work=tmp_path / "yosys", processes=1)
    assert counts["bvit_engine_control"].ff > 2 * 1024 and counts["bvit_engine_turns"].lut > 50
