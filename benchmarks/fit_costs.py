"""Fit a target's cost coefficients to what Yosys counts, print how far off they are, and write them.

    python benchmarks/fit_costs.py [--target xc7] [--circuits ChannelPool ...] [--every N] [--most LUT]
        [--write [--also NAME ...]]

Counting rule (the target's, bvit_hw/targets): LUT1 .. LUT6 count one each, a LUT RAM or shift register counts the LUTs
that it occupies, inverters, carry cells and MUXF7/8 none; FF are all flip-flops outside of DSP and RAM blocks; a RAMB36
is two RAMB18. Two small functions that a real tool would put into one fracturable LUT6 count two. Memories and DSP
blocks are known beforehand (``CostTerms.exact``); the weights of the other terms are fitted, none of them negative, to
the smallest sum of squared relative errors.

``fit_costs.json`` and ``fit_costs.md`` in the folder ``--out`` hold counts and predictions. The exit status is 1 if a
prediction of a pool or a copying operator is off by more than 35 % and 20 LUTs (Yosys itself varies by 15 %). Without
``--write`` the new coefficients are printed, with it they replace the old ones in the target's table. Those of some
circuits are set by hand, from their structure; ``--also`` names those that are to be fitted all the same. ``--every``
and ``--most`` leave samples out, where time is short.

    python benchmarks/fit_costs.py --target ecp5 --built BUILD [--netlist netlist.json] [--write ...]

With ``--built`` nothing is synthesized: the samples are the operators of a build's graph (``generate/``), and what each
takes is counted in the netlist that was placed, by the name of its instance. Cells at an operator's border may go to
its neighbour. Of circuits with fewer than eight operators there the old coefficients are scaled, so that the sum is
right.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from cost_samples import name_of, params_of, samples
from scipy.optimize import nnls

from bvit_hw import targets
from bvit_hw.codegen.names import identifiers
from bvit_hw.flows.ecp5 import NETLIST, TOP
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.graph.file import load_graph
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.ops.base import HwOp, Resources
from bvit_hw.ops.pool_common import PoolOp
from bvit_hw.targets import Target

Weights = dict[str, dict[str, float]]
RESOURCES = ("lut", "ff", "bram18", "dsp")
#: circuits whose coefficients follow from the structure or from circuits of a built network: judged, never written
SET_BY_HAND = ("BinaryMVAU", "SerialMVAU", "Fifo", "RegisterFifo", "BlockFifo", "WidthConverter", "Duplicate")
#: operators of a circuit that a build must have for its coefficients to be fitted to them, not scaled
FEWEST = 8


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An operator with what it takes, counted."""

    name: str
    op: HwOp
    count: Resources


def fit(ops: list[HwOp], counts: list[Resources], kind: str) -> dict[str, float]:
    """Coefficients of the terms of one circuit for "lut" or "ff"."""
    # In a small circuit that moves data a few LUTs more or less do not matter.
    slack = 20 if isinstance(ops[0], PoolOp) else 0
    terms = [op.cost_terms() for op in ops]
    names = list(dict.fromkeys(name for each in terms for name in getattr(each, kind)))
    counted = np.array([getattr(count, kind) for count in counts])
    exact = np.array([getattr(each.exact, kind) for each in terms])
    scale = 1 / np.maximum(counted + slack, 1)
    matrix = np.array([[getattr(each, kind).get(name, 0) for name in names] for each in terms])
    weights, _ = nnls(matrix * scale[:, np.newaxis], (counted - exact) * scale)
    return {name: round(float(weight), 3) for name, weight in zip(names, weights, strict=True)}


def placed(netlist: Path, graph: HwGraph) -> dict[str, Resources]:
    """What each operator of ``graph`` takes of the flat netlist of a board's top, by the operator's name."""
    data = netlist.read_bytes()
    text = gzip.decompress(data) if netlist.suffix == ".gz" else data
    cells = json.loads(text)["modules"][TOP]["cells"]
    instances = {name: node for node, name in identifiers((n.name for n in graph.nodes), "u_").items()}
    found: dict[str, Counter[str]] = {name: Counter() for name in instances.values()}
    for name, cell in cells.items():
        inside = re.search(r"\bu_core\.(u_\w+?)\.", name)
        if inside and inside[1] in instances:
            found[instances[inside[1]]][cell["type"]] += 1
    return {name: graph.target.cells.count(count) for name, count in found.items()}


