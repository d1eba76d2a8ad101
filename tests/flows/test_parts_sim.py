"""A core in parts, connected in every cycle: cycles, logits and FIFOs are those of the core as a whole."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.boards import load_board
from bvit_hw.errors import LoweringError
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.flows.parts_sim import LARGE, PartsSimulator, core_simulator
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.fifo_sizing import CoreRun, golden_logits
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.segments import segments
from bvit_hw.graph.stitch_plan import add_glue, planned
from bvit_hw.ops.base import Resources
from tests.frozen_factory import CONFIGS, random_pixels

NAME = "pyramid"
IMAGES = random_pixels(CONFIGS[NAME], 3, seed=9)


@cache
def folded(pixel_bytes: int = 8) -> HwGraph:
    """Narrow operators, quickly built."""
    graph = replace(hw_graph_of(random_frozen(CONFIGS[NAME], seed=6)), pixel_bytes=pixel_bytes)
    return fold(graph, load_board("pynq-z2"), target_fps=100_000.0).graph


def _equal(a: CoreRun, b: CoreRun) -> None:
    assert (a.starts, a.ends) == (b.starts, b.ends)
    assert np.array_equal(a.logits, b.logits)
    assert dict(a.occupancy) == dict(b.occupancy) and dict(a.needed) == dict(b.needed)


@pytest.mark.sim
@pytest.mark.parametrize("jobs", [1, 2])
def test_parts_take_the_cycles_of_the_whole(jobs: int) -> None:
    """A source in bursts and a sink that hardly takes anything: everything waits, across the parts."""
    graph = planned(folded(), Resources(bram18=224))
    assert len(segments(graph)) > 4
    for options in ({}, {"source_chance": 150, "sink_chance": 3, "seed": 4}):
        parts, whole = PartsSimulator(jobs=jobs, **options), CoreSimulator(jobs=jobs, **options)
        _equal(parts(graph, IMAGES, frames=5), whole(graph, IMAGES, frames=5))
    interval = 2 * graph.cycles
    run = parts(graph, IMAGES, frames=4, interval=interval)
    _equal(run, whole(graph, IMAGES, frames=4, interval=interval))
    assert np.array_equal(run.logits[:3], golden_logits(graph, IMAGES))


@pytest.mark.sim
def test_parts_sleep_between_frames_and_nothing_changes(tmp_path: Path) -> None:
    graph = planned(folded(), Resources(bram18=224))
    for number, options in enumerate(({}, {"sink_chance": 40, "seed": 5})):
        parts = PartsSimulator(workdir=tmp_path / f"{number}", **options)
        interval = 9 * graph.cycles
        run = parts(graph, IMAGES, frames=4, interval=interval)
        _equal(run, CoreSimulator(**options)(graph, IMAGES, frames=4, interval=interval))
        told = (tmp_path / f"{number}/core.log").read_text()
        slept = [int(cycles) for cycles in re.findall(r"^part \d+ slept (\d+)$", told, re.M)]
        # The first part is offered pixels all the time.
        assert len(slept) == len(segments(graph)) and min(slept[1:]) > 2 * interval


@pytest.mark.sim
def test_wide_pixels_go_into_the_first_part() -> None:
    graph = planned(folded(64), Resources(bram18=224))
    assert graph.edges()[0].sink_stream.width == 512
    run = PartsSimulator()(graph, IMAGES, frames=3)
    _equal(run, CoreSimulator()(graph, IMAGES, frames=3))
    assert np.array_equal(run.logits, golden_logits(graph, IMAGES))


@pytest.mark.sim
def test_a_jam_names_the_streams_of_the_whole() -> None:
    """FIFOs two deep: a shortcut cannot hold what the way beside it takes in."""
    jammed = with_depths(add_glue(folded()), {})
    with pytest.raises(LoweringError, match="stuck at cycle") as raised:
        PartsSimulator()(jammed, IMAGES, frames=4)
    assert "FIFOs that have been full: " in str(raised.value) and "b0.h.fork1.fifo" in str(raised.value)


def test_large_cores_are_simulated_in_parts() -> None:
    graph = add_glue(folded())
    assert len(graph.nodes) < LARGE and type(core_simulator(graph, print)) is CoreSimulator
    node = graph.nodes[0]
    large = replace(graph, nodes=tuple(replace(node, name=f"n{i}") for i in range(LARGE)))
    found = core_simulator(large, print, jobs=3, sink_chance=7)
    assert isinstance(found, PartsSimulator) and (found.jobs, found.sink_chance) == (3, 7)
