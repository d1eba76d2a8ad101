"""Fit the cost model of BinaryAttention to Yosys counts; write a JSON and a Markdown table.

Counting rule: that of bvit_hw.flows.yosys (see affine_cost.py). The table is the frozen model's, T such that a key is
attended when it has more of a row than a mean key.

Usage: ``python benchmarks/attention_cost.py --out build/benchmarks``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from bvit_hw.contract.attention_rule import score_table, threshold_integer
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops import attention_cost
from bvit_hw.ops.base import Params
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.targets import XC7

RESOURCES = ("lut", "ff", "bram18", "dsp")


def configurations() -> Iterator[BinaryAttention]:
    """The tiny network's stages, the full-size ones, the un-pyramided one, at several foldings (simd, kp, mp, pe)."""
    shapes: list[tuple[tuple[int, int, int, int], list[tuple[int, int, int, int]]]] = [
        ((64, 4, 1, 32), [(4, 1, 4, 4), (8, 1, 2, 16), (8, 2, 4, 8), (16, 4, 4, 16), (2, 1, 1, 32), (32, 4, 4, 32)]),
        ((16, 4, 2, 32), [(2, 1, 4, 2), (4, 1, 4, 4), (8, 2, 2, 8), (4, 1, 1, 16)]),
        ((4, 4, 4, 32), [(1, 1, 4, 1), (2, 1, 2, 2), (4, 2, 4, 4), (8, 1, 1, 2)]),
        ((1, 1, 8, 32), [(1, 1, 1, 1), (4, 1, 1, 4), (32, 1, 1, 32)]),
        ((49, 9, 1, 16), [(2, 3, 9, 2), (4, 9, 3, 8)]),
        ((25, 25, 3, 64), [(4, 1, 5, 8), (8, 5, 25, 4)]),
        ((3136, 49, 1, 64), [(8, 7, 49, 8), (2, 1, 7, 16), (8, 7, 7, 32)]),
        ((784, 49, 2, 64), [(2, 1, 49, 2), (4, 7, 7, 16)]),
        ((196, 196, 4, 64), [(4, 7, 49, 8), (2, 2, 28, 4)]),
        ((49, 49, 8, 64), [(1, 1, 49, 1), (4, 1, 7, 8)]),
        ((197, 197, 6, 64), [(1, 1, 197, 1)]),
    ]
    for (queries, keys, heads, head_dim), foldings in shapes:
        for simd, kp, mp, pe in foldings:
            yield BinaryAttention(
                queries=queries, keys=keys, heads=heads, head_dim=head_dim, simd=simd, kp=kp, mp=mp, pe=pe
            )


def frozen_params(op: BinaryAttention) -> Params:
    """The frozen model's table; a key is attended when its probability exceeds an average key's."""
    return {"table": score_table(op.head_dim, op.table_bits), "threshold": np.int64(threshold_integer(2 / op.keys))}


def label(op: BinaryAttention) -> str:
    """A short name of a configuration."""
    shape = f"{op.queries} on {op.keys}, {op.heads} x {op.head_dim}"
    return f"{shape}: simd={op.simd} kp={op.kp} mp={op.mp} pe={op.pe}"


def fit(terms: list[attention_cost.Terms], counts: np.ndarray) -> dict[str, float]:
    """Non-negative weights of the terms with the least sum of squared relative errors."""
    names = list(terms[0])
    matrix = np.array([[t[name] for name in names] for t in terms]) / counts[:, np.newaxis]
    weights, _ = nnls(matrix, np.ones(len(terms)))
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
    """Count, fit, write ``attention_cost.json`` and ``attention_cost.md``; the fitted weights go to stdout."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    ops = {label(op): op for op in configurations()}
    arguments.out.mkdir(parents=True, exist_ok=True)
    counts = synthesize(
        [job_of(name, op, frozen_params(op)) for name, op in ops.items()],
        target=XC7,
        work=arguments.out / "attention_cost",
        cache=arguments.out / "cache",
        processes=arguments.processes,
        progress=lambda done, total: print(f"{done}/{total}", file=sys.stderr),
    )
    counted = {r: np.array([getattr(counts[name], r) for name in ops]) for r in RESOURCES}
    predicted = {r: np.array([getattr(op.resources(), r) for op in ops.values()]) for r in RESOURCES}
    both = [attention_cost.attention_terms(op) for op in ops.values()]
    weights: dict[str, dict[str, float]] = {}
    refitted: dict[str, dict[str, float]] = {}
    for position, resource in enumerate(("lut", "ff")):
        terms = [pair[position] for pair in both]
        weights[resource] = fit(terms, counted[resource])
        values = np.array([sum(weights[resource][n] * v for n, v in t.items()) for t in terms])
        refitted[resource] = errors(values, counted[resource])
    report = {r: errors(predicted[r], counted[r]) for r in RESOURCES}
    print("WEIGHTS = " + json.dumps(weights, indent=4))
    print(json.dumps({"refitted": refitted, "model": report}, indent=2))

    rows = [
        {"name": name, "cycles": op.cycles, "counted": asdict(counts[name]), "model": asdict(op.resources())}
        for name, op in ops.items()
    ]
    document = {"errors": report, "weights": weights, "configurations": rows}
    (arguments.out / "attention_cost.json").write_text(json.dumps(document, indent=1))
    lines = [
        "| queries on keys, heads x size: folding | cycles | LUT | model | FF | model | RAMB18 | model | DSP | model |"
    ]
    lines.append("|---|" + "---|" * 9)
    for name, op in ops.items():
        model = op.resources()
        cells = " | ".join(f"{getattr(counts[name], r):.0f} | {getattr(model, r):.0f}" for r in RESOURCES)
        lines.append(f"| {name} | {op.cycles} | {cells} |")
    lines += ["", "| model | mean error % | largest % | error of the sum % |", "|---|---|---|---|"]
    lines += [f"| {r} | {e['mean_percent']} | {e['max_percent']} | {e['total_percent']} |" for r, e in report.items()]
    (arguments.out / "attention_cost.md").write_text("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
