"""Fit the cost models of the pools and of the copying and gathering operators to Yosys counts; write JSON and Markdown.

Counting rule (bvit_hw.flows.yosys): LUT1 .. LUT6 count one each, a LUT RAM or shift register counts the LUTs that it
occupies, inverters, carry cells and MUXF7/8 none; FF are all flip-flops outside of DSP and RAM blocks; a RAMB36 is two
RAMB18. Memories and DSP blocks are known beforehand (``CostTerms.exact``); the weights of the other terms are fitted,
none of them negative, to the smallest relative error. Coefficients of MultiPool are uniformly random.

Usage: ``python benchmarks/pool_cost.py --out FOLDER``. The weights printed belong into the operators' ``lut_weights``
and ``ff_weights``; the table compares the counts with what the operators predict now.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops.base import Params, Resources
from bvit_hw.ops.channel_pool import ChannelPool
from bvit_hw.ops.channel_repeat import ChannelRepeat
from bvit_hw.ops.multi_pool import MultiPool
from bvit_hw.ops.patch_gather import PatchGather
from bvit_hw.ops.pool_common import PoolOp
from bvit_hw.ops.spatial_pool import SpatialPool
from bvit_hw.ops.upsample import Upsample
from bvit_hw.targets import XC7


def configurations() -> Iterator[PoolOp]:
    """The tiny network's shapes over foldings, and some of the full-size one's; ordered by operator."""
    widths = {"in_bits": 8, "coef_bits": 8, "bias_bits": 16, "out_shift": 8, "out_bits": 8}
    shapes = ((8, 32, 1), (8, 32, 4), (8, 32, 16), (4, 64, 1), (4, 64, 8), (2, 128, 1), (2, 128, 8), (1, 256, 2),
              (1, 256, 16), (7, 512, 8), (56, 64, 1), (28, 128, 8))  # fmt: skip
    for side, channels, pe in shapes:
        for use_dsp in (0, 1) if pe <= 8 and side < 28 else (1,):
            yield MultiPool(height=side, width=side, channels=channels, pe=pe, use_dsp=use_dsp, **widths)
    for side, channels, r, pe in (
        (8, 32, 4, 1), (8, 32, 4, 8), (8, 32, 2, 2), (8, 32, 2, 32), (4, 64, 2, 1), (4, 64, 2, 8), (2, 128, 2, 4),
        (2, 128, 2, 16), (56, 64, 8, 1), (56, 64, 2, 4), (28, 128, 4, 8), (7, 512, 7, 8),
    ):  # fmt: skip
        yield SpatialPool(height=side, width=side, channels=channels, window_h=r, window_w=r, in_bits=8, pe=pe)
    for group, pe in ((4, 1), (4, 2), (4, 4), (4, 16), (4, 64), (8, 1), (8, 4), (8, 32), (2, 2), (2, 16)):
        yield ChannelPool(tokens=64, channels=128, group=group, in_bits=8, pe=pe)
    for channels, repeat, pe in ((32, 4, 1), (32, 4, 4), (32, 4, 16), (64, 8, 1), (64, 8, 4), (64, 2, 8), (128, 4, 2),
                                 (128, 2, 32), (256, 4, 1), (512, 4, 4)):  # fmt: skip
        yield ChannelRepeat(tokens=64, channels=channels, repeat=repeat, bits=8, signed=1, pe=pe)
    for side, channels, factor, pe in ((8, 32, 4, 1), (8, 32, 4, 4), (8, 32, 4, 16), (4, 64, 2, 1), (4, 64, 2, 8),
                                       (56, 64, 8, 1), (56, 64, 8, 8), (28, 128, 4, 2), (28, 128, 4, 16)):  # fmt: skip
        yield Upsample(height=side, width=side, channels=channels, factor=factor, bits=8, signed=1, pe=pe)
    for height, width, channels, h, w, bits, pe in (
        (32, 8, 12, 4, 1, 8, 1), (32, 8, 12, 4, 1, 8, 3), (32, 8, 12, 4, 1, 8, 12), (8, 8, 32, 2, 2, 1, 1),
        (8, 8, 32, 2, 2, 1, 8), (8, 8, 32, 2, 2, 1, 32), (4, 4, 64, 2, 2, 1, 4), (4, 4, 64, 2, 2, 8, 8),
        (224, 56, 12, 4, 1, 8, 2), (56, 56, 64, 2, 2, 1, 8), (28, 28, 128, 2, 2, 8, 4), (8, 8, 32, 1, 2, 8, 4),
    ):  # fmt: skip
        yield PatchGather(
            height=height, width=width, channels=channels, window_h=h, window_w=w, bits=bits, signed=0, pe=pe
        )


def params_of(op: PoolOp) -> Params:
    """Random coefficients for MultiPool, nothing for the others."""
    if not isinstance(op, MultiPool):
        return {}
    rng = np.random.default_rng(op.channels + op.pe)
    coef, bias = 1 << (op.coef_bits - 1), 1 << (op.bias_bits - 1)
    return {"coef": rng.integers(-coef, coef, (4, op.channels)), "bias": rng.integers(-bias, bias, op.channels)}


def fit(ops: list[PoolOp], counts: list[Resources], kind: str) -> list[float]:
    """Weights of the LUT or FF terms of one operator, for the smallest sum of squared relative errors."""
    rows, targets = [], []
    for op, count in zip(ops, counts, strict=True):
        terms = op.cost_terms()
        counted = getattr(count, kind)
        scale = 1 / (counted + 20)  # a few LUTs more or less of a small circuit do not matter
        rows.append([t * scale for t in getattr(terms, kind)])
        targets.append((counted - getattr(terms.exact, kind)) * scale)
    weights, _ = nnls(np.array(rows), np.array(targets))
    return [round(float(w), 3) for w in weights]


def main() -> int:
    """Count, fit, report; 1 if a prediction is off by more than 35 % and 20 LUTs (Yosys itself varies by 15 %)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for pool_cost.json, pool_cost.md, logs, cache")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    ops = list(configurations())
    jobs = [job_of(str(n), op, params_of(op)) for n, op in enumerate(ops)]
    counted = synthesize(
        jobs, target=XC7, work=out / "work", cache=out / "cache", processes=arguments.processes,
        progress=lambda done, total: print(f"{done}/{total}", file=sys.stderr),
    )  # fmt: skip
    lines, records, weights, worst = [], [], {}, 0
    for name, group in groupby(enumerate(ops), key=lambda item: item[1].op_type):
        members = list(group)
        counts = [counted[str(n)] for n, _ in members]
        weights[name] = {kind: fit([op for _, op in members], counts, kind) for kind in ("lut", "ff")}
        lines += [f"## {name}", "", f"fitted now: {weights[name]}", "",
                  "| configuration | LUT | predicted | FF | predicted | RAMB18 | predicted | DSP | predicted |",
                  "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
        errors = []
        for (_, op), count in zip(members, counts, strict=True):
            said = op.resources()
            shape = " ".join(f"{k}={v}" for k, v in op.attributes().items())
            cells = [f"{count.lut:.0f} | {said.lut:.0f}", f"{count.ff:.0f} | {said.ff:.0f}",
                     f"{count.bram18:.0f} | {said.bram18:.0f}", f"{count.dsp:.0f} | {said.dsp:.0f}"]  # fmt: skip
            lines.append(f"| {shape} | {' | '.join(cells)} |")
            records.append({"op": name, **op.attributes(), "counted": asdict(count), "predicted": asdict(said)})
            errors.append((said.lut - count.lut) / count.lut)
            worst += abs(said.lut - count.lut) > max(0.35 * count.lut, 20)
        mean = float(np.mean(np.abs(errors)))
        lines += ["", f"LUT error: mean {mean:.1%}, from {min(errors):+.1%} to {max(errors):+.1%}", ""]
    (out / "pool_cost.md").write_text("# Cost of the pools: Yosys counts and predictions\n\n" + "\n".join(lines))
    (out / "pool_cost.json").write_text(json.dumps({"weights": weights, "configurations": records}, indent=1))
    print("\n".join(lines))
    return int(worst > 0)


if __name__ == "__main__":
    sys.exit(main())
