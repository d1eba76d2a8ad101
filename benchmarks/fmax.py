"""How fast each operator of a network runs once it is placed and routed on an ECP5, alone between registers.

    python benchmarks/fmax.py [--preset tiny-digits] [--board ulx3s-85f] [--cycles N ...] [--largest N]
        [--kinds KIND ...]

The network is folded for the board, with random parameters, once for each number of cycles a frame; operators of equal
shape are routed once. ``--largest 1`` routes the largest operator of each kind alone. A line each, as Markdown: Fmax as
nextpnr reports it, the slowest path's logic and wire in ns, what the estimate before placement says of the same netlist
(docs/timing.md), and what was placed. The harness' own registers are in those counts. Nothing here says what the
network as a whole does: the paths between operators, and what a full chip does to the wires, are not in it.

Below the table, what the estimate is calibrated by: the wires on all the slowest paths by their fan-out, and how far
the estimates are off.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import processor

from bvit_hw.boards import Board, load_board
from bvit_hw.flows.nextpnr import Routed, device_of, nextpnr_version, route_alone
from bvit_hw.flows.sta import unit_timing
from bvit_hw.flows.yosys import job_of
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwNode
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.models.presets import preset
from bvit_hw.ops.base import HwOp

HEADS = (
    "| operator | kind | folding | Fmax, MHz | logic, ns | wire, ns | estimate, ns | off | LUT4 | FF | EBR | MULT18 |"
)


@dataclass(frozen=True)
class Wire:
    """A wire on a slowest path."""

    fan_out: int
    ns: float


def folding_of(op: HwOp) -> str:
    """What of the operator works at once."""
    names = ("simd", "kp", "mp", "pe", "depth", "lanes_in", "lanes_out", "copies")
    return " ".join(f"{name} {value}" for name in names if (value := op.attributes().get(name)) is not None)


def chosen(nodes: tuple[HwNode, ...], largest: int | None, kinds: list[str] | None) -> Iterator[HwNode]:
    """The nodes to route: each shape once, of each kind the ``largest``."""
    first = {node.op: node for node in reversed(nodes)}
    taken: Counter[str] = Counter()
    for node in sorted(first.values(), key=lambda node: -node.op.resources().lut):
        kind = type(node.op).__name__
        if (kinds and kind not in kinds) or (largest is not None and taken[kind] >= largest):
            continue
        taken[kind] += 1
        yield node


def wires_of(work: Path) -> Iterator[Wire]:
    """The wires on the slowest path of what was routed in ``work``, with their fan-out in Yosys' netlist."""
    module = _top(work)
    sinks = Counter(
        bit
        for cell in module["cells"].values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "input"
        for bit in bits
    )
    nets = {name: net["bits"] for name, net in module["netnames"].items()}
    for path in json.loads((work / "routed.json").read_text())["critical_paths"]:
        if path["from"] != path["to"]:
            continue
        for step in path["path"]:
            if step["type"] != "routing" or not step["delay"]:
                continue  # carries have wires of their own
            name, _, place = step["net"].rpartition("[")
            bits = nets.get(step["net"]) or nets.get(name, [])[int(place[:-1]) :] if place[:-1].isdecimal() else None
            if bits := bits or nets.get(step["net"]):
                yield Wire(max(sinks[bits[0]], 1), step["delay"])


def _top(work: Path) -> dict[str, Any]:
    modules = json.loads((work / "netlist.json").read_text())["modules"]
    found: dict[str, Any] = next(m for m in modules.values() if "top" in m.get("attributes", {}))
    return found


def line(node: HwNode, found: Routed, estimate: float) -> str:
    """A line of the table."""
    (mhz,), (path,), r = found.fmax_mhz.values(), found.slowest.values(), found.resources
    return (
        f"| `{node.name}` | {type(node.op).__name__} | {folding_of(node.op)} | {mhz:.0f} | "
        f"{path.logic_ns:.1f} | {path.wire_ns:.1f} | {estimate:.1f} | {estimate * mhz / 1e3 - 1:+.0%} | "
        f"{r.lut:,.0f} | {r.ff:,.0f} | {r.bram18:,.0f} | {r.dsp:,.0f} |"
    )


