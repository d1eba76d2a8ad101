"""The step `lower`: from the .onnx file to hardware operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bvit_hw.boards import Board
from bvit_hw.errors import FoldingError
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.file import save_graph
from bvit_hw.graph.folding import boards_that_fit, require_fit
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.passes import run_passes
from bvit_hw.pipeline.artefacts import GRAPH_FILE, Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext


def require_board(graph: HwGraph, board: Board) -> None:
    """Raise FoldingError, with the boards that it may fit, where ``graph`` is too large for ``board`` at any folding.

    ``graph`` is in its slowest folding; what is told is a quick estimate.
    """
    try:
        require_fit(run_passes(graph, board_passes(board)), board)
    except FoldingError as error:
        fitting = ", ".join(boards_that_fit(graph, board_passes)) or "none"
        raise FoldingError(f"{error}; of the known boards it may fit (by a quick estimate): {fitting}") from error


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """QONNX to hardware operators, every named tensor compared after every pass.

    Leaves the graph twice: as the steps hand it on, and as an ONNX graph of FINN's operators to look at.
    """
    from bvit_hw.finn.lower import hw_graph, lower_model, save_lowered
    from bvit_hw.qonnx import load_qonnx

    # Comparing takes minutes where a network is large; whether it is too large is known at once.
    require_board(hw_graph_of(build.frozen), build.options.board)
    model = load_qonnx(context.earlier["export"] / "model.onnx")
    images = build.images.images[:1]
    lowered = lower_model(model, images=images)
    save_lowered(lowered, context.folder / "hardware.onnx")
    graph = hw_graph(lowered)
    save_graph(graph, context.folder / GRAPH_FILE)
    kinds = Counter(node.op.op_type for node in graph.nodes)
    return {"operators": dict(kinds), "images_compared": len(images)}


STEP = BuildStep(
    name="lower",
    title="lower: hardware operators",
    run=run,
    after=("checkpoint", "freeze", "export"),
    code=("contract", "qonnx", "ops", "graph", "finn", "targets"),
)
