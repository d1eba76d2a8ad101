"""Trials of FIFO depths: which FIFOs are tried, and how the least depth is found."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.place_fifos import place_fifos
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.graph.tight_fifos import Trial, try_depths
from bvit_hw.ops.base import Resources
from tests.frozen_factory import CONFIGS


def ran(cycles: int) -> CoreRun:
    ends = tuple(range(0, 6 * cycles, cycles))
    return CoreRun(logits=np.zeros((6, 1), np.int64), starts=ends, ends=ends, occupancy={})


def sized(depths: tuple[int, ...]) -> tuple[HwGraph, list[str]]:
    """A graph whose first FIFOs by name are so deep, the others two; and their names."""
    glued = add_glue(hw_graph_of(random_frozen(CONFIGS["plain"], seed=3)))
    names = sorted(node.name for node in glued.fifos)
    deep = dict(zip(names, depths, strict=False))
    return with_depths(glued, dict.fromkeys(names, 2) | deep), list(deep)


def test_the_least_depth_that_is_as_fast_is_found() -> None:
    """By halving, for several such depths; the FIFO's own depth less one is tried first, which a tight one needs."""
    graph, (name,) = sized((40,))
    for least in range(2, 41):
        tried: list[int] = []

        def run(limits: Mapping[str, int], least: int = least, tried: list[int] = tried) -> CoreRun | None:
            depth = limits.get(name, 40)
            tried.append(depth)
            return None if depth < least // 2 else ran(100 if depth >= least else 101)

        found = try_depths(graph, run, 1)
        noticed = "" if least == 2 else "stuck" if least - 1 < least // 2 else "slower"
        assert found == {name: Trial(least, noticed)}
        assert tried[:2] == [40, 39] and len(tried) <= 9 and (least < 40 or tried == [40, 39])


def test_the_largest_fifos_are_tried() -> None:
    """As many as are asked for, by bits; no FIFO holds fewer than two beats, in a RAM block none fewer than four."""
    graph, names = sized((40, 33, 500))
    bits = {name: graph.node(name).op.inputs[0].width * graph.node(name).op.fifo_depth for name in names}
    order = sorted(names, key=lambda name: (-bits[name], name))
    assert list(try_depths(graph, lambda limits: ran(9), 2)) == order[:2]
    found = try_depths(graph, lambda limits: ran(9), 100)
    assert list(found) == order and set(found.values()) == {Trial(2, "")}
    placed = place_fifos(graph, graph.resources() + Resources(bram18=50))
    (large,) = [name for name in names if placed.node(name).op.fifo_memory == "block RAM"]
    assert try_depths(placed, lambda limits: ran(9), 100)[large] == Trial(4, "")