def scaled(ops: list[HwOp], counts: list[Resources], kind: str) -> dict[str, float]:
    """The coefficients that ``ops`` have now, by one factor: the sum of their predictions is that of ``counts``."""
    terms = [op.cost_terms() for op in ops]
    counted = sum(getattr(count, kind) - getattr(each.exact, kind) for count, each in zip(counts, terms, strict=True))
    model = sum(
        getattr(op.resources(), kind) - getattr(each.exact, kind) for op, each in zip(ops, terms, strict=True)
    )
    old = ops[0].target.weights(terms[0].circuit, kind)
    return {name: round(weight * counted / model, 3) if model > 0 else weight for name, weight in old.items()}


def errors(predicted: list[float], counted: list[float]) -> dict[str, float]:
    """Mean and largest relative error in per cent, and the error of the sum of all configurations."""
    said, real = np.array(predicted), np.array(counted)
    relative = np.abs(said - real) / np.maximum(real, 1.0)
    return {
        "mean_percent": round(100 * float(relative.mean()), 1),
        "max_percent": round(100 * float(relative.max()), 1),
        "total_percent": round(100 * float((said.sum() - real.sum()) / max(real.sum(), 1.0)), 1),
    }


def refitted(op: HwOp, weights: Weights) -> Resources:
    """What ``op`` would cost with these coefficients."""
    terms = op.cost_terms()
    sums = {kind: sum(weights[kind][n] * v for n, v in getattr(terms, kind).items()) for kind in ("lut", "ff")}
    return terms.exact + Resources(**sums)


def too_far_off(op: HwOp, count: Resources) -> bool:
    """Whether the prediction for an operator that moves data is so wrong that its terms must be."""
    return isinstance(op, PoolOp) and abs(op.resources().lut - count.lut) > max(0.35 * count.lut, 20)


def table(circuit: str, samples: Sequence[Sample], report: Mapping[str, object]) -> list[str]:
    """The Markdown lines of one circuit."""
    lines = [f"## {circuit}", "", "| configuration | LUT | model | FF | model | RAMB18 | model | DSP | model |"]
    lines.append("|---|" + "---|" * 8)
    for sample in samples:
        model = sample.op.resources()
        cells = " | ".join(f"{getattr(sample.count, r):.0f} | {getattr(model, r):.0f}" for r in RESOURCES)
        lines.append(f"| {sample.name} | {cells} |")
    return [*lines, "", *(f"- {name}: {value}" for name, value in report.items()), ""]


def rewritten(text: str, circuit: str, weights: Weights) -> str:
    """The target's table with other coefficients of one circuit; comments and the other circuits stay."""
    for kind, terms in weights.items():
        heading = f"[{circuit}.{kind}]\n"
        section = heading + "".join(f"{name} = {weight}\n" for name, weight in terms.items())
        if heading in text:
            text = re.sub(re.escape(heading) + r"(?:\w+ = .*\n)*", lambda _, new=section: new, text)  # type: ignore[misc]
        else:
            text = f"{text}\n{section}"
    return text


def by_circuit(ops: Iterable[HwOp]) -> dict[str, list[HwOp]]:
    """``ops`` by the circuit that their costs are those of; what is only wires is none."""
    circuits: dict[str, list[HwOp]] = {}
    for op in ops:
        terms = op.cost_terms()
        if terms.lut or terms.ff:
            circuits.setdefault(terms.circuit, []).append(op)
    return circuits


