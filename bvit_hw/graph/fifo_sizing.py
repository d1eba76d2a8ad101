"""FIFO depths from a simulation of the real RTL, and the proof that with them nothing stalls.

First the core runs with FIFOs that never fill, its source held to the frame rate that the slowest operator allows: how
full each one gets is the depth with which this schedule still holds. Then it runs with those depths and a source that
never waits: cycles a frame must be those of the model within 2 %, logits those of the golden functions.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bvit_hw.errors import LoweringError
from bvit_hw.graph.direct_links import removable_fifos
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.place_fifos import place_fifos
from bvit_hw.graph.waiting import plan_waiting
from bvit_hw.ops.base import IntArray, Resources, Stream
from bvit_hw.targets import XC7
from bvit_hw.targets.memories import Memories

log = logging.getLogger(__name__)

#: what the simulated cycles a frame may differ from the model's
TOLERANCE = 0.02
#: Beats of a FIFO that is to hold its producer back: registers, or a LUT RAM where those hold so hard that the whole
#: gets slow. A pipeline that stands still takes nothing, although it has room inside.
SMALL_DEPTHS = (2, 33)
#: Frames of a run. Where more are under way at once than a run has, it has few: operators so far apart that a frame is
#: never in both do not hold each other back, and each sees as many frames one after the other.
_FRAMES, _FEW_FRAMES = 16, 10


def sizing_frames(graph: HwGraph) -> int:
    """Frames with which every operator of a run comes to its steady state."""
    return _FRAMES if plan_waiting(graph).latency < _FRAMES else _FEW_FRAMES


class WrongLogitsError(LoweringError):
    """A simulated core computes something else than the golden functions: no depth of a FIFO mends that."""


@dataclass(frozen=True, kw_only=True)
class CoreRun:
    """What a simulation of the core showed, in clock cycles. ``logits`` is frames x classes.

    ``starts`` are the cycles of each frame's first input beat, ``ends`` those of its last output beat, ``occupancy``
    the most beats ever held by each FIFO, by its name. ``needed`` is the least depth with which it would have taken
    every beat when it did: a FIFO that is full takes none, even in a cycle in which one leaves it.
    """

    logits: IntArray
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    occupancy: Mapping[str, int]
    needed: Mapping[str, int] = field(default_factory=dict)

    @property
    def intervals(self) -> tuple[int, ...]:
        """Cycles between the ends of consecutive frames."""
        return tuple(b - a for a, b in zip(self.ends, self.ends[1:], strict=False))

    @property
    def cycles_per_frame(self) -> float:
        """Mean over the second half of the run, when the pipeline is full."""
        tail = self.intervals[len(self.intervals) // 2 :]
        return float(np.mean(tail)) if tail else float("nan")

    @property
    def latency(self) -> int:
        """Cycles from the first frame's first beat in to its last beat out, through an empty core."""
        return self.ends[0] - self.starts[0]


class Simulate(Protocol):
    """Runs the core of a graph on ``images`` repeated to ``frames`` frames (``interval`` 0: source never waits).

    With ``timing_only`` no logits are asked for, only when beats move: what computes them may be left out.
    """

    def __call__(
        self, graph: HwGraph, images: np.ndarray, *, frames: int, interval: int = 0, timing_only: bool = False
    ) -> CoreRun: ...


@dataclass(frozen=True, kw_only=True)
class SizedGraph:
    """The graph with its final FIFO depths and the run that proves them; ``occupancy`` and ``needed`` were measured."""

    graph: HwGraph
    depths: Mapping[str, int]
    occupancy: Mapping[str, int]
    needed: Mapping[str, int]
    run: CoreRun


