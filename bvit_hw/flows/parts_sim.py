"""Simulation of a large core in parts, each compiled by itself and connected to its neighbours in every clock cycle.

Verilator's time and memory for one model grow faster than the model: the paper's network takes it a quarter of an hour
and 10 GB as a whole. Parts (graph/segments.py) are compiled side by side, those of equal RTL once, and simulated on
several threads. What is simulated is the same, cycle by cycle, waiting and stalls included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bvit_hw.codegen.stitch import TEMPLATES, Stitched, stitch, write_memories
from bvit_hw.disk import scratch, write_aside
from bvit_hw.flows.cache import cached, digest_of
from bvit_hw.flows.core_sim import FLAGS, CoreBorder, CoreSimulator
from bvit_hw.flows.gxx import compiler_version
from bvit_hw.flows.tool import run_tool
from bvit_hw.flows.verilator import build_model
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.segments import Segment, segments
from bvit_hw.graph.waiting import plan_waiting

#: operators from which on a core is simulated in parts; smaller ones run faster as a whole
LARGE = 1000
_HARNESS = "bvit_parts"
_HARNESS_FLAGS = ("-std=c++20", "-O2", "-Wall", "-Wextra", "-pthread")


@dataclass(frozen=True, kw_only=True)
class PartsSimulator(CoreSimulator):
    """As :class:`CoreSimulator`, in parts; ``jobs`` compilers, and as many threads of the simulation, at once.

    It takes minutes, so ``tell`` is told what is being done.
    """

    tell: Callable[[str], None] = lambda text: None

    def _run(
        self, folder: Path, graph: HwGraph, images: np.ndarray, frames: int, interval: int, timing_only: bool
    ) -> CoreRun:
        return self.run_parts(folder, graph, segments(graph), images, frames, interval, timing_only=timing_only)

    def run_parts(
        self,
        folder: Path,
        graph: HwGraph,
        parts: Sequence[Segment],
        images: np.ndarray,
        frames: int,
        interval: int = 0,
        *,
        timing_only: bool = False,
        record: bool = False,
    ) -> CoreRun:
        """Run the ``parts`` of ``graph`` in ``folder``; with ``record`` what crosses their borders is written there."""
        cores = [stitch(part.graph, timing_only=timing_only) for part in parts]
        libraries: dict[str, Path] = {}
        texts = {core.text: core for core in cores}
        self.tell(f"{len(graph.nodes)} operators in {len(parts)} parts, {len(texts)} different ones: compiling those")
        with ThreadPoolExecutor(self.jobs) as pool:
            for (text, _), library in zip(texts.items(), pool.map(self._library, texts.values()), strict=True):
                libraries[text] = library
        arguments: list[str | Path] = [str(self.jobs)]
        for number, (part, core) in enumerate(zip(parts, cores, strict=True)):
            memories = folder / f"part{number}"
            self.write_part(graph, part, core, memories)
            beats = str(core.input.beats), str(core.output.beats)
            arguments += [libraries[core.text], memories.name, *beats]
        self.tell(f"simulating {frames} frames, {graph.cycles:,} cycles each once the core is full")
        return self.play(
            [_harness(record)],
            folder,
            CoreBorder(cores[0].input, cores[-1].output),
            graph.cycles,
            images,
            frames=frames,
            interval=interval,
            under_way=plan_waiting(graph).latency,
            arguments=arguments,
            names=[part.names for part in parts],
        )

    def write_part(self, graph: HwGraph, part: Segment, core: Stitched, folder: Path) -> None:
        """Write the memories of a part of ``graph``."""
        write_memories(core.memories, folder)

    def _library(self, core: Stitched) -> Path:
        """A part as a shared library, from the cache where it was built before."""
        with scratch("bvit-part-") as folder:
            text, main = folder / f"{core.module}.sv", folder / "part.cpp"
            write_aside(text, core.text)
            write_aside(main, TEMPLATES.get_template("part.cpp.j2").render())
            return build_model(
                [*self.sources(core), text],
                core.module,
                cpp=[main],
                flags=FLAGS,
                # Without unique symbols, of which there is one for all libraries of a process.
                cflags="-fPIC -fno-gnu-unique",
                optimize="-O1",
                ldflags="-shared -Wl,-Bsymbolic",
                jobs=1,
            )


def is_large(graph: HwGraph) -> bool:
    """Whether a core, glue included, is simulated in parts."""
    return len(graph.nodes) >= LARGE


def core_simulator(graph: HwGraph, tell: Callable[[str], None], **options: int) -> CoreSimulator:
    """The simulator for a core of the size of ``graph``, glue included; ``options`` are those of both."""
    plain = CoreSimulator(**options)  # type: ignore[arg-type]
    return PartsSimulator(**vars(plain), tell=tell) if is_large(graph) else plain


def _harness(record: bool) -> Path:
    """The program that connects the parts."""
    text = TEMPLATES.get_template("parts_main.cpp.j2").render(record=record)

    def make(work: Path) -> None:
        source = f"{_HARNESS}.cpp"
        (work / source).write_text(text)
        run_tool("g++", ["g++", *_HARNESS_FLAGS, source, "-o", _HARNESS, "-ldl"], cwd=work, log=work / "compile.log")

    return cached("harness", digest_of(text, _HARNESS_FLAGS, compiler_version("g++")), _HARNESS, make)
