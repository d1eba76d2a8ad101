"""Fit the cost models of ChannelAffine, Binarize and IntMVAU to Yosys counts; write a JSON and a Markdown table.

Counting rule (bvit_hw.flows.yosys): LUT1 .. LUT6 count one each, a LUT RAM or shift register counts the LUTs that it
occupies, inverters, carry cells and MUXF7/8 none; FF are all flip-flops outside of DSP and RAM blocks; a RAMB36 is two
RAMB18. Two small functions that a real tool would put into one fracturable LUT6 count two. Memory contents are
uniformly random, which leaves Yosys nothing to share. Usage: ``python benchmarks/affine_cost.py --out FOLDER``
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops import affine_cost
from bvit_hw.ops.base import HwOp, Params, Resources
from bvit_hw.ops.binarize import Binarize
from bvit_hw.ops.channel_affine import ChannelAffine
from bvit_hw.ops.int_mvau import IntMVAU
from bvit_hw.targets import XC7

TERMS: dict[str, Callable[[Any], tuple[affine_cost.Terms, affine_cost.Terms]]] = {
    "ChannelAffine": affine_cost.affine_terms,
    "Binarize": affine_cost.binarize_terms,
    "IntMVAU": affine_cost.int_mvau_terms,
    "SerialMVAU": affine_cost.serial_mvau_terms,
}


def kind_of(op: HwOp) -> str:
    """Which model an operator belongs to: the serial form of IntMVAU has one of its own."""
    return "SerialMVAU" if isinstance(op, IntMVAU) and op.serial else op.op_type


def affines() -> Iterator[ChannelAffine]:
    """The accelerator's kinds of ChannelAffine over foldings of the tiny and the full-size network."""
    norm = {"in_bits": (8,), "multiply": (1,), "shift": (0,), "bias_bits": 17, "out_shift": 7}
    prelu = {"prelu": 1, "mid_shift": 2, "slope_shift": 6, "bias2_bits": 19, "out_shift": 8}
    query = {"in_bits": (7, 8), "multiply": (1, 0), "shift": (0, 5), "bias_bits": 17, **prelu}
    pooled = {"in_bits": (9, 12), "multiply": (1, 1), "shift": (2, 0), "bias_bits": 19, **prelu}
    context = {"in_bits": (12, 8, 8, 8), "multiply": (1, 0, 1, 1), "shift": (0, 3, 2, 0), "bias_bits": 18, **prelu}
    layer_scale = {"in_bits": (8, 8, 10), "multiply": (1, 0, 1), "shift": (0, 7, 3), "bias_bits": 16, "out_shift": 7}
    plain = {"in_bits": (8, 9), "multiply": (0, 0), "shift": (3, 0), "bias_bits": 13, "out_shift": 3}
    for shape in (norm, query, pooled, context, layer_scale, plain):
        for channels, pe in ((32, 1), (32, 4), (64, 8), (64, 1), (128, 1), (256, 1), (1024, 1)):
            for use_dsp in (0, 1) if any(shape["multiply"]) else (0,):  # type: ignore[arg-type]
                yield ChannelAffine(tokens=4, channels=channels, out_bits=8, pe=pe, use_dsp=use_dsp, **shape)  # type: ignore[arg-type]
    for shape in ({**norm, "bias_tokens": 64}, {**query, "bias2_tokens": 64}):
        for channels, pe in ((32, 1), (32, 4), (48, 3)):
            yield ChannelAffine(tokens=64, channels=channels, out_bits=8, pe=pe, use_dsp=1, **shape)  # type: ignore[arg-type]


def binarizes() -> Iterator[Binarize]:
    """Thresholds over depths and widths."""
    for in_bits in (8, 12):
        for channels, pe in ((32, 1), (32, 4), (64, 2), (128, 16), (64, 1), (128, 1), (512, 4), (2048, 1)):
            yield Binarize(tokens=4, channels=channels, in_bits=in_bits, pe=pe)


def int_mvaus() -> Iterator[IntMVAU]:
    """Stem and classifier over foldings."""
    for simd, pe in ((1, 1), (1, 8), (3, 4), (4, 8), (6, 2), (12, 1), (1, 32), (24, 1), (2, 16)):
        for use_dsp in (0, 1):
            yield IntMVAU(tokens=4, cols=48, rows=32, in_bits=8, acc_bits=21, simd=simd, pe=pe, use_dsp=use_dsp)
    for simd, pe in ((1, 1), (4, 2), (16, 1), (2, 10)):
        for use_dsp in (0, 1):
            yield IntMVAU(
                tokens=1, cols=256, rows=10, in_bits=8, in_signed=1, acc_bits=23, simd=simd, pe=pe, use_dsp=use_dsp
            )


def serial_mvaus() -> Iterator[IntMVAU]:
    """The stem without multipliers: weights of the size that the accumulator says, one to four phases."""
    for rows, pe, simd in ((32, 4, 6), (32, 2, 3), (32, 1, 2), (16, 2, 6), (64, 2, 2)):
        for acc_bits in (19, 22):
            yield IntMVAU(
                tokens=4, cols=48, rows=rows, in_bits=8, acc_bits=acc_bits, simd=simd, pe=pe, use_dsp=0, serial=1
            )


def random_params(op: HwOp, rng: np.random.Generator) -> Params:
    """Parameters uniform over their widths."""
    if isinstance(op, ChannelAffine):
        return op.random_params(rng)
    if isinstance(op, Binarize):
        return {"threshold": rng.integers(op.inputs[0].low, op.inputs[0].high + 1, op.channels, endpoint=True)}
    assert isinstance(op, IntMVAU)
    limit = 1 << (op.weight_bits - 1)
    if op.serial:
        # Weights are normal as a trained network's are, with the largest sum just inside the accumulator.
        drawn = rng.standard_normal((op.rows, op.cols))
        most = max(np.maximum(drawn, 0).sum(axis=1).max(), -np.minimum(drawn, 0).sum(axis=1).min())
        scaled = drawn * ((1 << (op.acc_bits - 1)) / 256 / most)
        return {"weights": np.clip(np.trunc(scaled), -limit, limit - 1).astype(np.int64)}
    return {"weights": rng.integers(-limit, limit, (op.rows, op.cols))}


