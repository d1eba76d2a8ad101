"""The engine that is built for a board."""

from __future__ import annotations

from bvit_hw.boards import Board, board_names, load_board
from bvit_hw.engine.config import EngineConfig
from bvit_hw.errors import BoardError, ConfigError


def engine_of(board: Board) -> EngineConfig:
    """What the table [engine] of the board's file says; BoardError where there is none, or a number is not allowed."""
    if board.engine is None:
        there = ", ".join(name for name in board_names() if load_board(name).engine is not None)
        raise BoardError(f"board {board.name}: its file has no table [engine]; boards that have one: {there}")
    try:
        return EngineConfig(**board.engine.model_dump(exclude={"clock_mhz"}))
    except ConfigError as error:
        raise BoardError(f"board {board.name}: {error}") from error
