"""Hardware: a frozen network as operators of the FPGA, and how much of it each operator gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bvit_hw.api.networks import FrozenNetwork, Network, as_frozen
from bvit_hw.api.words import require
from bvit_hw.boards import Board, load_board

if TYPE_CHECKING:
    import numpy as np

    from bvit_hw.graph.hw_graph import HwGraph


def as_board(board: Board | str) -> Board:
    """The board, of which the name or the .toml file may be given."""
    return board if isinstance(board, Board) else load_board(board)


@dataclass(frozen=True, eq=False)
class Lowered:
    """A network as hardware operators in their slowest folding, for ``board``; made by :func:`lower`."""

    graph: HwGraph
    network: FrozenNetwork
    board: Board


@dataclass(frozen=True, eq=False)
class Folded:
    """An accelerator before its glue: operators with their lanes, for ``board``; made by :func:`fold`.

    ``cycles`` are those of a frame in steady state by the model, ``resources`` and ``budget`` by kind ("lut", "ff",
    "bram18", "uram", "dsp"), predicted and allowed, ``limited_by`` what keeps it from being faster, in words.
    ``folding`` has each operator's lanes, and what else of its fields is other than as lowered, by its name.
    """

    graph: HwGraph
    network: FrozenNetwork
    board: Board
    cycles: int
    limited_by: str
    resources: Mapping[str, float]
    budget: Mapping[str, float]
    folding: Mapping[str, Mapping[str, int]]

    @cached_property
    def frames_per_second(self) -> float:
        """At the board's clock, which no place and route has confirmed."""
        return self.board.clock_mhz * 1e6 / self.cycles


def lower(
    network: FrozenNetwork | Network | str | Path,
    *,
    board: Board | str = "pynq-z2",
    images: np.ndarray | None = None,
) -> Lowered:
    """``network`` through QONNX to hardware operators, each in its slowest folding (docs/lowering.md).

    With ``images`` (uint8, N x H x W x C; one is enough) every named tensor is compared after every pass, which takes
    minutes for a network of 224 x 224. Raises FoldingError, with the boards that it may fit, where ``board`` is too
    small for it, LoweringError for a difference or a node that has no operator, BoardError for an unknown board.
    """
    found = as_board(board)
    frozen = as_frozen(network)
    from bvit_hw.finn.lower import lower as lower_model
    from bvit_hw.graph.from_contract import hw_graph_of
    from bvit_hw.pipeline.steps.lower import require_board
    from bvit_hw.qonnx import to_qonnx

    require_board(hw_graph_of(frozen.graph), found)
    return Lowered(lower_model(to_qonnx(frozen.graph), images=images), frozen, found)


def fold(lowered: Lowered, *, target_fps: float | None = None, clock_mhz: float | None = None) -> Folded:
    """Give each operator its lanes: the highest frame rate that the board's budget takes, solved exactly.

    With ``target_fps`` it is the least area at that many frames/s instead. ``clock_mhz`` takes the place of the board's
    clock. Raises FoldingError where nothing fits, ConfigError for a rate or clock that is not allowed.
    """
    from bvit_hw.freeze import random_images
    from bvit_hw.network_file import config_of
    from bvit_hw.pipeline.options import checked_clock, checked_rate
    from bvit_hw.pipeline.steps.fold import folded, folding_facts

    require(lowered, (Lowered,), "api.fold takes what api.lower gives")
    board = lowered.board.model_copy(update={"clock_mhz": checked_clock(lowered.board, clock_mhz)})
    image = random_images(config_of(lowered.network.graph.config, lowered.network.name), 1)[0]
    result = folded(lowered.graph, board, image, checked_rate(target_fps))
    return Folded(
        graph=result.graph,
        network=lowered.network,
        board=board,
        cycles=result.cycles,
        limited_by=result.limited_by,
        resources=asdict(result.resources),
        budget=asdict(result.limits),
        folding=folding_facts(lowered.graph, result.graph),
    )
