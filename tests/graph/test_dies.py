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
from bvit_hw.graph.dies import balanced_places, kernels, overfull, with_cuts
from bvit_hw.graph.folding import fold
from bvit_hw.graph.folding_choices import KINDS
from bvit_hw.graph.folding_solver import Solver
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


#: of a made-up stretch of operators
SIZES = (3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0)


@pytest.mark.parametrize(
    "limits", [(41.0,), (20.0, 20.0), (14.0, 20.0, 14.0), (9.0, 13.0, 12.0, 11.0), (30.0, 9.0, 9.0)]
)
def test_the_fewest_dies_are_taken_and_the_fullest_is_least_full(limits: tuple[float, ...]) -> None:
    """Against every way there is to part them; cuts are possible at some places only."""
    places = [0, 2, 3, 5, 6, 7, 8, len(SIZES)]
    calls = []

    def fullness(die: int, begin: int, end: int) -> float:
        calls.append((die, begin, end))
        return sum(SIZES[begin:end]) / limits[die]

    ways = {}
    for count in range(1, len(limits) + 1):
        for chosen in combinations(places[1:-1], count - 1):
            bounds = [0, *chosen, len(SIZES)]
            ways[tuple(bounds)] = max(fullness(die, a, b) for die, (a, b) in enumerate(pairwise(bounds)))
    found = balanced_places(places, len(limits), fullness)
    fitting = {bounds: use for bounds, use in ways.items() if use <= 1}
    assert bool(fitting) == (found is not None)
    if found is None:
        return
    fewest = min(map(len, fitting))
    assert len(found) == fewest
    least = min(use for bounds, use in fitting.items() if len(bounds) == fewest)
    assert ways[tuple(found)] <= least + 0.006
    assert balanced_places(places, len(limits), lambda die, a, b: 2 * fullness(die, a, b) / max(least, 0.5)) is None


def test_a_kernel_that_does_not_fit_is_told_by_how_often_its_limit_is_needed() -> None:
    stitched = planned(with_cuts(graph(), ("b0.x",)), PLENTY)
    first, second = (part.resources() for part in kernels(stitched))
    border = Resources(lut=500, ff=400)
    assert overfull(stitched, border, [PLENTY, PLENTY]) == {}
    small = replace(first + border, lut=(first.lut + 500) / 2, uram=1)
    assert overfull(stitched, border, [small, PLENTY]) == {"lut": pytest.approx(2.0)}
    none = replace(second, bram18=0, ff=second.ff / 3)
    wanted = {"bram18": float("inf"), "ff": pytest.approx(3.0)} if second.bram18 else {"ff": pytest.approx(3.0)}
    assert overfull(stitched, Resources(), [PLENTY, none]) == wanted


def test_what_fits_one_die_stays_one_kernel() -> None:
    card = load_board("u250")
    assert Solver(graph(), card.limits).cuts(10**9, list(card.die_limits.values()))[0] == []
    stitched = planned(graph(), PLENTY)
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
    with pytest.raises(FoldingError, match=r"needs at least \d+ (lut|bram18|dsp) at any folding"):
        fold(graph(), shrunk(0.001))
    # Together they have enough, but no cut is where it would have to be.
    with pytest.raises(FoldingError, match="nowhere can it be cut into a kernel for each of SLR0, SLR1, SLR2, SLR3"):
        fold(graph(), shrunk(0.007))


def test_fifos_take_room_of_their_own_die() -> None:
    stitched = planned(with_cuts(graph(), ("b0.x",)), Resources())
    deep = with_depths(stitched, {node.name: 2_000 for node in stitched.fifos})
    first, second = (part.resources() for part in kernels(deep))
    placed = place_fifos(deep, first + Resources(bram18=6), second)
    here, there = (sum(n.op.resources().bram18 for n in part.fifos) for part in kernels(placed))
    assert 0 < here <= 6 and there == 0
