"""What the report says of a graph."""

from __future__ import annotations

import pytest

from bvit_hw.boards import load_board
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.dies import kernels, with_cuts
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.place_fifos import place_fifos
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.graph.waiting import plan_waiting
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.report import dies_of, fifo_memory, fifo_rows, way_of
from bvit_hw.targets.xcup import TARGET as XCUP
from tests.frozen_factory import CONFIGS


def test_fifos_are_told_by_their_memory() -> None:
    glued = add_glue(hw_graph_of(random_frozen(CONFIGS["plain"], seed=3)).on(XCUP))
    names = sorted((n.name for n in glued.fifos), key=lambda name: -glued.node(name).op.inputs[0].width)
    depths = dict.fromkeys(names, 2) | {names[0]: 33, names[1]: 4000, names[2]: 4000}
    sized = with_depths(glued, depths)
    one = place_fifos(sized, sized.resources() + Resources(uram=1))
    graph = place_fifos(one, one.resources() + Resources(bram18=100))
    told = {memory.kind: memory for memory in fifo_memory(graph, {})}
    assert {kind: memory.fifos for kind, memory in told.items()} == {
        "registers": len(names) - 3, "LUT RAM": 1, "block RAM": 1, "UltraRAM": 1,
    }  # fmt: skip
    widths = {name: glued.node(name).op.inputs[0].width for name in names}
    assert told["LUT RAM"].bits == 33 * widths[names[0]]
    assert sum(memory.bits for memory in told.values()) == sum(depths[name] * widths[name] for name in names)
    assert (told["UltraRAM"].resource, told["UltraRAM"].model, told["UltraRAM"].synthesized) == ("uram", 1, None)
    assert told["block RAM"].model == graph.resources().bram18 - glued.resources().bram18
    counted = {name: {"ff": 1.0, "lut": 2.0, "bram18": 3.0, "uram": 4.0} for name in names}
    found = {memory.kind: memory.synthesized for memory in fifo_memory(graph, counted)}
    assert found == {"registers": len(names) - 3.0, "LUT RAM": 2.0, "block RAM": 3.0, "UltraRAM": 4.0}
    assert "UltraRAM" not in {memory.kind for memory in fifo_memory(sized, {})}


def test_it_says_which_fifos_are_tight() -> None:
    """Only of those that were tried: tight is what a beat less makes slower or stuck."""
    glued = add_glue(hw_graph_of(random_frozen(CONFIGS["plain"], seed=3)))
    names = sorted(node.name for node in glued.fifos)
    depths = dict.fromkeys(names, 2) | dict.fromkeys(names[:4], 33)
    facts: dict[str, dict[str, int | str]] = {name: {"held": 2, "needed": 3} for name in names}
    facts[names[0]] |= {"least": 33, "below": "slower"}
    facts[names[1]] |= {"least": 20, "below": "stuck"}
    facts[names[2]] |= {"least": 2, "below": ""}
    rows = fifo_rows(with_depths(glued, depths), facts)
    assert len(rows) == len(names)
    assert [row.depth * row.width for row in rows] == sorted((row.depth * row.width for row in rows), reverse=True)
    by_name = {row.name: row for row in rows}
    assert [by_name[name].tight for name in names[:5]] == [True, False, False, None, None]
    first = by_name[names[0]]
    assert (first.memory, first.depth, first.held, first.needed) == ("LUT RAM", 33, 2, 3)


def test_dies_are_told_one_by_one() -> None:
    cut = with_cuts(hw_graph_of(random_frozen(CONFIGS["pyramid"], seed=3)), ("b0.x",))
    graph, border, card = add_glue(cut), Resources(lut=7, ff=8), load_board("u250")
    first, second = dies_of(graph, border, card, "top", {})
    assert (first.name, first.kernel, second.name, second.kernel) == ("SLR0", "top", "SLR1", "top_die1")
    assert first.operators + second.operators == sum(not node.op.is_glue for node in graph.nodes)
    total = graph.resources() + border
    for kind in ("lut", "ff", "bram18", "dsp"):
        assert first.resources[kind].model + second.resources[kind].model == pytest.approx(getattr(total, kind))
    assert (first.resources["lut"].budget, first.resources["lut"].available) == (262_500, 375_000)
    (crosses,) = [node.op.outputs[0].width for node in graph.nodes if node.name == "b0.x.leaves"]
    assert (first.leaves_bits, second.leaves_bits) == (crosses, None)
    names = ("border.guard", *(node.name for node in graph.nodes))
    counted = {name: {kind: 1.0 for kind in first.resources} for name in names}
    both = dies_of(graph, border, card, "top", counted)
    assert [die.resources["ff"].synthesized for die in both] == [1.0 + k for k in _nodes(graph, 1)]
    assert dies_of(graph, border, load_board("pynq-z2"), "top", {}) == []


def _nodes(graph: HwGraph, border: int) -> list[float]:
    first, second = kernels(graph)
    return [len(first.nodes) + border - 1, len(second.nodes) - 1]


def test_a_frames_way_goes_forward() -> None:
    graph = add_glue(hw_graph_of(random_frozen(CONFIGS["pyramid"], seed=3)))
    way = way_of(graph)
    assert [stage.name for stage in way] == ["stem", "b0", "t1", "b1", "head"]
    starts = [stage.starts for stage in way]
    assert starts == sorted(starts) and starts[-1] == round(plan_waiting(graph).latency * graph.cycles) > graph.cycles