def round_depth(beats: int, memories: Memories = XC7.memories) -> int:
    """The most beats for the memory that ``beats`` take: 2, or whole LUT RAMs and the output register."""
    if beats <= 2:
        return 2
    words = memories.shallow_words if beats <= memories.shallow_words + 1 else memories.cell_words
    return -(-(beats - 1) // words) * words + 1


def _fifo_streams(graph: HwGraph) -> dict[str, Stream]:
    return {node.name: node.op.inputs[0] for node in graph.fifos}


def golden_logits(graph: HwGraph, images: np.ndarray) -> IntArray:
    """Logits (N x classes) of the golden functions for ``images`` (N x ...)."""
    return np.stack([graph.execute(image.reshape(1, -1))[graph.output].reshape(-1) for image in images])


def check_logits(run: CoreRun, wanted: IntArray) -> None:
    """Raise WrongLogitsError at the first frame whose logits are not those wanted (``wanted`` repeats)."""
    for frame, logits in enumerate(run.logits):
        reference = wanted[frame % len(wanted)]
        if not np.array_equal(logits, reference):
            raise WrongLogitsError(
                f"simulation: frame {frame} gives logits {logits.tolist()}, golden {reference.tolist()}"
            )


def held_back(graph: HwGraph) -> frozenset[str]:
    """FIFOs of a stitched graph behind operators that the plan lets start late (:mod:`bvit_hw.graph.waiting`).

    They stay two deep: full, they hold their producers back, so that streams wait where they hold fewer bits.
    """
    plan = plan_waiting(graph)
    names = {node.name for node in graph.fifos if node.name in plan.delayed}
    return frozenset(names - {sink for (_, sink, _), frames in plan.held.items() if frames > 0})


def measure(
    graph: HwGraph,
    simulate: Simulate,
    images: np.ndarray,
    *,
    frames: int,
    small: Collection[str] = (),
    small_depth: int = SMALL_DEPTHS[0],
) -> CoreRun:
    """A run of ``graph`` with FIFOs that never fill, but for the ``small`` ones; a frame every ``graph.cycles``.

    When beats move does not depend on what is in them, so nothing is computed, and the run has no logits.
    """
    streams = _fifo_streams(graph)
    frames_held = 4
    while True:
        depths = {n: small_depth if n in small else frames_held * s.beats + 16 for n, s in streams.items()}
        deep = with_depths(graph, depths)
        run = simulate(deep, images, frames=frames, interval=graph.cycles, timing_only=True)
        full = [name for name, depth in depths.items() if name not in small and run.occupancy[name] >= depth]
        if not full:
            return run
        if frames_held > 8:
            raise LoweringError(
                f"FIFO sizing: {len(full)} FIFOs held more than {frames_held} frames each and still grew "
                f"(first: {full[0]}): an operator before them is slower than its model of at most {graph.cycles} cycles"
            )
        frames_held *= 2


def size_fifos(
    graph: HwGraph,
    simulate: Simulate,
    images: np.ndarray,
    *,
    rooms: Sequence[Resources],
    clock_mhz: float,
    frames: int = 24,
) -> SizedGraph:
    """Depths for every FIFO of a stitched graph (0: none), proven in simulation with ``frames`` frames of ``images``.

    ``rooms`` are what the graph may take of block RAM and UltraRAM on each die; deep FIFOs go there as far as they
    allow. No FIFO is left out where chains of ready would get too long for ``clock_mhz``.
    Raises LoweringError where logits differ from the golden functions, or where the final run is slower than the
    model by more than 2 %.
    """
    wanted = golden_logits(graph, images)
    small = held_back(graph)
    for depth in SMALL_DEPTHS if small else ():
        first = measure(graph, simulate, images, frames=frames, small=small, small_depth=depth)
        if _too_slow(first, graph):
            log.warning("FIFO sizing: %s; FIFOs of %d beats hold back too much", _rates(first, graph), depth)
            continue
        try:
            return _size(graph, simulate, images, wanted, first, rooms, clock_mhz, frames)
        except WrongLogitsError:
            raise
        except LoweringError as error:
            log.warning("FIFO sizing: streams wait where they join, which takes more memory (%s)", error)
            break
    first = measure(graph, simulate, images, frames=frames)
    return _size(graph, simulate, images, wanted, first, rooms, clock_mhz, frames)


def _too_slow(run: CoreRun, graph: HwGraph) -> bool:
    return run.cycles_per_frame > (1 + TOLERANCE) * graph.cycles


def _rates(run: CoreRun, graph: HwGraph) -> str:
    return f"{run.cycles_per_frame:.1f} cycles a frame, the model says {graph.cycles}"


def _size(
    graph: HwGraph,
    simulate: Simulate,
    images: np.ndarray,
    wanted: IntArray,
    first: CoreRun,
    rooms: Sequence[Resources],
    clock_mhz: float,
    frames: int,
) -> SizedGraph:
    """Prove what the ``first`` run measured: the fewest and shallowest FIFOs first."""
    memories = graph.target.memories
    depths = {name: round_depth(first.occupancy[name], memories) for name in _fifo_streams(graph)}
    without = removable_fifos(graph, first.occupancy, clock_mhz)
    # Seldom does it matter that a full FIFO takes nothing while it gives: the depth for that costs more, mostly for
    # FIFOs that never held more than two beats.
    deeper = {name: max(depth, round_depth(first.needed.get(name, 0), memories)) for name, depth in depths.items()}
    tries = [(depths | dict.fromkeys(without, 0), f"{len(without)} FIFOs that seemed unnecessary are needed after all")]
    tries += [(depths, "FIFOs as deep as they got full wait for each other")] if without else []
    tries += [(deeper, "")] if deeper != depths else []
    for chosen, lesson in tries[:-1]:
        try:
            return _prove(graph, simulate, images, wanted, chosen, first, rooms, frames)
        except WrongLogitsError:
            raise
        except LoweringError as error:
            log.warning("FIFO sizing: %s (%s)", lesson, error)
    return _prove(graph, simulate, images, wanted, tries[-1][0], first, rooms, frames)


def _prove(
    graph: HwGraph,
    simulate: Simulate,
    images: np.ndarray,
    wanted: IntArray,
    depths: Mapping[str, int],
    first: CoreRun,
    rooms: Sequence[Resources],
    frames: int,
) -> SizedGraph:
    """Run the graph with ``depths``; raises LoweringError unless logits and cycles a frame are right."""
    sized = place_fifos(with_depths(graph, depths), *rooms)
    run = simulate(sized, images, frames=frames)
    check_logits(run, wanted)
    found, model = run.cycles_per_frame, graph.cycles
    if abs(found - model) > TOLERANCE * model:
        raise LoweringError(
            f"simulation: {found:.1f} cycles a frame with sized FIFOs, the model says {model}; allowed: 2 % apart"
        )
    kept = sum(1 for depth in depths.values() if depth)
    log.info("sized %d FIFOs: %.1f cycles a frame (model %d), latency %d", kept, found, model, run.latency)
    return SizedGraph(
        graph=sized, depths=depths, occupancy=dict(first.occupancy), needed=dict(first.needed), run=run
    )