def calibration(wires: list[Wire], ratios: list[float]) -> Iterator[str]:
    """How long wires are, and how far the estimates are off."""
    yield "| fan-out | wires | mean, ns | median, ns | longest, ns |"
    yield "|---|---|---|---|---|"
    for low in (1, 2, 4, 8, 16, 64):
        some = [w.ns for w in wires if low <= w.fan_out < (1 << 30 if low == 64 else 64 if low == 16 else 2 * low)]
        if some:
            yield f"| {low} and more | {len(some)} | {np.mean(some):.2f} | {np.median(some):.2f} | {max(some):.2f} |"
    matrix = np.array([[1.0, math.log2(w.fan_out)] for w in wires])
    (base, doubling), *_ = np.linalg.lstsq(matrix, np.array([w.ns for w in wires]), rcond=None)
    yield ""
    yield f"Least squares: {base:.2f} ns, and {doubling:.2f} ns for each doubling of the fan-out."
    yield (
        f"Estimate by routed delay: {np.median(ratios):.2f} in the median, {min(ratios):.2f} to {max(ratios):.2f}, "
        f"{len(ratios)} operators."
    )


def nodes_of(name: str, board: Board, cycles: int | None) -> tuple[int, tuple[HwNode, ...]]:
    """Cycles a frame, and all operators of the preset folded for the board, with their glue."""
    fps = None if cycles is None else board.clock_mhz * 1e6 / cycles
    graph = run_passes(hw_graph_of(random_frozen(preset(name), seed=1)), board_passes(board))
    folded = fold(graph, board, target_fps=fps)
    return folded.cycles, planned(folded.graph, board.limits).nodes


def main() -> None:
    """Fold, route each shape, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="tiny-digits")
    parser.add_argument("--board", default="ulx3s-85f")
    parser.add_argument("--cycles", type=int, nargs="+", default=[None], help="cycles a frame (default: the fewest)")
    parser.add_argument("--largest", type=int, help="of each kind so many alone (default: all)")
    parser.add_argument("--kinds", nargs="+", help="operators of these kinds only")
    parser.add_argument("--seed", type=int, default=1, help="of nextpnr's placer")
    parser.add_argument("--keep", action="store_true", help="leave netlists and reports of all of them in --work")
    parser.add_argument("--work", type=Path, default=Path("build/benchmarks/fmax"))
    arguments = parser.parse_args()
    board = load_board(arguments.board)
    device, delays = device_of(board.part), board.target.delays
    assert delays is not None
    print(
        f"{arguments.preset} on {board.part}, nextpnr {nextpnr_version()}, seed {arguments.seed}; {processor()}, "
        f"{time.strftime('%Y-%m-%d')}"
    )
    done: set[HwOp] = set()
    wires: list[Wire] = []
    ratios: list[float] = []
    for wanted in arguments.cycles:
        cycles, nodes = nodes_of(arguments.preset, board, wanted)
        print(f"\n{cycles:,} cycles a frame\n\n{HEADS}\n|{12 * '---|'}", flush=True)
        for node in chosen(nodes, arguments.largest, arguments.kinds):
            if node.op in done:
                continue
            done.add(node.op)
            work = arguments.work / f"{cycles}-{node.name}"
            shutil.rmtree(work, ignore_errors=True)
            found = route_alone(
                job_of(node.name, node.op, node.params), board.target, device, work,
                clock_mhz=board.clock_mhz, seed=arguments.seed,
            )  # fmt: skip
            inside = unit_timing(_top(work), delays, {}, {}).inside
            assert inside is not None
            wires += wires_of(work)
            ratios.append(inside.ns * min(found.fmax_mhz.values()) / 1e3)
            print(line(node, found, inside.ns), flush=True)
            if not arguments.keep:
                shutil.rmtree(work)
    print("\n" + "\n".join(calibration(wires, ratios)))


if __name__ == "__main__":
    main()
