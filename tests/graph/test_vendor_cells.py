"""Vendor cells: which operators take them, and what that changes of a graph and of its folding."""

from __future__ import annotations

import dataclasses

import pytest

from bvit_hw import targets
from bvit_hw.boards import load_board
from bvit_hw.codegen.stitch import cell_models, library_files
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.vendor_cells import with_vendor_cells
from bvit_hw.ops.binary_mvau import PRIMITIVE_MODELS, PRIMITIVE_SOURCES, ULTRASCALE_MODELS, BinaryMVAU
from bvit_hw.targets import XC7, Family
from tests.frozen_factory import CONFIGS

GRAPH = hw_graph_of(random_frozen(CONFIGS["pyramid"], seed=1))
BOARD = load_board("pynq-z2")


def test_every_binary_mvau_and_nothing_else_is_switched() -> None:
    switched = with_vendor_cells(GRAPH, BOARD)
    assert any(isinstance(node.op, BinaryMVAU) for node in GRAPH.nodes)
    for before, after in zip(GRAPH.nodes, switched.nodes, strict=True):
        if isinstance(before.op, BinaryMVAU):
            assert before.op.primitives == 0
            after = dataclasses.replace(after, op=after.op.fold(primitives=0))
            assert before.op.outputs == after.op.outputs
        assert before == after
    assert with_vendor_cells(switched, BOARD) == switched


def test_a_family_without_these_cells_stays_portable(monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(XC7, name="other", families=(Family(name="other", flow="vivado"),), vendor_cells=0)
    monkeypatch.setattr(targets, "discovered", lambda: (other,))
    portable = with_vendor_cells(GRAPH, BOARD.model_copy(update={"family": "other"}))
    assert portable.target is other and portable != GRAPH
    assert portable.with_ops({node.name: node.op.fold(target=XC7) for node in portable.nodes}) == GRAPH


@pytest.mark.parametrize("name, primitives", [("pynq-z1", 1), ("kv260", 2), ("u250", 2)])
def test_each_family_gets_its_own_cells(name: str, primitives: int) -> None:
    """UltraScale+ has CARRY8 where 7-series has CARRY4."""
    switched = with_vendor_cells(GRAPH, load_board(name))
    mvaus = [node.op for node in switched.nodes if isinstance(node.op, BinaryMVAU)]
    assert {op.primitives for op in mvaus} == {primitives}
    wanted = {1: PRIMITIVE_MODELS, 2: ULTRASCALE_MODELS}[primitives]
    assert {op.cell_models for op in mvaus if op.has_primitives} <= {wanted}


def test_folding_keeps_the_cells_and_they_pay() -> None:
    """At the same rate the folded graph takes fewer LUTs; its models are apart from its library files."""
    switched = with_vendor_cells(GRAPH, BOARD)
    rate = BOARD.clock_mhz * 1e6 / (2 * fold(GRAPH, BOARD).cycles)
    plain, cells = fold(GRAPH, BOARD, target_fps=rate), fold(switched, BOARD, target_fps=rate)
    assert cells.resources.lut < plain.resources.lut
    mvaus = [node.op for node in cells.graph.nodes if isinstance(node.op, BinaryMVAU)]
    assert all(op.primitives for op in mvaus)
    assert any(op.has_primitives for op in mvaus)
    assert set(library_files(cells.graph)) >= set(PRIMITIVE_SOURCES)
    assert cell_models(cells.graph) == PRIMITIVE_MODELS
    assert not set(library_files(cells.graph)) & set(PRIMITIVE_MODELS)
    assert cell_models(plain.graph) == ()
