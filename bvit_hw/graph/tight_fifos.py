"""How deep a FIFO has to be: tried in simulation, one FIFO at a time, all others as deep as they are built.

Sizing measures with which depths a schedule holds (:mod:`bvit_hw.graph.fifo_sizing`), and rounds them up. With fewer
beats another schedule may be as fast. So only a trial tells whether a beat less would be noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.hw_graph import HwGraph, HwNode

#: what a beat less does to the core
STUCK, SLOWER, AS_FAST = "stuck", "slower", "as fast"
#: beats that a FIFO holds at least: in registers or LUT RAM, and in a RAM block
_LEAST, _LEAST_IN_RAM = 2, 4

#: a run with the FIFOs' limits by name, the others as deep as they are built; None: it got stuck
Run = Callable[[Mapping[str, int]], CoreRun | None]


@dataclass(frozen=True)
class Trial:
    """``least``: the depth with which the core is as fast as it is built; ``below``: what a beat less does to it.

    ``below`` is empty where no FIFO of its kind holds fewer beats.
    """

    least: int
    below: str


def outcome(run: CoreRun | None, base: CoreRun) -> str:
    """What became of a core that is as fast as ``base`` with the depths that it is built with."""
    if run is None:
        return STUCK
    return SLOWER if run.cycles_per_frame > base.cycles_per_frame else AS_FAST


def try_depths(graph: HwGraph, run: Run, count: int) -> dict[str, Trial]:
    """Trials of the ``count`` FIFOs of a sized graph that hold the most bits, by name.

    Those that are as deep as the shallowest of their kind are left out.
    """
    base = run({})
    assert base is not None, "the core is stuck with the depths that sizing has proven"
    nodes = sorted(
        (node for node in graph.fifos if node.op.fifo_depth > _floor(node)),
        key=lambda node: (-node.op.fifo_depth * node.op.inputs[0].width, node.name),
    )
    return {node.name: _trial(node, run, base) for node in nodes[:count]}


def _floor(node: HwNode) -> int:
    return _LEAST if node.op.fifo_memory in ("registers", "LUT RAM") else _LEAST_IN_RAM


def _trial(node: HwNode, run: Run, base: CoreRun) -> Trial:
    # `low` is noticed (or no FIFO), `high` is as fast.
    low, high, below = _floor(node) - 1, node.op.fifo_depth, ""
    while high - low > 1:
        # A beat less than it is built with first: that is what tells a tight one.
        depth = high - 1 if high == node.op.fifo_depth else (low + high) // 2
        seen = outcome(run({node.name: depth}), base)
        if seen == AS_FAST:
            high = depth
        else:
            low, below = depth, seen
    return Trial(high, below)
