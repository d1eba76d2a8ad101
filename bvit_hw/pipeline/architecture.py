"""Which accelerator a build makes: the streaming one, folded for one network, or a board's single engine."""

from __future__ import annotations

from pathlib import Path

from bvit_hw.boards import Board
from bvit_hw.contract.file import is_frozen, load_frozen
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.config import EngineConfig
from bvit_hw.errors import BoardError, BvitError
from bvit_hw.flows.vendor import flow_of
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.folding import require_fit
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.network_file import network_config

STREAMING, ENGINE, AUTO = "streaming", "engine", "auto"
ARCHITECTURES = (AUTO, STREAMING, ENGINE)


def choose_architecture(asked: str, board: Board, checkpoint: Path, streaming_only: tuple[str, ...]) -> tuple[str, str]:
    """The architecture, and why in words (empty: nothing else was possible, or asked for).

    ``streaming_only`` are options given that only a streaming accelerator has. Raises BoardError for an engine on a
    board whose file has none.
    """
    if asked == ENGINE:
        required_engine(board)
        return ENGINE, "asked for by --architecture engine"
    if asked == STREAMING or board.engine is None or not flow_of(board).takes_engines:
        return STREAMING, "asked for by --architecture streaming" if asked == STREAMING else ""
    if streaming_only:
        return STREAMING, f"{' and '.join(streaming_only)}: only a streaming accelerator has such an option"
    reason = _why_not_streaming(board, checkpoint)
    if reason:
        return ENGINE, f"the network does not fit as a streaming accelerator: {reason}"
    return STREAMING, "the network fits as a streaming accelerator, by a quick estimate"


def required_engine(board: Board) -> EngineConfig:
    """The engine that a build makes for the board; raises BoardError where there is none."""
    config = engine_of(board)
    if not flow_of(board).takes_engines:
        raise BoardError(f"board {board.name}: a single engine is for boards with a Zynq; family {board.family!r}")
    return config


def _why_not_streaming(board: Board, checkpoint: Path) -> str:
    """Why the network cannot be folded for the board; nothing where it can, by a quick estimate.

    A checkpoint that is not frozen yet is judged by drawn numbers: they are as large in hardware.
    """
    try:
        frozen = load_frozen(checkpoint) if is_frozen(checkpoint) else random_frozen(network_config(checkpoint))
        require_fit(run_passes(hw_graph_of(frozen), board_passes(board)), board)
    except BvitError as error:
        return str(error)
    return ""
