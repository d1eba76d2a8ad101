"""Dies: cuts are where one stream crosses, balance the kernels, and leave what is computed as it is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pytest

from bvit_hw.boards import Board, load_board
from bvit_hw.errors import FoldingError
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.dies import best_cut, kernels, with_cuts
from bvit_hw.graph.folding import fold
from bvit_hw.graph.folding_choices import KINDS
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.place_fifos import place_fifos
from bvit_hw.graph.segments import crossings
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.ops.base import Resources
from bvit_hw.ops.stream_register import StreamRegister
from tests.frozen_factory import CONFIGS, random_pixels

PLENTY = Resources(lut=1e9, ff=1e9, bram18=1e9, uram=0, dsp=1e9)


@cache
def graph() -> HwGraph:
    return hw_graph_of(random_frozen(CONFIGS["pyramid"], seed=6))


def test_one_stream_crosses_between_blocks_and_before_the_second_half_of_one() -> None:
    found = list(crossings(graph()).values())
    assert {"b0.y", "b0.x", "t1.h", "t1.x", "b1.y", "b1.x"} <= set(found)
    for place, tensor in crossings(graph()).items():
        before = {t for node in graph().nodes[:place] for t in node.outputs}
        read = {t for node in graph().nodes[place:] for t in node.inputs}
        assert before & read == {tensor}


@pytest.mark.parametrize("stitched", [False, True])
def test_a_cut_graph_computes_the_same_kernel_by_kernel(stitched: bool) -> None:
    cut = with_cuts(graph(), ("b0.x", "b1.y"))
    if stitched:
        cut = planned(cut, PLENTY)
    cut.check(stitched=stitched)
    image = random_pixels(CONFIGS["pyramid"], 1, seed=3)[0].reshape(1, -1)
    wanted = graph().execute(image)
    parts = kernels(cut)
    assert [node.name for part in parts for node in part.nodes] == [node.name for node in cut.nodes]
    assert len({part.name for part in parts}) == len(parts) == 3
    stream = image
    for part in parts:
        part.check(stitched=stitched)
        found = part.execute(stream)
        stream = found[part.output]
        for tensor in set(found) & set(wanted) - {graph().input}:
            assert np.array_equal(found[tensor].reshape(-1), wanted[tensor].reshape(-1)), tensor
    assert np.array_equal(stream.reshape(-1), wanted[graph().output].reshape(-1))
    assert [type(part.nodes[-1].op) for part in parts[:-1]] == [type(part.nodes[0].op) for part in parts[1:]]
    assert all(isinstance(part.nodes[0].op, StreamRegister) for part in parts[1:])


def test_no_fifo_stands_between_the_registers_of_a_cut() -> None:
    stitched = planned(with_cuts(graph(), ("b0.x",)), PLENTY)
    (enters,) = [node for node in stitched.nodes if node.name == "b0.x.enters"]
    assert enters.inputs == ("b0.x.leaves",)
    assert kernels(with_depths(stitched, {node.name: 3 for node in stitched.fifos}))[1].nodes[0].name == "b0.x.enters"


def _use(parts: list[HwGraph], border: Resources, dies: list[Resources]) -> float:
    needed = [part.resources() for part in parts]
    needed[0] = needed[0] + border
    return max(
        getattr(used, kind) / getattr(die, kind)
        for used, die in zip(needed, dies, strict=False)
        for kind in KINDS
        if getattr(used, kind)
    )


@pytest.mark.parametrize("count", [2, 3])
def test_the_best_cut_loads_the_fullest_die_least(count: int) -> None:
    """Against every cut there is, on unlike dies."""
    stitched, border = planned(graph(), PLENTY), Resources(lut=500, ff=400, bram18=2)
    total = stitched.resources()
    # A little more than a share for each: one fewer would not do.
    share = {kind: 1.2 * getattr(total, kind) / count for kind in KINDS}
    dies = [Resources(**share), Resources(**{k: 0.8 * v for k, v in share.items()}), Resources(**share)][:count]
    found = best_cut(graph(), stitched, border, dies)
    at = {tensor: place for place, tensor in crossings(stitched).items()}
    tensors = [tensor for tensor in crossings(graph()).values() if tensor in at]
    uses = {}
    for chosen in combinations(tensors, count - 1):
        bounds = [0, *(at[tensor] for tensor in chosen), len(stitched.nodes)]
        uses[chosen] = _use([replace(stitched, nodes=stitched.nodes[a:b]) for a, b in pairwise(bounds)], border, dies)
    assert found.use == pytest.approx(min(uses.values()))
    if found.tensors:
        assert uses[found.tensors] == pytest.approx(found.use)
    assert bool(found.short) == (found.use > 1)


def test_what_fits_one_die_stays_one_kernel() -> None:
    stitched = planned(graph(), PLENTY)
    cut = best_cut(graph(), stitched, Resources(), [PLENTY] * 4)
    assert cut.tensors == () and cut.use < 1 and not cut.short
    assert kernels(stitched) == [stitched]


def shrunk(part: float) -> Board:
    """A U250 of which the platform leaves little."""
    card = load_board("u250")
    assert card.dies
    left = {
        name: die.model_copy(update={kind: round(part * getattr(die, kind)) for kind in ("lut", "bram18", "dsp")})
        for name, die in card.dies.left.items()
    }
    return card.model_copy(update={"dies": card.dies.model_copy(update={"left": left})})


def test_folding_fills_the_dies_and_no_die_is_overfull() -> None:
    card = shrunk(0.02)
    found = fold(graph(), card)
    parts = kernels(planned(found.graph, *card.rooms))
    assert len(parts) > 1
    for part, limits in zip(parts, card.rooms, strict=False):
        assert all(getattr(part.resources(), kind) <= getattr(limits, kind) for kind in KINDS)
    assert fold(graph(), load_board("u250")).cycles <= found.cycles
    assert len(kernels(fold(graph(), load_board("u250")).graph)) == 1


def test_dies_that_are_too_small_are_named() -> None:
    with pytest.raises(FoldingError, match="lut|bram18|dsp"):
        fold(graph(), shrunk(0.004))


def test_fifos_take_room_of_their_own_die() -> None:
    stitched = planned(with_cuts(graph(), ("b0.x",)), Resources())
    deep = with_depths(stitched, {node.name: 2_000 for node in stitched.fifos})
    first, second = (part.resources() for part in kernels(deep))
    placed = place_fifos(deep, first + Resources(bram18=6), second)
    here, there = (sum(n.op.resources().bram18 for n in part.fifos) for part in kernels(placed))
    assert 0 < here <= 6 and there == 0
