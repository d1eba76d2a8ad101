"""Simulates a core and looks into it: every beat of every stream, or waveforms; for whoever looks for a fault.

The core may be a build's own: then its files are simulated as they lie there, and what was changed in them shows.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from bvit_hw import __version__
from bvit_hw.codegen.stitch import TEMPLATES, Stitched, stitch, write_memories
from bvit_hw.disk import aside, scratch, write_aside
from bvit_hw.errors import ConfigError, LoweringError, OutputError, ToolError
from bvit_hw.flows.core_sim import CoreBorder, CoreSimulator
from bvit_hw.flows.parts_sim import is_large
from bvit_hw.graph.dies import kernels
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.first_difference import Beats
from bvit_hw.graph.hw_graph import HwGraph

#: formats of waveforms, by the end of the file's name
FORMATS = {".fst": "fst", ".vcd": "vcd"}
#: of a window that has no end
ENDLESS = 2**63 - 1
#: what a program writes into the folder that it runs in
BEATS, WAVES = "beats.txt", "waves"


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Waveforms to write to ``path`` (.fst or .vcd): of the cycles from ``first`` on, before ``end`` (None: all).

    ``operators`` are the names of those that are looked at (none: the whole core). Cycle n is at 10 n ns in the file.
    """

    path: Path
    first: int = 0
    end: int | None = None
    operators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.path.suffix not in FORMATS:
            raise ConfigError(f"--trace {self.path}: ends in {self.path.suffix!r}; allowed: {', '.join(FORMATS)}")
        if self.first < 0 or (self.end is not None and self.end <= self.first):
            raise ConfigError(f"--cycles {self.first}:{self.end}: no cycle is in it; allowed: FIRST:END, END > FIRST")


@dataclass(frozen=True)
class Observed:
    """What was seen. ``run`` is None where the core got ``stuck``, which says in words where.

    ``beats`` are those of each stream, by its tensor's name; none where they were not recorded.
    """

    run: CoreRun | None
    stuck: str
    beats: Mapping[str, Beats] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ObservedSimulator(CoreSimulator):
    """As :class:`CoreSimulator`; ``own`` is the folder that a build's step `generate` left, whose files are simulated.

    A core so large that it is simulated in parts is refused: flows/observed_parts.py has those.
    """

    own: Path | None = None

    def sources(self, core: Stitched) -> list[Path]:
        """The files that the core's text needs: the build's own, where it has them."""
        return [own_file(path, self.own) for path in super().sources(core)]

    def observe(
        self, graph: HwGraph, images: np.ndarray, *, frames: int, record: bool = False, trace: Trace | None = None
    ) -> Observed:
        """Run ``images`` (uint8, N x H x W x C), repeated to ``frames`` frames, and look into the core meanwhile.

        Raises LoweringError for a core that is too large, for an operator that is not there and for several dies whose
        files were changed; ToolError when a tool fails, OutputError where waveforms cannot be written.
        """
        if is_large(graph):
            raise LoweringError(
                f"simulation: the core has {len(graph.nodes):,} units, too many to be compiled as a whole"
            )
        with scratch("bvit-observed-") as folder:
            return self._observe(folder, graph, images, frames, record, trace)

    def _observe(
        self, folder: Path, graph: HwGraph, images: np.ndarray, frames: int, record: bool, trace: Trace | None
    ) -> Observed:
        core = stitch(graph)
        others = [recorder(folder, graph, core)] if record else []
        kind = "" if trace is None else FORMATS[trace.path.suffix]
        arguments = [] if trace is None else trace_arguments(graph, core, trace)
        try:
            executable = self.compile(folder, core, self._text(graph, core), others, trace=kind)
        except ToolError as error:
            explain(error, kind)
        write_memories(core.memories, folder)
        if self.own is not None:
            for name in core.memories:
                if (self.own / "mem" / name).is_file():
                    shutil.copyfile(self.own / "mem" / name, folder / name)
        border, run, stuck = CoreBorder(core.input, core.output), None, ""
        try:
            run = self.play(
                [executable], folder, border, graph.cycles, images, frames=frames, interval=0, arguments=arguments
            )
        except LoweringError as error:
            if ": stuck at cycle" not in str(error):
                raise
            stuck = str(error)
        if trace is not None:
            keep(folder / WAVES, trace.path)
        return Observed(run, stuck, read_beats(folder / BEATS, core) if record else {})

    def _text(self, graph: HwGraph, core: Stitched) -> str:
        """The core's text: the build's own, where it is one module there."""
        own = None if self.own is None else self.own / "rtl" / f"{core.module}.sv"
        if own is None or len(kernels(graph)) > 1 or not own.is_file():
            return core.text
        return own.read_text()


def own_file(path: Path, own: Path | None) -> Path:
    """The file of that name that a build's step `generate` left in ``own`` (None: no build), or else ``path``."""
    places = () if own is None else (own / "sim" / path.name, own / "rtl" / path.name)
    return next((place for place in places if place.is_file()), path)


def recorder(folder: Path, graph: HwGraph, core: Stitched) -> Path:
    """The module that writes beats down."""
    widths = {edge.tensor: edge.source_stream.width for edge in graph.edges()}
    streams = [{"id": identifier, "width": widths[tensor]} for tensor, identifier in core.streams.items()]
    path = folder / "bvit_recorder.sv"
    template = TEMPLATES.get_template("recorder.sv.j2")
    write_aside(path, template.render(core=core.module, version=__version__, streams=streams, file=BEATS))
    return path


def trace_arguments(graph: HwGraph, core: Stitched, trace: Trace) -> list[str]:
    """Of the harness, for the waveforms."""
    units = [core.units[graph.node(name).name] for name in trace.operators]
    scopes = [f"TOP.{core.module}.{unit}" for unit in units]
    return [WAVES, str(trace.first), str(ENDLESS if trace.end is None else trace.end), *scopes]


def explain(error: ToolError, kind: str) -> NoReturn:
    """Raise the error, with what mends it where it is that FST files are compressed by zlib."""
    if kind == "fst" and ("zlib.h" in str(error) or "-lz:" in str(error)):
        raise ToolError(
            "--trace: .fst files are compressed by zlib, whose header files are not here; to get them: apt install "
            f"zlib1g-dev. Or name a .vcd file\n{error}"
        ) from error
    raise error


def keep(made: Path, path: Path) -> None:
    """Put the waveforms where they are asked for."""
    try:
        with aside(path) as name:
            shutil.copyfile(made, name)
    except OSError as error:
        raise OutputError(f"--trace {path}: cannot be written: {error.strerror or error}") from error


def read_beats(path: Path, core: Stitched) -> dict[str, Beats]:
    """The recorder's file, by tensor."""
    cycles: dict[str, list[int]] = defaultdict(list)
    words: dict[str, list[str]] = defaultdict(list)
    with path.open() as lines:
        for line in lines:
            stream, cycle, word = line.split()
            cycles[stream].append(int(cycle))
            words[stream].append(word)
    return {
        tensor: Beats(np.array(cycles[str(n)], dtype=np.int64), tuple(words[str(n)]))
        for n, tensor in enumerate(core.streams)
    }
