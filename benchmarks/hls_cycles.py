"""Cycles a frame of HLS templates in configurations of the tiny and of the full-size network: the table of docs/hls.md.

`python benchmarks/hls_cycles.py` reads the loops out of hls/bvit/, has g++ evaluate their bounds, and prints the table
beside the RTL twin's cycles.
"""

from __future__ import annotations

import subprocess

import numpy as np

from bvit_hw.codegen.hls import hls_unit
from bvit_hw.codegen.hls_cycles import bounds_program
from bvit_hw.flows.gxx import compile_program
from bvit_hw.ops.base import HwOp, Params
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.channel_affine import ChannelAffine
from bvit_hw.ops.multi_pool import MultiPool
from bvit_hw.resources import data_path

_AFFINE = {"in_bits": (12, 8), "multiply": (1, 0), "shift": (0, 5), "bias_bits": 14, "out_shift": 5, "out_bits": 8}
_POOL = {"in_bits": 8, "coef_bits": 8, "bias_bits": 14, "out_shift": 6, "out_bits": 8, "use_dsp": 1}
CONFIGURATIONS: tuple[tuple[str, HwOp], ...] = (
    ("8 x 8 grid, 32 channels, pe 4", MultiPool(height=8, width=8, channels=32, pe=4, **_POOL)),
    ("7 x 5 grid, 6 channels, pe 6", MultiPool(height=7, width=5, channels=6, pe=6, **_POOL)),
    ("56 x 56 grid, 64 channels, pe 2", MultiPool(height=56, width=56, channels=64, pe=2, **_POOL)),
    (
        "64 queries, 16 keys, 1 head of 32, simd 4, kp 2, mp 4, pe 16",
        BinaryAttention(queries=64, keys=16, heads=1, head_dim=32, simd=4, kp=2, mp=4, pe=16),
    ),
    (
        "3136 queries, 49 keys, 1 head of 64, simd 8, kp 7, mp 49, pe 8",
        BinaryAttention(queries=3136, keys=49, heads=1, head_dim=64, simd=8, kp=7, mp=49, pe=8),
    ),
    (
        "196 queries and keys, 5 heads of 64, simd 2, kp 14, mp 98, pe 16",
        BinaryAttention(queries=196, keys=196, heads=5, head_dim=64, simd=2, kp=14, mp=98, pe=16),
    ),
    ("64 tokens, 32 channels, 2 inputs, pe 2", ChannelAffine(tokens=64, channels=32, pe=2, **_AFFINE)),
    ("49 tokens, 2048 channels, 2 inputs, pe 16", ChannelAffine(tokens=49, channels=2048, pe=16, **_AFFINE)),
    ("64 tokens, 32 x 32, simd 32, pe 2", BinaryMVAU(tokens=64, cols=32, rows=32, simd=32, pe=2)),
    ("49 tokens, 2048 x 512, simd 64, pe 32", BinaryMVAU(tokens=49, cols=2048, rows=512, simd=64, pe=32)),
)


def least(op: HwOp) -> Params:
    """Parameters of the right shapes, all as small as can be; cycles do not depend on them."""
    return {name: np.full(spec.shape, spec.range[0]) for name, spec in op.param_specs.items()}


def main() -> None:
    """Print the table."""
    units = [hls_unit(op, least(op)) for _, op in CONFIGURATIONS]
    program = bounds_program(units, data_path("hls") / "bvit")
    executable = compile_program(program.text, "cycles")
    printed = subprocess.run([executable], capture_output=True, text=True, check=True).stdout
    print("| template | parameters | cycles by the text | RTL twin |\n|---|---|---|---|")
    for (words, op), unit, (cycles, _) in zip(CONFIGURATIONS, units, program.cycles(printed), strict=True):
        print(f"| `{unit.function}` | {words} | {cycles:,} | {op.cycles:,} |")


if __name__ == "__main__":
    main()