def synthesized(
    target: Target, wanted: Collection[str], *, every: int, most: float | None, processes: int, out: Path
) -> list[Sample]:
    """The samples of cost_samples.py, counted by Yosys."""
    circuits = by_circuit(op.on(target) for op in samples())
    if most is not None:
        small = {name: [op for op in ops if op.resources().lut <= most] for name, ops in circuits.items()}
        circuits = {name: ops for name, ops in small.items() if ops}
    circuits = {
        name: ops[:: max(min(every, len(ops) // 8), 1)]
        for name, ops in circuits.items()
        if name in (wanted or circuits)
    }
    ops = [op for each in circuits.values() for op in each]
    counted = synthesize(
        [job_of(name_of(op), op, params_of(op)) for op in ops],
        target=target, work=out / "fit_costs", cache=out / "cache", processes=processes,
        progress=lambda done, total: print(f"{done}/{total}", file=sys.stderr),
    )  # fmt: skip
    return [Sample(name=name_of(op), op=op, count=counted[name_of(op)]) for op in ops]


def of_build(target: Target, build: Path, netlist: Path | None) -> list[Sample]:
    """The operators of a build, counted in the netlist that was placed."""
    graph = load_graph(build / "generate" / "graph.safetensors")
    if graph.target is not target:
        raise SystemExit(f"{build}: of target {graph.target.name}, not {target.name}")
    counted = placed(netlist or build / "bitstream" / NETLIST, graph)
    return [Sample(name=node.name, op=node.op, count=counted[node.name]) for node in graph.nodes]


def main() -> int:
    """Count, fit, report, write."""
    known = {target.name: target for target, _ in targets.families().values()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=sorted(known), default="xc7")
    parser.add_argument("--circuits", nargs="+", default=[], help="only these (default: all)")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="count only every Nth sample, but eight of each")
    parser.add_argument("--most", type=float, help="leave out samples predicted to take more LUTs")
    parser.add_argument("--built", type=Path, help="a build's folder, whose operators are the samples")
    parser.add_argument("--netlist", type=Path, help=f"its netlist (default: BUILT/bitstream/{NETLIST})")
    parser.add_argument("--also", nargs="+", default=[], choices=SET_BY_HAND, help="circuits that --write fits as well")
    parser.add_argument("--write", action="store_true", help="put the coefficients into the target's table")
    arguments = parser.parse_args()
    target: Target = known[arguments.target]
    there = by_circuit(op.on(target) for op in samples())
    if unknown := set(arguments.circuits) - set(there):
        parser.error(f"--circuits {' '.join(sorted(unknown))}; allowed: {' '.join(there)}")
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.built is not None:
        found = of_build(target, arguments.built, arguments.netlist)
    else:
        found = synthesized(
            target, arguments.circuits, every=arguments.every, most=arguments.most, processes=arguments.processes,
            out=out,
        )  # fmt: skip
    counted = {id(sample.op): sample for sample in found}
    circuits = {
        name: [counted[id(op)] for op in ops]
        for name, ops in by_circuit(sample.op for sample in found).items()
        if name in (arguments.circuits or [name])
    }
    lines, records, weights, wrong = [f"# Costs on {target.name}: counts and predictions", ""], [], {}, 0
    for circuit, its in circuits.items():
        ops, counts = [sample.op for sample in its], [sample.count for sample in its]
        how = scaled if arguments.built is not None and len(its) < FEWEST else fit
        weights[circuit] = {kind: how(ops, counts, kind) for kind in ("lut", "ff")}
        report: dict[str, object] = {"samples": len(its)}
        for kind in RESOURCES:
            real = [getattr(count, kind) for count in counts]
            report[f"{kind}, model"] = errors([getattr(op.resources(), kind) for op in ops], real)
            if kind in weights[circuit]:
                refit = [getattr(refitted(op, weights[circuit]), kind) for op in ops]
                report[f"{kind}, fitted now"] = errors(refit, real)
        print(json.dumps({circuit: weights[circuit], "errors": report}, indent=1))
        lines += table(circuit, its, report)
        for sample in its:
            records.append(
                {"name": sample.name, "counted": asdict(sample.count), "model": asdict(sample.op.resources())}
            )
            if too_far_off(sample.op, sample.count):
                wrong += 1
                print(f"too far off: {sample.name}", file=sys.stderr)
    (out / "fit_costs.md").write_text("\n".join(lines))
    (out / "fit_costs.json").write_text(json.dumps({"weights": weights, "configurations": records}, indent=1))
    if arguments.write:
        path = Path(targets.__file__).parent / f"{target.name}.toml"
        text = path.read_text() if path.exists() else ""
        for circuit in weights.keys() - (set(SET_BY_HAND) - set(arguments.also)):
            text = rewritten(text, circuit, weights[circuit])
        path.write_text(text)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
