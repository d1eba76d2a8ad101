"""What the tests of this folder have in common: compile templates, run them, compare with the golden functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bvit_hw.codegen.hls import hls_unit
from bvit_hw.flows.gxx import CSim, Toolchain, build_csim
from bvit_hw.ops.base import HwOp, Params

Case = tuple[HwOp, Params, Sequence[Sequence[np.ndarray]]]


def random_frame(op: HwOp, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """One frame for every input stream, uniform over the whole range of its lanes."""
    return tuple(rng.integers(s.low, s.high, (s.tokens, s.channels), endpoint=True) for s in op.inputs)


def check_hls(cases: Sequence[Case], toolchain: Toolchain | None = None) -> CSim:
    """Compile all cases into one program (most of what there is to compile is the headers) and compare every frame.

    A case is an operator, its parameters, and frames of one array (tokens x channels) for each input stream. That
    streams are empty at the end, and were not read while empty, the program itself checks.
    """
    units = [hls_unit(op, params) for op, params, _ in cases]
    csim = build_csim(units, toolchain)
    for unit, (op, params, frames) in zip(units, cases, strict=True):
        for number, (frame, found) in enumerate(zip(frames, csim.run(unit, frames), strict=True)):
            for port, (values, wanted) in enumerate(zip(found, op.golden(params, *frame), strict=True)):
                wrong = np.argwhere(values != wanted)
                assert not len(wrong), (
                    f"{op}: frame {number}, output {port}: {len(wrong)} of {wanted.size} values differ; the first at "
                    f"(token, channel) {tuple(wrong[0])}: {values[tuple(wrong[0])]}, golden {wanted[tuple(wrong[0])]}"
                )
    return csim
