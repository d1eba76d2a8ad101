"""The stitched core: deterministic text, legal names, and in simulation the integers and cycles of the model."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.boards import load_board
from bvit_hw.codegen.names import identifiers
from bvit_hw.codegen.stitch import stitch
from bvit_hw.errors import LoweringError
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.flows.verilator import lint
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.fifo_sizing import (
    CoreRun,
    SizedGraph,
    check_logits,
    golden_logits,
    held_back,
    measure,
    size_fifos,
)
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.ops.base import Resources
from bvit_hw.rtl_library import source_paths
from tests.frozen_factory import CONFIGS, random_pixels

NAME = "pyramid"
IMAGES = random_pixels(CONFIGS[NAME], 3, seed=9)
ROOM = Resources(bram18=224)
size = partial(size_fifos, rooms=[ROOM], clock_mhz=100.0)
FPS = 100_000.0  # 1,000 cycles a frame: narrow operators, quickly built


@cache
def glued() -> HwGraph:
    graph = hw_graph_of(random_frozen(CONFIGS[NAME], seed=6))
    return add_glue(fold(graph, load_board("pynq-z2"), target_fps=FPS).graph, clock_mhz=100.0)


def test_text_is_the_same_every_time() -> None:
    assert stitch(glued()).text == stitch(glued()).text
    assert stitch(glued()).memories.keys() == stitch(glued()).memories.keys()


def test_every_operator_has_one_instance() -> None:
    core = stitch(glued())
    for node in glued().nodes:
        module = node.op.rtl(node.params).module
        assert f"{module} #(" in core.text
    assert core.text.count(" u_") >= len(glued().nodes)
    assert core.module == "bvit_core"
    assert core.cycles == glued().cycles


def test_memories_are_named_in_the_text_and_written(tmp_path: Path) -> None:
    core = stitch(glued())
    path = core.write(tmp_path / "rtl", tmp_path / "mem")
    assert path.read_text() == core.text
    assert core.memories
    for name, memory in core.memories.items():
        assert f'"{name}"' in core.text
        words = [int(word, 16) for word in (tmp_path / "mem" / name).read_text().split()]
        assert words == [*memory.words] * (2 if len(memory.words) == 1 else 1), "a single word stands there twice"
    assert any(len(memory.words) == 1 for memory in core.memories.values())


def test_identifiers_are_legal_and_unique() -> None:
    names = ["b0.q", "b0_q", "b0.Q", "b0..q", "0", "x.fork1.fifo"]
    found = identifiers(names, "s_")
    assert list(found) == names
    assert len({i.lower() for i in found.values()}) == len(names)
    assert all(i.isidentifier() and i.startswith("s_") for i in found.values())
    assert found["x.fork1.fifo"] == "s_x_fork1_fifo"
    assert identifiers(["input", "a"], "")["input"] != "input"


def test_graph_without_glue_is_refused() -> None:
    with pytest.raises(LoweringError):
        stitch(hw_graph_of(random_frozen(CONFIGS[NAME], seed=6)))


def test_missing_library_file_is_named() -> None:
    with pytest.raises(LoweringError, match=r"lacks bvit_nothing\.sv"):
        source_paths(["bvit_fifo.sv", "bvit_nothing.sv"])


@pytest.mark.sim
def test_core_passes_lint(tmp_path: Path) -> None:
    core = stitch(glued())
    path = core.write(tmp_path, tmp_path)
    lint([*source_paths(core.library), path], core.module)


# ------------------------------------------------------------------ simulation


@cache
def sized() -> SizedGraph:
    return size(glued(), CoreSimulator(), IMAGES, frames=24)


@pytest.mark.sim
def test_sized_core_runs_at_the_models_rate() -> None:
    found = sized()
    assert found.run.cycles_per_frame == pytest.approx(found.graph.cycles, rel=0.02)
    assert np.array_equal(found.run.logits[:3], golden_logits(glued(), IMAGES))
    assert set(found.depths) == {n.name for n in glued().fifos}
    assert 0 in found.depths.values(), "no FIFO was found unnecessary"
    for name, held in found.occupancy.items():
        assert held <= found.needed[name] <= held + 1, name
        assert found.depths[name] >= held or (found.depths[name] == 0 and held <= 1), name


@pytest.mark.sim
def test_sized_core_survives_stalls() -> None:
    simulator = CoreSimulator(source_chance=120, sink_chance=40, seed=5)
    check_logits(simulator(sized().graph, IMAGES, frames=7), golden_logits(glued(), IMAGES))


@pytest.mark.sim
def test_throttled_source_sets_the_rate() -> None:
    interval = 2 * sized().graph.cycles
    run = CoreSimulator()(sized().graph, IMAGES, frames=8, interval=interval)
    assert run.cycles_per_frame == pytest.approx(interval, rel=0.01)


@pytest.mark.sim
def test_a_jam_names_the_streams() -> None:
    """A shortcut's FIFO that is far too small: the operator that joins both ways waits for ever."""
    fifos = {n.name: sized().occupancy[n.name] for n in glued().fifos}
    name = max((n for n in fifos if n.startswith("b0.q.fork")), key=lambda n: fifos[n])
    jammed = with_depths(sized().graph, {name: 2})
    with pytest.raises(LoweringError, match="stuck at cycle") as raised:
        CoreSimulator()(jammed, IMAGES, frames=4)
    assert name in str(raised.value)
    assert "b0.q" in str(raised.value)


