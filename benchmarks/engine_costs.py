"""Fit the coefficients of the engine's model of area to what Yosys counts, and say how far off the model is.

    python benchmarks/engine_costs.py [--units bvit_engine_vector ...] [--wholes 2] [--write]

Units are counted by themselves, of several engines each; of some engines the whole is counted as well, and what it has
beside its units is the core's. Counts are kept under ``--out``, so that a run goes on where one before has ended.
With ``--write`` the coefficients go to the target's table (bvit_hw/targets/xc7.toml), and the counts to
tests/engine/area_counts.json, which the tests judge the model by.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from fit_costs import rewritten
from machine import processor
from scipy.optimize import nnls

from bvit_hw import targets
from bvit_hw.engine.area import FIXED, unit_terms
from bvit_hw.engine.config import EngineConfig
from bvit_hw.flows.engine_area import WHOLE, unit_jobs
from bvit_hw.flows.yosys import synthesize
from bvit_hw.ops.base import Resources
from bvit_hw.targets import XC7

#: tokens, rows, channels: of units that are counted by themselves
SHAPES = {
    "bvit_engine_matrix": ((1, 8, 8), (2, 8, 8), (1, 16, 8), (2, 16, 8), (7, 16, 8)),
    "bvit_engine_mover": ((1, 8, 8), (2, 8, 8), (7, 16, 8), (7, 64, 8)),
    "bvit_engine_rule": ((1, 8, 8), (2, 8, 8), (3, 8, 8), (1, 16, 16), (2, 16, 16), (7, 16, 8)),
    "bvit_engine_vector": ((1, 8, 8), (2, 8, 8), (3, 8, 8), (1, 16, 16), (2, 16, 16), (7, 16, 8)),
}
#: engines that are counted whole, the smallest first
WHOLES = ((1, 8, 8), (2, 16, 8), (2, 8, 8), (2, 16, 16), (1, 32, 8), (7, 16, 8))
ROOT = Path(__file__).resolve().parents[1]
COUNTS = ROOT / "tests" / "engine" / "area_counts.json"
KINDS = ("lut", "ff", "dsp")


def engine(shape: tuple[int, int, int]) -> EngineConfig:
    """An engine with memories of a block's depth, which need no multiplexer."""
    tokens, rows, channels = shape
    depths = dict.fromkeys(("bits", "values", "weights", "params", "steps", "taps"), 512)
    return EngineConfig(tokens=tokens, rows=rows, channels=channels, **depths)


def count(unit: str, shape: tuple[int, int, int], out: Path) -> Resources:
    """By Yosys, or as it was counted before."""
    begin = time.monotonic()
    work = out / f"{unit}_{'x'.join(map(str, shape))}"
    jobs = unit_jobs(engine(shape), work / "ports", primitives=XC7.vendor_cells, modules=[unit])
    found = synthesize(jobs, target=XC7, work=work, cache=out / "cache", processes=1)[unit]
    name = f"{unit} {'x'.join(map(str, shape))}"
    print(f"{name}: {found.lut:,.0f} LUT, {found.ff:,.0f} FF, {found.dsp:,.0f} DSP, "
          f"{time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)  # fmt: skip
    return found


def fitted(terms: list[dict[str, float]], counted: list[float]) -> dict[str, float]:
    """Weights, none negative, with the smallest sum of squared relative errors."""
    names = list(terms[0])
    scale = 1 / np.maximum(np.array(counted), 1)
    matrix = np.array([[each[name] for name in names] for each in terms])
    weights, _ = nnls(matrix * scale[:, np.newaxis], np.array(counted) * scale)
    return {name: round(float(weight), 3) for name, weight in zip(names, weights, strict=True)}


def main() -> int:
    """Count, fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--wholes", type=int, default=len(WHOLES), help="how many engines are counted whole")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/engine_costs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    out = given.out.resolve()
    weights: dict[str, dict[str, dict[str, float]]] = {}
    fixed = [count(unit, (1, 8, 8), out) for unit in FIXED]
    constant = sum(fixed, Resources())
    weights["EngineFixed"] = {kind: {"one": getattr(constant, kind)} for kind in ("lut", "ff")}
    counts: dict[str, dict[str, Resources]] = {"fixed": {"all": constant}}

    def fit(unit: str, shapes: list[tuple[int, int, int]], found: list[Resources]) -> None:
        terms = [unit_terms(engine(shape))[unit] for shape in shapes]
        weights[terms[0].circuit] = {
            kind: fitted([dict(getattr(t, kind)) for t in terms], [getattr(f, kind) for f in found])
            for kind in ("lut", "ff")
        }

    def estimate(unit: str, shape: tuple[int, int, int], kind: str) -> float:
        terms = unit_terms(engine(shape))[unit]
        return sum(weights[terms.circuit][kind][name] * n for name, n in getattr(terms, kind).items())

    for unit in given.units:
        found = [count(unit, shape, out) for shape in SHAPES[unit]]
        counts[unit] = {"x".join(map(str, s)): f for s, f in zip(SHAPES[unit], found, strict=True)}
        fit(unit, list(SHAPES[unit]), found)
    wholes = WHOLES[: given.wholes]
    if wholes and set(given.units) == set(SHAPES):
        found = [count(WHOLE, shape, out) for shape in wholes]
        counts[WHOLE] = {"x".join(map(str, s)): f for s, f in zip(wholes, found, strict=True)}
        rest = [
            whole - Resources(**{
                kind: getattr(constant, kind) + sum(estimate(unit, shape, kind) for unit in SHAPES)
                for kind in ("lut", "ff")
            })
            for whole, shape in zip(found, wholes, strict=True)
        ]  # fmt: skip
        fit("bvit_engine_core", list(wholes), rest)
    print(f"{processor()}, {time.strftime('%Y-%m-%d')}\n\n| unit | engine | LUT | model | FF | model | DSP |")
    print("|---|---|---|---|---|---|---|")
    for unit, by_shape in counts.items():
        for name, real in by_shape.items():
            if unit == "fixed":
                continue
            shape = tuple(int(n) for n in name.split("x"))
            assert len(shape) == 3
            units = [*SHAPES, "bvit_engine_core"] if unit == "bvit_engine" else [unit]
            said = {
                kind: sum(estimate(one, shape, kind) for one in units)
                + (getattr(constant, kind) if unit == "bvit_engine" else 0)
                for kind in ("lut", "ff")
            }
            print(f"| `{unit}` | {name} | {real.lut:,.0f} | {said['lut']:,.0f} | {real.ff:,.0f} | {said['ff']:,.0f} "
                  f"| {real.dsp:,.0f} |")  # fmt: skip
    print(json.dumps(weights, indent=1))
    if given.write:
        path = Path(targets.__file__).parent / f"{XC7.name}.toml"
        text = path.read_text()
        for circuit, terms in weights.items():
            text = rewritten(text, circuit, terms)
        path.write_text(text)
        kept = {u: {n: {k: getattr(r, k) for k in KINDS} for n, r in by.items()} for u, by in counts.items()}
        COUNTS.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