def label(op: HwOp) -> str:
    """A short name of a configuration."""
    if isinstance(op, ChannelAffine):
        tokens = f" bias x{op.bias_tokens}/{op.bias2_tokens}" if op.bias_tokens + op.bias2_tokens > 2 else ""
        inputs = ",".join(f"{b}{'*' if m else ''}" for b, m in zip(op.in_bits, op.multiply, strict=True))
        return f"C={op.channels} in={inputs} prelu={op.prelu} pe={op.pe} dsp={op.use_dsp}{tokens}"
    if isinstance(op, Binarize):
        return f"C={op.channels} in={op.in_bits} pe={op.pe}"
    assert isinstance(op, IntMVAU)
    style = f"serial acc={op.acc_bits}" if op.serial else f"dsp={op.use_dsp}"
    return f"{op.rows}x{op.cols} pe={op.pe} simd={op.simd} {style}"


def fit(terms: list[affine_cost.Terms], counts: list[float]) -> dict[str, float]:
    """Non-negative weights of the terms with the least sum of squared relative errors."""
    names = list(terms[0])
    scale = 1 / np.maximum(np.array(counts), 1.0)
    matrix = np.array([[t[name] for name in names] for t in terms]) * scale[:, np.newaxis]
    weights, _ = nnls(matrix, np.array(counts) * scale)
    return {name: round(float(weight), 3) for name, weight in zip(names, weights, strict=True)}


def errors(predicted: np.ndarray, counted: np.ndarray) -> dict[str, float]:
    """Mean and largest relative error in per cent, and the error of the sum of all configurations."""
    relative = np.abs(predicted - counted) / np.maximum(counted, 1.0)
    return {
        "mean_percent": round(100 * float(relative.mean()), 1),
        "max_percent": round(100 * float(relative.max()), 1),
        "total_percent": round(100 * float(predicted.sum() / max(counted.sum(), 1.0) - 1), 1),
    }


def main() -> int:
    """Count, fit, write ``affine_cost.json`` and ``affine_cost.md``; the fitted tables go to stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    ops: list[HwOp] = [*affines(), *binarizes(), *int_mvaus(), *serial_mvaus()]
    names = [f"{op.op_type} {label(op)}" for op in ops]
    assert len(set(names)) == len(names), "two configurations with one name"
    jobs = [
        job_of(name, op, random_params(op, np.random.default_rng(zlib.crc32(name.encode()))))
        for name, op in zip(names, ops, strict=True)
    ]
    arguments.out.mkdir(parents=True, exist_ok=True)
    counts = synthesize(
        jobs, target=XC7, work=arguments.out / "affine_cost", cache=arguments.out / "cache",
        processes=arguments.processes, progress=lambda done, total: print(f"{done}/{total}", file=sys.stderr),
    )  # fmt: skip

    weights: dict[str, dict[str, float]] = {}
    refit: dict[str, dict[str, float]] = {}
    report: dict[str, dict[str, float]] = {}
    for kind, terms_of in TERMS.items():
        chosen = [(op, counts[name]) for op, name in zip(ops, names, strict=True) if kind_of(op) == kind]
        both = [terms_of(op) for op, _ in chosen]
        for position, resource in enumerate(("lut", "ff")):
            terms = [pair[position] for pair in both]
            counted = np.array([getattr(count, resource) for _, count in chosen])
            key = f"{kind}.{resource}"
            weights[key] = fit(terms, counted.tolist())
            refit[key] = errors(np.array([sum(weights[key][n] * v for n, v in t.items()) for t in terms]), counted)
            if affine_cost.WEIGHTS[key].keys() == terms[0].keys():  # else terms were added: only the fit counts
                predicted = np.array([getattr(op.resources(), resource) for op, _ in chosen])
                report[key] = errors(predicted, counted)
    print("WEIGHTS = " + json.dumps(weights, indent=4))
    print(json.dumps({"refitted": refit, "model": report}, indent=2))
    _write(arguments.out, ops, names, counts, report, weights)
    return 0


def _write(
    out: Path,
    ops: list[HwOp],
    names: list[str],
    counts: dict[str, Resources],
    report: dict[str, dict[str, float]],
    weights: dict[str, dict[str, float]],
) -> None:
    fitted = len(report) == 2 * len(TERMS)
    rows = [
        {"name": name, "counted": asdict(counts[name]), "model": asdict(op.resources()) if fitted else None}
        for op, name in zip(ops, names, strict=True)
    ]
    document = {"errors": report, "weights": weights, "configurations": rows}
    (out / "affine_cost.json").write_text(json.dumps(document, indent=1))
    lines = ["| configuration | LUT | model | FF | model | RAMB18 | model | DSP | model |", "|---|" + "---|" * 8]
    for row in rows:
        counted, model = row["counted"], row["model"] or {}
        assert isinstance(counted, dict) and isinstance(model, dict)
        cells = [f"{counted[r]:.0f} | {model.get(r, float('nan')):.0f}" for r in ("lut", "ff", "bram18", "dsp")]
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    lines += ["", "| model | mean error % | largest % | error of the sum % |", "|---|---|---|---|"]
    lines += [f"| {k} | {e['mean_percent']} | {e['max_percent']} | {e['total_percent']} |" for k, e in report.items()]
    (out / "affine_cost.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
