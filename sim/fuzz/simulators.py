"""Simulators of cores for the fuzz: as a build does it, and with depths that are chosen when a run starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bvit_hw.codegen.stitch import TEMPLATES, Stitched
from bvit_hw.disk import write_aside
from bvit_hw.flows.cache import cache_folder
from bvit_hw.flows.core_sim import FLAGS, CoreSimulator
from bvit_hw.flows.verilator import build_model
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.rtl_library import source_paths

_FIFO = Path(__file__).with_name("fuzz_fifo.sv")
_INSTANCE = re.compile(r"^  bvit_fifo #\(\n", re.MULTILINE)


def own_cache(folder: Path) -> Path:
    """A cache in ``folder`` that goes with it; Verilator's runtime, which is compiled once, is everybody's."""
    runtime = cache_folder() / "runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    cache = folder / "cache"
    cache.mkdir()
    (cache / "runtime").symlink_to(runtime, target_is_directory=True)
    return cache


@dataclass(frozen=True, kw_only=True)
class FuzzSimulator(CoreSimulator):
    """A core as it is, compiled fast rather than to run fast, into ``cache``."""

    cache: Path | None = None

    def build(self, folder: Path, core: Stitched) -> Path:
        """The executable."""
        return self._compile(folder, core, core.text, ())

    def _compile(self, folder: Path, core: Stitched, text: str, others: tuple[Path, ...]) -> Path:
        path, main = folder / f"{core.module}.sv", folder / "core_main.cpp"
        write_aside(path, text)
        write_aside(main, TEMPLATES.get_template("core_main.cpp.j2").render())
        sources = [*source_paths((*core.cell_models, *core.library)), *others, path]
        return build_model(
            sources, core.module, cpp=[main], flags=FLAGS, optimize="-O0", jobs=self.jobs, cache=self.cache
        )


@dataclass(frozen=True, kw_only=True)
class LimitedSimulator(FuzzSimulator):
    """Every FIFO of the core holds as many beats as ``limits`` says, by its name; where it says nothing, its depth."""

    limits: Mapping[str, int] = field(default_factory=dict)

    def build(self, folder: Path, core: Stitched) -> Path:
        """The executable, and the limits beside what it reads."""
        names = list(core.depths)
        parts = _INSTANCE.split(core.text)
        assert len(parts) == len(names) + 1, "the core's text has other FIFOs than its graph"
        text = parts[0]
        for number, part in enumerate(parts[1:]):
            text += f"  fuzz_fifo #(\n    .ID({number}), .COUNT({len(names)}),\n{part}"
        # A depth that no limit is below is the FIFO's own, which is far more than 32 bits' words.
        words = [self.limits.get(name, 2**31) for name in names]
        write_aside(folder / "limits.mem", "".join(f"{word:08x}\n" for word in words))
        return self._compile(folder, core, text, (_FIFO,))


@dataclass(kw_only=True)
class SizingSimulator:
    """For size_fifos: its first run, in which no FIFO fills, by ``roomy``; what it proves, by ``real``.

    ``graph`` is that of the first run.
    """

    roomy: LimitedSimulator
    real: FuzzSimulator
    graph: HwGraph | None = None

    def __call__(
        self, graph: HwGraph, images: np.ndarray, *, frames: int, interval: int = 0, timing_only: bool = False
    ) -> CoreRun:
        if not interval:
            return self.real(graph, images, frames=frames)
        self.graph = graph
        return self.roomy(graph, images, frames=frames, interval=interval)
