"""Looks into a large core: it runs in parts, and what crossed their borders lets each part be run anew by itself.

A part that is run anew does in every cycle what it did in the core, which its program checks. Parts are looked into one
after another, so that the beats of one of them is all that is kept at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bvit_hw.codegen.names import identifiers
from bvit_hw.codegen.stitch import TEMPLATES, Stitched, stitch, write_memories
from bvit_hw.disk import scratch, write_aside
from bvit_hw.errors import LoweringError, ToolError
from bvit_hw.flows.core_sim import FLAGS, without_lz4
from bvit_hw.flows.observed_sim import (
    BEATS,
    FORMATS,
    WAVES,
    Trace,
    explain,
    keep,
    own_file,
    read_beats,
    recorder,
    trace_arguments,
)
from bvit_hw.flows.parts_sim import PartsSimulator
from bvit_hw.flows.tool import run_tool
from bvit_hw.flows.verilator import build_model
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.first_difference import Beats
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.segments import Segment, segments


@dataclass(frozen=True, kw_only=True)
class ObservedParts(PartsSimulator):
    """As :class:`PartsSimulator`; ``own`` is the folder that a build's step `generate` left.

    Its modules and memories are simulated as they lie there. The texts that connect operators are made anew.
    """

    own: Path | None = None

    def sources(self, core: Stitched) -> list[Path]:
        """The files that a part's text needs: the build's own, where it has them."""
        return [own_file(path, self.own) for path in super().sources(core)]

    def write_part(self, graph: HwGraph, part: Segment, core: Stitched, folder: Path) -> None:
        """Write the memories of a part: the build's own, where it has them."""
        super().write_part(graph, part, core, folder)
        units = identifiers([node.name for node in graph.nodes], "u_")
        for node in part.graph.nodes:
            name, whole = core.units[node.name].removeprefix("u_"), units[part.names[node.name]].removeprefix("u_")
            for file in core.memories:
                if file.startswith(f"{name}_"):
                    self._own_memory(f"{whole}{file.removeprefix(name)}", folder / file)

    def _own_memory(self, name: str, path: Path) -> None:
        if self.own is not None and (self.own / "mem" / name).is_file():
            shutil.copyfile(self.own / "mem" / name, path)

    @contextmanager
    def recorded(self, graph: HwGraph, images: np.ndarray, frames: int) -> Iterator[Recording]:
        """Run ``images`` (uint8, N x H x W x C), repeated to ``frames`` frames, and keep it for the block."""
        parts = segments(graph)
        with scratch("bvit-parts-") as folder:
            run, stuck = None, ""
            try:
                run = self.run_parts(folder, graph, parts, images, frames, record=True)
            except LoweringError as error:
                if ": stuck at cycle" not in str(error):
                    raise
                stuck = str(error)
            yield Recording(self, graph, folder, tuple(parts), run, stuck)


@dataclass(frozen=True)
class Recording:
    """A run of a core in ``parts``; ``run`` is None where it got ``stuck``, which says in words where."""

    simulator: ObservedParts
    graph: HwGraph
    folder: Path
    parts: tuple[Segment, ...]
    run: CoreRun | None
    stuck: str

    def whole(self, number: int) -> HwGraph:
        """A part under the names of the whole graph."""
        first = sum(len(part.graph.nodes) for part in self.parts[:number])
        part = self.parts[number]
        return replace(
            self.graph,
            nodes=self.graph.nodes[first : first + len(part.graph.nodes)],
            input=part.names[part.graph.input],
            output=part.names[part.graph.output],
        )

    def beats(self, number: int) -> dict[str, Beats]:
        """Those of every stream of a part, by its tensor's name in the whole; cycles are the whole core's."""
        part = self.parts[number]
        with scratch("bvit-part-") as folder:
            core = stitch(part.graph)
            others = [recorder(folder, part.graph, core)]
            self.simulator.write_part(self.graph, part, core, folder)
            self._replay(folder, core, number, others)
            found = read_beats(folder / BEATS, core)
        return {part.names[tensor]: beats for tensor, beats in found.items()}

    def trace(self, number: int, trace: Trace) -> None:
        """Write waveforms of a part, under the names of the whole graph."""
        graph = self.whole(number)
        with scratch("bvit-part-") as folder:
            core = stitch(graph)
            write_memories(core.memories, folder)
            for name in core.memories:
                self.simulator._own_memory(name, folder / name)
            try:
                self._replay(folder, core, number, [], trace_arguments(graph, core, trace), FORMATS[trace.path.suffix])
            except ToolError as error:
                explain(error, FORMATS[trace.path.suffix])
            keep(folder / WAVES, trace.path)

    def _replay(
        self, folder: Path, core: Stitched, number: int, others: list[Path], arguments: list[str] | None = None,
        trace: str = "",
    ) -> None:  # fmt: skip
        """Run a part alone, in ``folder``, with what crossed its borders."""
        text, main = folder / f"{core.module}.sv", folder / "replay_main.cpp"
        write_aside(text, core.text)
        write_aside(main, TEMPLATES.get_template("replay_main.cpp.j2").render(trace=trace))
        executable = build_model(
            [*self.simulator.sources(core), *others, text],
            core.module,
            cpp=[main],
            flags=(*FLAGS, f"--trace-{trace}") if trace else FLAGS,
            replaced=without_lz4(folder) if trace == "fst" else (),
            optimize="-O1",
            jobs=self.simulator.jobs,
        )
        borders = [str(self.folder / f"border{n}") for n in (number, number + 1)]
        argv = [str(executable), *borders, *(arguments or [])]
        run_tool("simulation", argv, cwd=folder, log=folder / "replay.log", timeout=None)
