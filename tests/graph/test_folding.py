"""Folding: optimal against brute force, within every budget, and plain words where it cannot be done."""

from __future__ import annotations

import itertools
import re
from functools import cache

import numpy as np
import pytest

from bvit_hw.boards import Board, board_names, load_board
from bvit_hw.errors import FoldingError
from bvit_hw.freeze import random_frozen
from bvit_hw.graph import folding_choices, folding_solver
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.border import border_of
from bvit_hw.graph.folding import boards_that_fit, fold, require_fit
from bvit_hw.graph.folding_choices import KINDS, choices_of, vector
from bvit_hw.graph.folding_solver import Solver, unit_prices
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.models import BinaryViTConfig
from bvit_hw.ops.base import Resources
from tests.frozen_factory import CONFIGS


@cache
def network(name: str = "pyramid") -> HwGraph:
    return hw_graph_of(random_frozen(CONFIGS[name], seed=1) if name in CONFIGS else random_frozen(name, seed=1))


def board(**counts: int) -> Board:
    """pynq-z2 with other amounts of some resources."""
    data = load_board("pynq-z2").model_dump()
    for kind, count in counts.items():
        data["resources"][kind]["count"] = count
    return Board.model_validate(data)


def front(graph: HwGraph, tensor: str) -> HwGraph:
    """The graph's beginning, up to the operator that writes ``tensor``."""
    index = next(i for i, node in enumerate(graph.nodes) if tensor in node.outputs)
    return HwGraph(name="front", nodes=graph.nodes[: index + 1], input=graph.input, output=tensor)


def border(graph: HwGraph, board: Board) -> Resources:
    """What the accelerator's border costs, whatever the folding."""
    return border_of(graph, board.limits.bram18).resources


def fits(resources: Resources, limits: Resources) -> bool:
    return all(getattr(resources, kind) <= getattr(limits, kind) + 1e-6 for kind in KINDS)


