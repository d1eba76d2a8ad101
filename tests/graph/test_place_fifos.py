"""Deep FIFOs in RAM blocks: which of them, of which kind, and never more than there is room for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from bvit_hw.freeze import random_frozen
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.place_fifos import place_fifos
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.ops.base import Resources
from bvit_hw.targets import XC7, Target
from bvit_hw.targets.xcup import TARGET as XCUP
from tests.frozen_factory import CONFIGS, random_pixels


@cache
def glued(target: Target) -> HwGraph:
    return add_glue(hw_graph_of(random_frozen(CONFIGS["pyramid"], seed=3)).on(target))


#: the width of the FIFOs that are made deep, in bits
WIDTH = 8


def deep(target: Target, *depths: int) -> HwGraph:
    """The graph with some FIFOs of WIDTH so deep; all others hold two beats."""
    graph = glued(target)
    names = [node.name for node in graph.fifos if node.op.inputs[0].width == WIDTH][: len(depths)]
    return with_depths(graph, dict.fromkeys((n.name for n in graph.fifos), 2) | dict(zip(names, depths, strict=True)))


def memories(graph: HwGraph) -> dict[str, str]:
    """What the FIFOs deeper than two are in, by name."""
    return {node.name: node.op.fifo_memory for node in graph.fifos if node.op.fifo_depth > 2}


def room(graph: HwGraph, **more: float) -> Resources:
    """What the graph takes, and so much more."""
    return graph.resources() + Resources(**more)


@pytest.mark.parametrize("target", [XC7, XCUP], ids=str)
def test_block_ram_as_far_as_it_goes(target: Target) -> None:
    graph = deep(target, 2048, 1024, 80)
    plenty, none = place_fifos(graph, room(graph, bram18=100)), place_fifos(graph, room(graph))
    assert set(memories(plenty).values()) == {"block RAM"}
    assert none == graph and set(memories(none).values()) == {"LUT RAM"}
    assert plenty.resources().lut < graph.resources().lut
    one = room(graph, bram18=XCUP.memories.halves(WIDTH, 2048))
    few = place_fifos(graph, one)
    assert [memories(few)[name] for name in memories(graph)] == ["block RAM", "LUT RAM", "LUT RAM"], "most LUTs saved"
    assert few.resources().bram18 == one.bram18
    image = random_pixels(CONFIGS["pyramid"], 1, 1)[0].reshape(1, -1)
    assert np.array_equal(plenty.execute(image)[plenty.output], graph.execute(image)[graph.output])


def test_a_target_without_ultraram_gets_none() -> None:
    graph = deep(XC7, 2048, 1024)
    assert place_fifos(graph, room(graph, uram=100)) == graph
    both = place_fifos(graph, room(graph, bram18=100, uram=100))
    assert both == place_fifos(graph, room(graph, bram18=100))


def test_ultraram_where_there_is_no_block_ram() -> None:
    graph = deep(XCUP, 4000, 3000, 63)
    placed = place_fifos(graph, room(graph, uram=10))
    assert sorted(memories(placed).values()) == ["LUT RAM", "UltraRAM", "UltraRAM"]
    assert placed.resources().uram == sum(node.op.resources().uram for node in placed.fifos) > 0
    assert placed.resources().bram18 == graph.resources().bram18
    assert set(memories(place_fifos(graph, room(graph))).values()) == {"LUT RAM"}


@pytest.mark.parametrize(("bram18", "uram", "kind"), [(1000, 2, "block RAM"), (10, 100, "UltraRAM")])
def test_the_kind_is_taken_of_which_there_is_more(bram18: int, uram: int, kind: str) -> None:
    graph = deep(XCUP, 4000)
    assert set(memories(place_fifos(graph, room(graph, bram18=bram18, uram=uram))).values()) == {kind}


def test_the_other_kind_takes_what_is_left() -> None:
    """UltraRAM is the better place for all four, but there are two; block RAM has room for one more."""
    graph = deep(XCUP, 4000, 4000, 4000, 4000)
    allowed = room(graph, bram18=XCUP.memories.halves(WIDTH, 4000), uram=2)
    placed = place_fifos(graph, allowed)
    assert sorted(memories(placed).values()) == ["LUT RAM", "UltraRAM", "UltraRAM", "block RAM"]
    assert placed.resources().uram == 2 and placed.resources().bram18 <= allowed.bram18
    assert place_fifos(placed, allowed) == placed, "what is placed stays"


def test_what_fits_half_a_block_is_not_in_ultraram() -> None:
    graph = deep(XCUP, 66)
    assert set(memories(place_fifos(graph, room(graph, uram=100))).values()) == {"LUT RAM"}
    assert set(memories(place_fifos(graph, room(graph, bram18=1, uram=100))).values()) == {"block RAM"}


def test_no_move_costs_luts() -> None:
    """64 deep, the LUTs of a narrow memory are about as few as those around a block."""
    graph = deep(XCUP, *[64] * 8)
    placed = place_fifos(graph, room(graph, bram18=100, uram=100))
    for node in graph.fifos:
        assert placed.node(node.name).op.resources().lut <= node.op.resources().lut
