"""Simulators of cores for the fuzz: as a build does it, and with depths that are chosen when a run starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bvit_hw.flows.cache import cache_folder
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.flows.limited_sim import LimitedSimulator
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.hw_graph import HwGraph

#: of the compiler: fast to compile rather than to run
OPTIMIZE = "-O0"


def own_cache(folder: Path) -> Path:
    """A cache in ``folder`` that goes with it; Verilator's runtime, which is compiled once, is everybody's."""
    runtime = cache_folder() / "runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    cache = folder / "cache"
    cache.mkdir()
    (cache / "runtime").symlink_to(runtime, target_is_directory=True)
    return cache


@dataclass(kw_only=True)
class SizingSimulator:
    """For size_fifos: its first run, in which no FIFO fills, by ``roomy``; what it proves, by ``real``.

    ``graph`` is that of the first run.
    """

    roomy: LimitedSimulator
    real: CoreSimulator
    graph: HwGraph | None = None

    def __call__(
        self, graph: HwGraph, images: np.ndarray, *, frames: int, interval: int = 0, timing_only: bool = False
    ) -> CoreRun:
        if not interval:
            return self.real(graph, images, frames=frames)
        self.graph = graph
        return self.roomy(graph, images, frames=frames, interval=interval)
