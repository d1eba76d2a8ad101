"""Simulates a core whose FIFOs get their depths when a run starts: one model for every depth that is tried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bvit_hw.codegen.stitch import TEMPLATES, Stitched
from bvit_hw.disk import write_aside
from bvit_hw.errors import LoweringError
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.graph.hw_graph import HwGraph

#: a FIFO whose depth is the core's parameter; a StreamRegister's is a number
_INSTANCE = re.compile(r"^  bvit_fifo #\(\n(?=(?:    \..*\n)*?    \.DEPTH\(DEPTH_)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class LimitedSimulator(CoreSimulator):
    """Every FIFO of the core holds as many beats as ``limits`` says, by its name; where it says nothing, its depth."""

    limits: Mapping[str, int] = field(default_factory=dict)

    def build(self, folder: Path, core: Stitched) -> Path:
        """The executable, and the limits beside what it reads."""
        names = list(core.depths)
        parts = _INSTANCE.split(core.text)
        if len(parts) != len(names) + 1:
            raise LoweringError(f"{core.module}: {len(parts) - 1} FIFOs in its text, {len(names)} in its graph")
        text = parts[0]
        for number, part in enumerate(parts[1:]):
            text += f"  limited_fifo #(\n    .ID({number}), .COUNT({len(names)}),\n{part}"
        # A depth that no limit is below is the FIFO's own, which is far less than 32 bits' words.
        words = [self.limits.get(name, 2**31) for name in names]
        write_aside(folder / "limits.mem", "".join(f"{word:08x}\n" for word in words))
        fifo = folder / "limited_fifo.sv"
        write_aside(fifo, TEMPLATES.get_template("limited_fifo.sv.j2").render())
        return self.compile(folder, core, text, (fifo,))


def run_or_stuck(
    simulate: CoreSimulator, graph: HwGraph, images: np.ndarray, *, frames: int, timing_only: bool = False
) -> CoreRun | None:
    """A run at full rate; None when the core gets stuck."""
    try:
        return simulate(graph, images, frames=frames, timing_only=timing_only)
    except LoweringError as error:
        if ": stuck at cycle" not in str(error):
            raise
        return None
