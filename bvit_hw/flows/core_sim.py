"""Simulates the stitched core of a hardware graph with Verilator, whole frames back to back, in a C++ harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bvit_hw.codegen.stitch import TEMPLATES, Stitched, stitch, write_memories
from bvit_hw.disk import scratch, write_aside
from bvit_hw.errors import LoweringError, ToolError
from bvit_hw.flows.tool import run_tool
from bvit_hw.flows.verilator import build_model
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.ops.base import Stream
from bvit_hw.rtl_library import source_paths

#: of Verilator
FLAGS = (
    "-Wno-fatal", "-Wno-lint", "-Wno-style", "-O3", "--x-assign", "fast", "--x-initial", "fast", "+define+BVIT_MEASURE",
    "--output-split", "20000",
)  # fmt: skip
#: arguments of a simulator whose source and sink hesitate
HESITANT: Mapping[str, Any] = {"source_chance": 150, "sink_chance": 60, "seed": 7}
#: cycles without a beat in or out, in frames of the model, after which a run is called stuck
_PATIENCE_FRAMES = 24
#: Cycles a second below which a simulation is given up. The paper's network at 12,544 cycles a frame, the largest core
#: there is, was seen at 150 on two cores that four programs shared.
_LEAST_SPEED = 30


@dataclass(frozen=True)
class CoreBorder:
    """The streams at a core's border; LoweringError where a logit has more than 64 bits."""

    input: Stream
    output: Stream

    def __post_init__(self) -> None:
        if self.output.width > 64:
            raise LoweringError(f"simulation: the harness takes logits of up to 64 bits, not {self.output.width}")


@dataclass(frozen=True, kw_only=True)
class CoreSimulator:
    """Builds (cached) and runs cores; ``workdir`` (None: a temporary folder) keeps texts, memories and logs.

    ``timeout`` is in seconds, beside what the frames take at the least speed of simulation. ``optimize`` is the
    compiler's option for what runs in every cycle; ``cache`` (None: the user's) keeps compiled cores.
    ``source_chance`` and ``sink_chance`` (of 256) let source and sink hesitate at random; ``seed`` makes it repeatable.
    """

    workdir: Path | None = None
    source_chance: int = 256
    sink_chance: int = 256
    seed: int = 1
    jobs: int = 2
    timeout: float = 900.0
    optimize: str = "-O1"
    cache: Path | None = None

    def __call__(
        self, graph: HwGraph, images: np.ndarray, *, frames: int, interval: int = 0, timing_only: bool = False
    ) -> CoreRun:
        """Run ``images`` (uint8, N x H x W x C, or any N x values), repeated to ``frames`` frames.

        With ``timing_only`` all that is between the streams' ready and valid is left out: logits are 0.
        Raises LoweringError naming the blocked streams when the core gets stuck, ToolError when a tool fails.
        """
        if self.workdir is not None:
            self.workdir.mkdir(parents=True, exist_ok=True)
            return self._run(self.workdir, graph, images, frames, interval, timing_only)
        with scratch("bvit-core-") as folder:
            return self._run(folder, graph, images, frames, interval, timing_only)

    def build(self, folder: Path, core: Stitched) -> Path:
        """The executable of a stitched core."""
        return self.compile(folder, core, core.text)

    def sources(self, core: Stitched) -> list[Path]:
        """The files that the core's text needs, in compile order."""
        return source_paths((*core.cell_models, *core.library))

    def compile(
        self, folder: Path, core: Stitched, text: str, others: Sequence[Path] = (), *, trace: str = ""
    ) -> Path:
        """The executable of ``text``, which is in the place of the core's own and takes ``others`` beside its files.

        With ``trace``, "fst" or "vcd", it can write waveforms of that format.
        """
        path, main = folder / f"{core.module}.sv", folder / "core_main.cpp"
        write_aside(path, text)
        write_aside(main, TEMPLATES.get_template("core_main.cpp.j2").render(trace=trace))
        return build_model(
            [*self.sources(core), *others, path],
            core.module,
            cpp=[main],
            flags=(*FLAGS, f"--trace-{trace}") if trace else FLAGS,
            replaced=without_lz4(folder) if trace == "fst" else (),
            optimize=self.optimize,
            jobs=self.jobs,
            cache=self.cache,
        )

    def _run(
        self, folder: Path, graph: HwGraph, images: np.ndarray, frames: int, interval: int, timing_only: bool
    ) -> CoreRun:
        core = stitch(graph, timing_only=timing_only)
        executable = self.build(folder, core)
        write_memories(core.memories, folder)
        border = CoreBorder(core.input, core.output)
        return self.play([executable], folder, border, graph.cycles, images, frames=frames, interval=interval)

    def play(
        self,
        harness: Sequence[str | Path],
        folder: Path,
        border: CoreBorder,
        cycles: int,
        images: np.ndarray,
        *,
        frames: int,
        interval: int,
        under_way: float = 0.0,
        arguments: Sequence[str | Path] = (),
        names: Sequence[Mapping[str, str]] = (),
    ) -> CoreRun:
        """Run ``harness`` in ``folder``, a core of so many ``cycles`` a frame, with further ``arguments``.

        ``under_way`` are the frames that it holds at once, which its time-out allows for.

        ``names`` are what the operators and streams of each part of the core are called in the whole, where the harness
        runs it in parts. Raises what calling the simulator does.
        """
        size = beat_bytes(border.input.width)
        beats = [beat for image in images for beat in border.input.pack(image.reshape(-1))]
        (folder / "pixels.bin").write_bytes(b"".join(beat.to_bytes(size, "little") for beat in beats))
        argv = [
            *harness, "pixels.bin", "logits.bin", border.input.beats, border.output.beats, frames, interval,
            self.source_chance, self.sink_chance, _PATIENCE_FRAMES * cycles + 10_000, self.seed, *arguments,
        ]  # fmt: skip
        timeout = self.timeout + (frames + under_way) * max(interval, cycles) / _LEAST_SPEED
        done = run_tool("simulation", [str(a) for a in argv], cwd=folder, log=folder / "core.log", timeout=timeout)
        lines = _renamed([line.split() for line in done.output.splitlines()], names)
        starts = tuple(int(words[1]) for words in lines if words[:1] == ["in"])
        ends = tuple(int(words[1]) for words in lines if words[:1] == ["out"])
        fifos = {words[1]: (int(words[2]), int(words[3])) for words in lines if words[:1] == ["fifo"]}
        needed = {words[1]: int(words[4]) for words in lines if words[:1] == ["fifo"]}
        end = next((words for words in lines if words[:1] == ["end"]), None)
        if end is None:
            raise ToolError(f"simulation: left no result; log: {done.log}")
        if end[2] == "stuck":
            streams = {w[1]: (w[2], w[3]) for w in lines if w[:1] == ["stream"]}
            raise LoweringError(_stuck(end, streams, fifos))
        raw = np.frombuffer((folder / "logits.bin").read_bytes(), dtype="<u8")
        per_frame = raw.reshape(frames, border.output.beats)
        logits = np.stack([border.output.unpack([int(b) for b in frame]).reshape(-1) for frame in per_frame])
        occupancy = {name: held for name, (held, _) in fifos.items()}
        return CoreRun(logits=logits, starts=starts, ends=ends, occupancy=occupancy, needed=needed)