@pytest.mark.sim
def test_beats_move_alike_whatever_is_in_them() -> None:
    """What sizing measures without data is what it would measure with them."""
    whole, bare = (CoreSimulator()(sized().graph, IMAGES, frames=8, timing_only=only) for only in (False, True))
    assert whole.logits.any() and not bare.logits.any()
    assert replace(whole, logits=bare.logits) == bare


@pytest.mark.sim
def test_wrong_weights_are_seen() -> None:
    node = glued().node("head.acc")
    weights = np.array(node.params["weights"])
    weights[0] = -weights[0]
    nodes = tuple(replace(n, params={"weights": weights}) if n.name == "head.acc" else n for n in sized().graph.nodes)
    run = CoreSimulator()(replace(sized().graph, nodes=nodes), IMAGES, frames=3)
    with pytest.raises(LoweringError, match="frame 0 gives logits"):
        check_logits(run, golden_logits(glued(), IMAGES))


# ------------------------------------------------------------------ sizing, without simulation


def _fake(occupancy: int, cycles: float, calls: list[HwGraph], needed: int = 0) -> object:
    """A core of ``cycles``, or of the model's where all FIFOs are as deep as ``needed``, unless that is 0."""

    def simulate(
        graph: HwGraph, images: np.ndarray, *, frames: int, interval: int = 0, timing_only: bool = False
    ) -> CoreRun:
        calls.append(graph)
        logits = golden_logits(glued(), images)
        deep = needed and all(n.op.fifo_depth >= needed for n in graph.fifos)
        step = interval or (graph.cycles if deep else cycles)
        return CoreRun(
            logits=np.stack([logits[i % len(logits)] for i in range(frames)]),
            starts=tuple(int(i * step) for i in range(frames)),
            ends=tuple(int((i + 3) * step) for i in range(frames)),
            occupancy={n.name: occupancy for n in graph.fifos},
            needed={n.name: needed for n in graph.fifos},
        )

    return simulate


def test_too_slow_a_core_is_refused() -> None:
    calls: list[HwGraph] = []
    with pytest.raises(LoweringError, match=r"cycles a frame with sized FIFOs, the model says"):
        size(glued(), _fake(1, 1.05 * glued().cycles, calls), IMAGES, frames=8)  # type: ignore[arg-type]
    small = held_back(glued())
    assert len(calls) == 6, "measured, tried with few FIFOs, then with all; then again with no FIFO held small"
    depths = [{n.op.fifo_depth for n in calls[i].fifos if n.name in small} for i in (0, 3)]
    assert depths[0] == {2} and min(depths[1]) > 2


def test_fifos_that_hold_back_too_hard_get_a_lut_ram() -> None:
    """Slow as soon as one of them has two beats; a run is lost by that, and no memory."""
    calls: list[HwGraph] = []
    small = held_back(glued())
    assert small

    def simulate(
        graph: HwGraph, images: np.ndarray, *, frames: int, interval: int = 0, timing_only: bool = False
    ) -> CoreRun:
        hard = any(n.op.fifo_depth == 2 for n in graph.fifos if n.name in small)
        run = _fake(3, graph.cycles, calls)(graph, images, frames=frames)  # type: ignore[operator]
        return replace(run, ends=tuple(round(1.05 * end) for end in run.ends)) if hard else run

    found = size(glued(), simulate, IMAGES, frames=8)
    assert len(calls) == 3, "measured with two beats, then with 33; proven"
    assert {found.depths[name] for name in small} == {33}
    assert {n.op.fifo_depth for n in calls[1].fifos if n.name in small} == {33}


def test_fifos_that_have_to_take_while_they_give_are_made_deeper() -> None:
    """Two beats held at most, one of them while another came: a depth of 2 refuses that one, and 3 is 33."""
    calls: list[HwGraph] = []
    found = size(glued(), _fake(2, 1.05 * glued().cycles, calls, 3), IMAGES, frames=8)  # type: ignore[arg-type]
    assert set(found.depths.values()) == {33} and len(calls) == 3


def test_a_core_within_two_percent_is_accepted() -> None:
    calls: list[HwGraph] = []
    found = size(glued(), _fake(2, 1.015 * glued().cycles, calls), IMAGES, frames=8)  # type: ignore[arg-type]
    assert set(found.depths.values()) == {2}
    assert len(calls) == 2


def test_queues_that_grow_without_end_are_named() -> None:
    with pytest.raises(LoweringError, match="still grew"):
        measure(glued(), _fake(10**6, glued().cycles, []), IMAGES, frames=8)  # type: ignore[arg-type]
