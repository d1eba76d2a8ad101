"""The step `fold`: how much hardware each operator gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bvit_hw.boards import Board
from bvit_hw.freeze.random_frozen import random_images
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.file import save_graph
from bvit_hw.graph.folding import fold
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


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Let streams wait where that takes fewest bits, then solve the folding for the budget or the rate asked for.

    Beside the graph there is folding.json, to read and to compare: each operator's folding, and what else of its
    fields is other than as lowered.
    """
    options = build.options
    board = with_margin(options.board)
    graph = run_passes(build.lowered, board_passes(board), random_images(build.config, 1)[0])
    result = fold(graph, board, target_fps=options.target_fps)
    save_graph(result.graph, context.folder / GRAPH_FILE)
    plain = {n.name: n.op.attributes() for n in build.lowered.nodes}
    folding = {}
    for node in result.graph.nodes:
        if node.op.is_glue:  # the registers of a cut
            continue
        before, fields = plain[node.name.removesuffix(LATE)], node.op.attributes()
        shown = {name for name in fields if name in node.op.folding_fields or fields[name] != before[name]}
        folding[node.name] = {name: int(value) for name, value in fields.items() if name in shown}
    write_json(context.folder / "folding.json", folding)
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
