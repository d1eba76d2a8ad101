"""From a lowered graph to the one that is folded: both passes, every tensor as before."""

from __future__ import annotations

from bvit_hw.boards import load_board
from bvit_hw.freeze.random_frozen import random_frozen, random_images
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.ops.binary_mvau import BinaryMVAU


def test_a_graph_for_a_board_has_its_copies_and_its_cells() -> None:
    board = load_board("pynq-z2")
    lowered = hw_graph_of(random_frozen("cifar10"))
    graph = run_passes(lowered, board_passes(board), random_images("cifar10", 1)[0])
    assert graph.target is board.target
    assert {node.name for node in graph.nodes} - {node.name for node in lowered.nodes} == {"b0.h.late"}
    assert {node.op.primitives for node in graph.nodes if isinstance(node.op, BinaryMVAU)} == {1}