def without_lz4(folder: Path) -> list[Path]:
    """What takes the place of LZ4's header and library, which FST's writer is linked with: a header and nothing."""
    header, library = folder / "lz4.h", folder / "liblz4.a"
    write_aside(header, TEMPLATES.get_template("lz4.h.j2").render())
    write_aside(library, "!<arch>\n")
    return [header, library]


def _renamed(lines: list[list[str]], names: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """The harness's lines with the whole's names in those of FIFOs and streams that stand behind a part's number."""
    found: list[list[str]] = []
    known: Mapping[str, str] = {}
    for words in lines:
        if words[:1] == ["part"]:
            known = names[int(words[1])]
        elif words[:1] in (["fifo"], ["stream"]):
            words = [words[0], known.get(words[1], words[1]), *words[2:]]
        found.append(words)
    return found


def beat_bytes(width: int) -> int:
    """Bytes of a beat of ``width`` bits in the harness's file: 8, or as many words of 32 bits as Verilator has."""
    return 8 if width <= 64 else 4 * -(-width // 32)


def _stuck(end: Sequence[str], streams: Mapping[str, tuple[str, str]], fifos: Mapping[str, tuple[int, int]]) -> str:
    blocked = [name for name, state in streams.items() if state == ("1", "0")]
    empty = [name for name, state in streams.items() if state == ("0", "1")]
    full = [name for name, (held, depth) in fifos.items() if held >= depth]
    return (
        f"simulation: stuck at cycle {end[1]} after {end[3]} beats in and {end[4]} out of it; "
        f"streams that nobody takes: {', '.join(blocked[:12]) or 'none'}; streams waited for: "
        f"{', '.join(empty[:12]) or 'none'}; FIFOs that have been full: {', '.join(full[:12]) or 'none'}"
    )
