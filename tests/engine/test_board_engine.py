"""Engines in the boards' files: each is one that can be built, and a board without one is refused."""

from __future__ import annotations

import pytest

from bvit_hw.boards import EngineSettings, board_names, load_board
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.config import EngineConfig
from bvit_hw.errors import BoardError

WITH = [name for name in board_names() if load_board(name).engine is not None]


def test_there_are_some() -> None:
    assert {"pynq-z1", "pynq-z2"} <= set(WITH)


@pytest.mark.parametrize("name", WITH)
def test_each_is_an_engine(name: str) -> None:
    settings = load_board(name).engine
    assert settings is not None
    assert engine_of(load_board(name)) == EngineConfig(**settings.model_dump(exclude={"clock_mhz"}))


def test_an_engine_has_its_own_clock_or_the_board_s() -> None:
    board = load_board("pynq-z2")
    assert board.engine is not None
    slow, fast = (board.model_copy(update={"engine": board.engine.model_copy(update={"clock_mhz": clock})})
                  for clock in (None, 125.0))  # fmt: skip
    assert (slow.engine_clock_mhz, fast.engine_clock_mhz) == (board.clock_mhz, 125.0)
    assert board.model_copy(update={"engine": None}).engine_clock_mhz == board.clock_mhz
    # It is no part of what a programme was compiled for.
    assert engine_of(slow).identity == engine_of(fast).identity


def test_none_and_a_wrong_one_are_refused() -> None:
    board = load_board("pynq-z2")
    with pytest.raises(BoardError, match=r"pynq-z2: .* no table \[engine\]; boards that have one: kv260, pynq-z1"):
        engine_of(board.model_copy(update={"engine": None}))
    assert board.engine is not None
    wrong = EngineSettings(**{**board.engine.model_dump(), "rows": 4})
    with pytest.raises(BoardError, match="board pynq-z2: engine: rows=4; allowed"):
        engine_of(board.model_copy(update={"engine": wrong}))
