"""The model of an engine's area, against what Yosys counted (benchmarks/engine_costs.py --write)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bvit_hw.boards import board_names, load_board
from bvit_hw.engine.area import FIXED, engine_resources, unit_terms
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.config import MEMORIES, EngineConfig
from bvit_hw.errors import BoardError
from bvit_hw.flows.engine_area import unit_modules
from bvit_hw.targets import XC7
from bvit_hw.targets.ecp5 import TARGET as ECP5
from bvit_hw.targets.xcup import TARGET as XCUP

COUNTS = json.loads(Path(__file__).with_name("area_counts.json").read_text())
WHOLES = COUNTS["bvit_engine"]
WITH = [name for name in board_names() if load_board(name).engine is not None]


def engine(shape: str) -> EngineConfig:
    """As the counts were made: memories of a block's depth."""
    tokens, rows, channels = (int(n) for n in shape.split("x"))
    return EngineConfig(tokens=tokens, rows=rows, channels=channels, **dict.fromkeys(MEMORIES, 512))


def test_every_unit_has_terms() -> None:
    assert set(unit_terms(EngineConfig())) == {*unit_modules(), "bvit_engine_core"} >= set(FIXED)


@pytest.mark.parametrize("shape", WHOLES)
def test_the_model_is_within_a_tenth_of_what_yosys_counts(shape: str) -> None:
    found = engine_resources(engine(shape), XC7)
    assert found.lut == pytest.approx(WHOLES[shape]["lut"], rel=0.10)
    assert found.ff == pytest.approx(WHOLES[shape]["ff"], rel=0.10)
    assert found.dsp == WHOLES[shape]["dsp"]


@pytest.mark.parametrize("unit", [name for name in COUNTS if name not in ("fixed", "bvit_engine")])
def test_each_unit_is_about_what_yosys_counts(unit: str) -> None:
    for shape, counted in COUNTS[unit].items():
        found = XC7.weigh(unit_terms(engine(shape))[unit])
        assert found.lut == pytest.approx(counted["lut"], rel=0.15, abs=40), shape
        assert found.dsp == counted["dsp"], shape


def test_luts_of_ultrascale_are_those_of_7_series() -> None:
    assert engine_resources(EngineConfig(), XCUP) == engine_resources(EngineConfig(), XC7)


def test_a_target_without_coefficients_says_so() -> None:
    with pytest.raises(BoardError, match=r"target ecp5: its table of coefficients has no \[Engine"):
        engine_resources(EngineConfig(), ECP5)


@pytest.mark.parametrize("name", WITH)
def test_each_board_has_room_for_its_engine_by_the_model(name: str) -> None:
    board = load_board(name)
    found = engine_resources(engine_of(board), board.target)
    for kind in ("lut", "ff", "dsp"):
        assert getattr(found, kind) <= getattr(board.limits, kind), kind


@pytest.mark.parametrize("name", WITH)
def test_each_board_has_blocks_for_its_engine(name: str) -> None:
    board = load_board(name)
    assert engine_resources(engine_of(board), board.target).bram18 <= board.limits.bram18