@pytest.mark.parametrize("luts", [1_900, 2_200, 2_300])
def test_no_folding_in_the_budget_is_faster(luts: int) -> None:
    """Brute force over every combination of a short chain of operators."""
    graph = front(network("plain"), "stem.x")
    small = board(lut=luts, dsp=6)
    found = fold(graph, small)
    values = graph.nodes[-1].op.outputs[0]
    streams = max(12 * 12 * 3 // 8, values.tokens * values.channels)
    assert found.cycles > streams, "the border alone would decide"
    around = border(graph, small)
    faster = 0
    for ops in itertools.product(*(list(node.op.foldings()) for node in graph.nodes)):
        if max(op.cycles for op in ops) >= found.cycles:
            continue
        faster += 1
        if fits(sum((op.resources() for op in ops), around), small.limits):
            folded = graph.with_ops({node.name: op for node, op in zip(graph.nodes, ops, strict=True)})
            assert not fits(planned(folded, small.limits).resources() + around, small.limits), ops
    assert faster > 10


def test_tiny_digits_on_the_7z020() -> None:
    """The shipped network: at most 2,000 cycles a frame, everything within the budgets."""
    target = load_board("pynq-z2")
    found = fold(network("tiny-digits"), target)
    assert found.cycles <= 2000
    assert found.cycles == found.graph.cycles
    assert fits(found.resources, target.limits)
    glued = planned(found.graph, target.limits).resources()
    assert found.resources == glued + border(found.graph, target)
    assert all(0 <= fraction <= 1 for fraction in found.utilisation.values())
    assert found.limited_by


def test_a_larger_budget_is_never_slower() -> None:
    cycles = [fold(network(), board(lut=luts)).cycles for luts in (10_000, 12_000, 53_200, 500_000)]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > cycles[-1]


def test_target_rate_takes_least_area() -> None:
    target = load_board("pynq-z2")
    fastest = fold(network(), target)
    areas = []
    for cycles in (4 * fastest.cycles, 40 * fastest.cycles):
        found = fold(network(), target, target_fps=target.clock_mhz * 1e6 / cycles)
        assert found.cycles <= cycles
        areas.append(found.resources.lut)
    assert fastest.resources.lut > areas[0] > areas[1]


def test_rate_that_cannot_be_met_says_the_best() -> None:
    target = load_board("pynq-z2")
    best = fold(network(), target)
    with pytest.raises(FoldingError, match=rf"leave 10 cycles.*best on pynq-z2 is {best.cycles} cycles.*limited by"):
        fold(network(), target, target_fps=10_000_000)


def test_a_network_that_never_fits_says_what_of() -> None:
    for call in (fold, require_fit):
        with pytest.raises(FoldingError, match=r"at least \d+ lut at any folding, the budget is 700; most of it: "):
            call(network(), board(lut=1000))
        with pytest.raises(FoldingError, match=r"does not fit.*too small: .*bram18 \(budget 5, needed \d+\)"):
            call(network("tiny-digits"), board(bram18=6))
    require_fit(network(), board())
    with pytest.raises(FoldingError, match=r"does not fit.*too small: lut \(budget 4340, needed \d+\)"):
        fold(network(), board(lut=6200))


def test_boards_that_a_network_fits_are_known() -> None:
    """The small networks of the tests fit all boards; one of 256 channels the larger ones."""
    assert boards_that_fit(network(), board_passes) == board_names()
    sizes = {
        "image_size": 32, "patch_size": 2, "channels": (256,), "depths": (8,), "heads": (4,), "mlp_widths": (1024,),
        "reductions": (1,), "classes": 10,
    }  # fmt: skip
    large = hw_graph_of(random_frozen(BinaryViTConfig.create(**sizes), seed=1))
    fitting = boards_that_fit(large, board_passes)
    assert {"u250", "u200"} <= set(fitting) and not {"pynq-z2", "ultra96-v2"} & set(fitting)


def test_what_is_short_needs_more_than_there_is() -> None:
    """What fits but for its width converters lacks nothing that could be named."""
    small = board(lut=9_000)
    solver = Solver(network(), small.limits)
    candidates = solver.candidates()
    assert solver.coarse(candidates[-1]) is not None and solver.short_of(candidates[-1]) == []
    fastest = [cycles for cycles in candidates if solver.coarse(cycles) is None][-1]
    (short,) = solver.short_of(fastest)
    given, needed = map(int, re.findall(r"\d+", short.removeprefix("lut")))
    assert given == 6300 < needed


def test_ultraram_takes_what_block_ram_has_no_room_for() -> None:
    """A card's block RAM cut down until a rate is out of reach: with UltraRAM it is back, within every budget."""
    graph = network("tiny-digits")
    data = load_board("kv260").model_dump()
    data["resources"]["bram18"]["count"] = 110
    found = {}
    for urams in (0, 64):
        data["resources"]["uram"]["count"] = urams
        small = Board.model_validate(data)
        found[urams] = fold(graph.on(small.target), small)
        assert fits(found[urams].resources, small.limits)
    assert found[0].resources.uram == 0 < found[64].resources.uram
    assert (found[64].cycles, found[64].resources.lut) < (found[0].cycles, found[0].resources.lut)


def test_every_choice_is_a_folding_of_the_same_shape() -> None:
    found = fold(network("odd"), load_board("pynq-z2"))
    for before, after in zip(network("odd").nodes, found.graph.nodes, strict=True):
        shape = {k: v for k, v in before.op.attributes().items() if k not in before.op.folding_fields}
        assert shape == {k: v for k, v in after.op.attributes().items() if k in shape}
        assert after.op in list(before.op.foldings())


def test_folding_is_repeatable() -> None:
    target = load_board("pynq-z2")
    folding_choices.choices_of.cache_clear()
    first = fold(network(), target)
    folding_choices.choices_of.cache_clear()
    assert fold(network(), target).graph.nodes == first.graph.nodes


def test_pareto_keeps_what_nothing_beats() -> None:
    make = folding_choices.Choice
    op = network().nodes[0].op
    choices = [
        make(op, 4, (1.0, 5.0), (1,)),
        make(op, 4, (2.0, 2.0), (1,)),
        make(op, 2, (2.0, 3.0), (1,)),
        make(op, 2, (2.0, 3.0), (2,)),
    ]
    assert folding_choices.pareto(choices, by_lanes=False) == [choices[0], choices[1]]
    assert set(folding_choices.pareto(choices, by_lanes=True)) == {choices[0], choices[1], choices[3]}
    assert np.isfinite(unit_prices((1.0,) * len(KINDS))).all()


def test_a_programme_with_fewer_choices_misses_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Foldings that only spare converters left out, as in networks with too many: still legal, hardly dearer."""
    graph, limits = network("token"), load_board("pynq-z2").limits
    whole = Solver(graph, limits)
    cycles = whole.candidates()[0]
    monkeypatch.setattr(folding_solver, "MOST_PAIRS", 0)
    fewer = Solver(graph, limits)._worthwhile(cycles)
    all_choices = {op: [c for c in choices_of(op) if c.cycles <= cycles] for op in fewer}
    assert all(set(choices) <= set(all_choices[op]) and choices for op, choices in fewer.items())
    assert sum(map(len, fewer.values())) < sum(map(len, all_choices.values())) / 2
    found = fold(graph, load_board("pynq-z2"))
    monkeypatch.undo()
    best = fold(graph, load_board("pynq-z2"))
    prices = unit_prices(vector(limits))
    assert found.cycles == best.cycles
    assert prices @ vector(found.resources) <= 1.01 * (prices @ vector(best.resources))


@pytest.mark.slow
def test_a_network_of_many_divisors_folds() -> None:
    """DeiT-S with a class token: 106,000 columns without that, and no answer after ten minutes."""
    card = load_board("u250")
    graph = run_passes(network("deit-baseline"), board_passes(card))
    found = fold(graph, card)
    assert found.cycles == 128 * 197 and fits(found.resources, card.limits)
