"""The step `fold`: how much hardware each operator gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from bvit_hw.boards import Board
from bvit_hw.freeze.random_frozen import random_images
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.file import save_graph
from bvit_hw.graph.folding import FoldingResult, fold
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.recompute_late import LATE
from bvit_hw.pipeline.artefacts import GRAPH_FILE, Artefacts
from bvit_hw.pipeline.build_step import BuildStep, write_json
from bvit_hw.pipeline.engine import StepContext

#: share of the LUT budget that folding leaves alone: FIFO depths are found after it, and cost models err a little
FOLDING_MARGIN = 0.04


def with_margin(board: Board) -> Board:
    """The board as folding is given it."""
    budget = board.budget
    return board.model_copy(update={"budget": budget.model_copy(update={"lut": budget.lut * (1 - FOLDING_MARGIN)})})


def folded(lowered: HwGraph, board: Board, image: np.ndarray, target_fps: float | None) -> FoldingResult:
    """``lowered`` for ``board``: streams wait where that takes fewest bits, then the folding is solved.

    Every tensor is compared after every pass for ``image`` (uint8, H x W x C). Raises FoldingError where nothing fits.
    """
    spared = with_margin(board)
    graph = run_passes(lowered, board_passes(spared), image)
    return fold(graph, spared, target_fps=target_fps)


def folding_facts(lowered: HwGraph, graph: HwGraph) -> dict[str, dict[str, int]]:
    """Each operator's folding, and what else of its fields is other than as lowered, by its name."""
    plain = {n.name: n.op.attributes() for n in lowered.nodes}
    found = {}
    for node in graph.nodes:
        if node.op.is_glue:  # the registers of a cut
            continue
        before, fields = plain[node.name.removesuffix(LATE)], node.op.attributes()
        shown = {name for name in fields if name in node.op.folding_fields or fields[name] != before[name]}
        found[node.name] = {name: int(value) for name, value in fields.items() if name in shown}
    return found


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Solve the folding for the budget or the rate asked for.

    Beside the graph there is folding.json, to read and to compare.
    """
    options = build.options
    result = folded(build.lowered, options.board, random_images(build.config, 1)[0], options.target_fps)
    save_graph(result.graph, context.folder / GRAPH_FILE)
    write_json(context.folder / "folding.json", folding_facts(build.lowered, result.graph))
    return {
        "cycles": result.cycles,
        "frames_per_second": options.clock_mhz * 1e6 / result.cycles,
        "limited_by": result.limited_by,
        "resources": asdict(result.resources),
        "budget": asdict(result.limits),
    }


STEP = BuildStep(
    name="fold",
    title="fold: solve for the board",
    run=run,
    after=("checkpoint", "freeze", "lower"),
    inputs=lambda options: {
        "board": options.board.model_dump(mode="json"),
        "target_fps": options.target_fps,
    },
)
