"""Many small operators in one Verilator model: their RTL's outputs and cycles, for a fraction of a bench's price each.

The benches of sim/ are stricter (traffic, reset, protocol); this is for comparing hundreds of configurations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from hls_checks import Case

from bvit_hw.errors import ToolError
from bvit_hw.flows.tool import run_tool
from bvit_hw.flows.verilator import build_model
from bvit_hw.ops.base import IntArray, Memory
from bvit_hw.rtl_library import source_paths

_SIM = Path(__file__).resolve().parent / "sim"
_FLAGS = (
    "-Wno-fatal", "-Wno-lint", "-Wno-style", "--x-assign", "unique", "--x-initial", "unique", "--output-split", "5000",
)  # fmt: skip


@dataclass(frozen=True)
class RtlRun:
    """What one operator's RTL gave: for each frame its output streams, and the cycle of each frame's last beat."""

    frames: list[tuple[IntArray, ...]]
    ends: list[int]


def run_bag(cases: Sequence[Case], folder: Path, *, stall: bool = False, seed: int = 1) -> list[RtlRun]:
    """All ``cases`` side by side in one simulation, their frames back to back; ``stall``: with hesitating neighbours.

    Raises ToolError when one of them gives too few beats, or too many.
    """
    duts = []
    sources: dict[str, None] = {}
    for n, (op, params, frames) in enumerate(cases):
        instance = op.rtl(params)
        sources.update(dict.fromkeys((*op.cell_models, *op.sources)))
        files = {name: f"{n}_{name.lower()}.mem" for name in instance.memories}
        for name, memory in instance.memories.items():
            memory.write(folder / files[name])
        for i, stream in enumerate(op.inputs):
            beats = [beat for frame in frames for beat in stream.pack(frame[i])]
            Memory(width=stream.width, words=beats).write(folder / f"{n}_in{i}.mem")
        values = {**instance.parameters, **files}
        streams = [
            [
                {"prefix": prefix, "width": stream.width, "total": stream.beats * len(frames)}
                for prefix, stream in zip(prefixes, sides, strict=True)
            ]
            for prefixes, sides in ((instance.inputs, op.inputs), (instance.outputs, op.outputs))
        ]
        duts.append(
            {
                "module": instance.module,
                "parameters": {k: f'"{v}"' if isinstance(v, str) else v for k, v in values.items()},
                "inputs": streams[0],
                "outputs": streams[1],
                "unused": instance.unused_inputs,
            }
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_SIM), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    top = folder / "rtl_bag.sv"
    top.write_text(environment.get_template("rtl_bag.sv.j2").render(duts=duts))
    executable = build_model(
        [*source_paths(sources), top],
        "rtl_bag",
        cpp=[_SIM / "rtl_bag.cpp"],
        flags=_FLAGS,
        optimize="-O1",
        jobs=1,
    )
    most = 20 * max((len(frames) + 2) * op.cycles for op, _, frames in cases) + 5000
    argv = [executable, most, f"+verilator+seed+{seed}", "+verilator+rand+reset+2", *(["+stall"] if stall else [])]
    run_tool("rtl_bag", [str(a) for a in argv], cwd=folder, log=folder / "rtl_bag.log", timeout=900)
    return [_read(case, n, folder) for n, case in enumerate(cases)]


def _read(case: Case, number: int, folder: Path) -> RtlRun:
    op, _, frames = case
    outputs, ends = [], [0] * len(frames)
    for i, stream in enumerate(op.outputs):
        lines = [line.split() for line in (folder / f"{number}_out{i}.txt").read_text().splitlines()]
        if len(lines) != stream.beats * len(frames):
            raise ToolError(f"{op}: {len(lines)} beats out, must be {stream.beats * len(frames)}")
        words = [int(beat, 16) for _, beat in lines]
        outputs.append([stream.unpack(words[f * stream.beats : (f + 1) * stream.beats]) for f in range(len(frames))])
        ends = [max(end, int(lines[(f + 1) * stream.beats - 1][0])) for f, end in enumerate(ends)]
    return RtlRun(frames=list(zip(*outputs, strict=True)), ends=ends)
