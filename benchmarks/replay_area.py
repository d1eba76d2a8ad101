"""What Yosys counts of the operators that replay their input, before and after a change of bvit_replay.

    python benchmarks/replay_area.py --out before.json          # in the checkout before
    python benchmarks/replay_area.py --against before.json      # in the one after; a Markdown table on stdout

The shapes are those of the default build's kinds, with the times that it has each, and others: beats that are no power
of two, one beat a token, wide words, stems of larger boards. A module's count changes by a few LUTs with what else
Yosys reads, so each shape has a run of its own. Memory contents are random, as for the cost models.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from cost_samples import params_of

from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops.base import HwOp, Resources
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.channel_repeat import ChannelRepeat
from bvit_hw.ops.int_mvau import IntMVAU
from bvit_hw.ops.upsample import Upsample
from bvit_hw.targets import XC7

#: of the default build: columns, rows, simd, pe, weights in block RAM, times
BINARY = (
    (32, 32, 32, 2, 0, 2), (32, 32, 16, 1, 0, 3), (32, 128, 32, 8, 1, 1), (128, 32, 64, 4, 1, 1),
    (128, 64, 64, 2, 1, 1), (64, 64, 16, 4, 0, 1), (64, 64, 16, 1, 1, 3), (64, 64, 16, 4, 1, 1),
    (64, 256, 64, 4, 0, 1), (256, 64, 64, 4, 0, 1), (256, 128, 64, 2, 1, 1), (128, 128, 16, 4, 1, 8),
    (128, 512, 64, 4, 1, 2), (512, 128, 64, 4, 1, 2), (512, 256, 64, 2, 1, 1), (256, 256, 32, 2, 1, 4),
    (256, 1024, 64, 4, 1, 1), (1024, 256, 64, 4, 1, 1),
)  # fmt: skip
#: the same of others
BINARY_OTHERS = (
    (384, 384, 3, 16, 1), (384, 384, 12, 4, 1), (384, 384, 24, 4, 1), (64, 64, 2, 1, 1),
    (96, 96, 8, 2, 0), (64, 64, 64, 64, 0), (64, 64, 16, 64, 0),
)  # fmt: skip
#: columns, rows, simd, pe, use_dsp
INTEGER = (
    (128, 10, 4, 1, 1), (256, 10, 1, 1, 0), (256, 10, 2, 1, 0), (48, 32, 3, 4, 1), (48, 32, 12, 1, 0),
    (48, 32, 24, 1, 1), (48, 32, 1, 1, 1), (48, 32, 2, 4, 1), (48, 32, 8, 2, 1), (48, 32, 48, 1, 1),
    (192, 10, 1, 1, 1), (100, 10, 4, 1, 1), (48, 32, 3, 32, 1),
)  # fmt: skip
#: of the default build: channels, repeat, bits, pe, times
REPEAT = ((32, 4, 8, 8, 1), (32, 2, 10, 2, 1), (64, 4, 8, 4, 1), (64, 2, 10, 1, 1), (128, 4, 8, 2, 2),
          (128, 2, 10, 1, 1), (256, 4, 8, 1, 1))  # fmt: skip
REPEAT_OTHERS = ((32, 4, 8, 1), (32, 4, 8, 16), (32, 4, 8, 32), (64, 8, 8, 1), (64, 8, 8, 4), (128, 2, 8, 32),
                 (512, 4, 8, 4), (96, 4, 8, 4), (48, 3, 8, 2), (48, 1, 8, 2))  # fmt: skip
#: of the default build: height and width, channels, factor, pe, times
UPSAMPLE = ((8, 32, 4, 2, 2), (4, 64, 2, 1, 2))
UPSAMPLE_OTHERS = ((8, 32, 4, 1), (8, 32, 4, 16), (4, 64, 2, 8), (56, 64, 8, 1), (56, 64, 8, 8), (28, 128, 4, 2),
                   (28, 128, 4, 16), (8, 96, 4, 4), (6, 48, 3, 2), (8, 32, 8, 4), (4, 32, 2, 32))  # fmt: skip


def operators() -> Iterator[tuple[HwOp, int]]:
    """Each shape with the times that the default build has it."""
    for channels, repeat, bits, pe, times in (*REPEAT, *((*shape, 0) for shape in REPEAT_OTHERS)):
        yield ChannelRepeat(tokens=16, channels=channels, repeat=repeat, bits=bits, signed=1, pe=pe), times
    for side, channels, factor, pe, times in (*UPSAMPLE, *((*shape, 0) for shape in UPSAMPLE_OTHERS)):
        op = Upsample(height=side, width=side, channels=channels, factor=factor, bits=8, signed=1, pe=pe)
        yield op, times
    head = dict(tokens=1, in_bits=8, in_signed=1, acc_bits=21)
    yield IntMVAU(cols=256, rows=10, simd=4, pe=1, use_dsp=1, **head), 1
    for cols, rows, simd, pe, use_dsp in INTEGER:
        stem = cols == 48
        op = IntMVAU(
            tokens=4, cols=cols, rows=rows, in_bits=8, in_signed=int(not stem), acc_bits=21 if stem else 23,
            simd=simd, pe=pe, use_dsp=use_dsp,
        )  # fmt: skip
        yield op, 0
    for cols, rows, simd, pe, block, times in (*BINARY, *((*shape, 0) for shape in BINARY_OTHERS)):
        op = BinaryMVAU(tokens=4, cols=cols, rows=rows, simd=simd, pe=pe, use_bram=block)
        yield op.on(XC7), times


def label(op: HwOp) -> str:
    """Kind and shape."""
    names = ("height", "channels", "repeat", "factor", "cols", "rows", "simd", "pe", "use_dsp", "use_bram", "bits")
    fields = op.attributes()
    return f"{op.op_type} " + " ".join(f"{name}={fields[name]}" for name in names if name in fields)


def count(op: HwOp, work: Path) -> Resources:
    """One operator in a Yosys run of its own."""
    name = label(op)
    return synthesize([job_of(name, op, params_of(op))], target=XC7, work=work / name.replace(" ", "_"))[name]


def main() -> int:
    """Count, print, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the counts as JSON")
    parser.add_argument("--against", type=Path, help="JSON of another checkout: print before and after")
    parser.add_argument("--kinds", nargs="*", help="only these operators")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    shapes = [(op, times) for op, times in operators() if not arguments.kinds or op.op_type in arguments.kinds]
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(arguments.processes) as pool:
        counted = list(pool.map(lambda shape: count(shape[0], Path(work)), shapes))
    rows = {label(op): asdict(resources) for (op, _), resources in zip(shapes, counted, strict=True)}
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")
    before = json.loads(arguments.against.read_text()) if arguments.against else {}
    print("| operator | LUT before, after | FF before, after | BRAM18 before, after | in the default build |")
    print("|---|---|---|---|---|")
    sums: dict[str, list[float]] = {}
    for op, times in shapes:
        name = label(op)
        old, new = before.get(name, rows[name]), rows[name]
        cells = [f"{old[kind]:,.0f}, {new[kind]:,.0f}" for kind in ("lut", "ff", "bram18")]
        print(f"| {name} | {' | '.join(cells)} | {times or ''} |")
        total = sums.setdefault(op.op_type, [0.0] * 4)
        for place, value in enumerate((old["lut"], new["lut"], old["ff"], new["ff"])):
            total[place] += times * value
    for kind, (lut, lut_now, ff, ff_now) in sums.items():
        print(f"| {kind}, default build | {lut:,.0f}, {lut_now:,.0f} | {ff:,.0f}, {ff_now:,.0f} | | |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
