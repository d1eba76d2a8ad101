"""The engine as jobs for Yosys: all units with the engine's numbers and their real ports, and the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from bvit_hw.boards import load_board
from bvit_hw.engine.area import engine_resources
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.flows.engine_area import BETWEEN, WHOLE, analyse_engine, engine_counts, unit_jobs, unit_modules
from bvit_hw.flows.sta import UnitTiming
from bvit_hw.flows.yosys import Analysed, synthesize
from bvit_hw.ops.base import Resources
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


def test_the_whole_has_the_memories_and_all_numbers(tmp_path: Path) -> None:
    (job,) = unit_jobs(CONFIG, tmp_path, modules=[WHOLE])
    assert job.parameters["VALUES"] == CONFIG.values and job.parameters["ULTRA"] == 0
    assert ("input", "m_axi_rdata", CONFIG.port) in job.others


def test_counts_add_up_to_the_whole() -> None:
    board = load_board("pynq-z2")
    units = {"bvit_engine_rule": Resources(lut=300, ff=200, dsp=14), "bvit_engine_regs": Resources(lut=40, ff=50)}
    whole = Resources(lut=1000, ff=600, bram18=7, dsp=15)
    found = {name: Analysed(resources=each, timing=UnitTiming()) for name, each in {**units, WHOLE: whole}.items()}
    counts = engine_counts(board, found)
    assert set(counts) == {*units, "memories", BETWEEN}
    assert counts[BETWEEN] == Resources(lut=660, ff=350, dsp=1)
    total = sum(counts.values(), Resources())
    assert (total.lut, total.ff, total.dsp) == (1000, 600, 15)
    assert total.bram18 == counts["memories"].bram18 == 2 * 112  # by their shapes


@pytest.mark.slow
def test_the_engine_of_a_board_holds_its_clock(tmp_path: Path) -> None:
    """By the estimate, from unit to unit as well; what it takes is within a tenth of the model of area."""
    board = load_board("pynq-z2")
    found = analyse_engine(board, tmp_path, processes=2)
    longest = found[WHOLE].timing
    assert longest is not None and longest.inside is not None
    assert longest.inside.ns <= 1e3 / board.engine_clock_mhz
    assert set(found) == {*unit_modules(), WHOLE}
    total = sum(engine_counts(board, found).values(), Resources())
    model = engine_resources(engine_of(board), board.target)
    assert abs(total.lut - model.lut) <= 0.1 * total.lut and total.dsp == model.dsp
