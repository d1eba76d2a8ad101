"""What Yosys counts of the single engine's units, each in a run of its own, and their longest paths by the estimate.

    python benchmarks/engine_area.py --board pynq-z2 --units bvit_engine    # a Markdown table on stdout

The engine is that of the board's file where nothing else is given. The whole is counted with its memories, at the
depths that are given. Popcounts are of the vendor's cells, as for operators. Yosys maps to cells; nothing is placed or
routed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pyslang
from machine import processor

from bvit_hw.boards import load_board
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.config import EngineConfig
from bvit_hw.flows.yosys import SynthJob, analyse
from bvit_hw.ops.binary_mvau import PRIMITIVE_MODELS, PRIMITIVE_SOURCES
from bvit_hw.rtl_library import library
from bvit_hw.targets import XC7, Target

#: units, and which of the engine's numbers are parameters of each
UNITS: dict[str, tuple[str, ...]] = {
    "bvit_engine_steps": (), "bvit_engine_turns": (),
    "bvit_engine_mover": ("tokens", "rows"), "bvit_engine_rule": ("tokens", "rows", "channels"),
    "bvit_engine_vector": ("tokens", "channels"), "bvit_engine_matrix": ("tokens", "rows", "use_primitives"),
    "bvit_engine_read": ("port",), "bvit_engine_write": ("port",), "bvit_engine_control": ("port",),
    "bvit_engine_regs": (),
    "bvit_engine": (
        "tokens", "rows", "channels", "bits", "values", "weights", "params", "steps", "taps", "port",
        "use_primitives",
    ),
}  # fmt: skip


def sources() -> tuple[Path, ...]:
    """The engine's files and what they need, packages first."""
    names = sorted(library(), key=lambda name: (not name.endswith("_pkg.sv"), name))
    more = ("bvit_attention_encode.sv", "bvit_adder_tree.sv", "bvit_fifo.sv", "bvit_ram.sv", *PRIMITIVE_SOURCES)
    engine = [n for n in names if n.startswith(("bvit_engine", "bvit_popcount")) or n in more]
    return tuple(library()[n] for n in (*PRIMITIVE_MODELS, *engine))


def ports(module: str, parameters: Mapping[str, int]) -> tuple[tuple[str, str, int], ...]:
    """Direction, name and bits of each port but clock and reset, by slang's elaboration."""
    options = pyslang.ast.CompilationOptions()
    options.paramOverrides = [f"{name}={value}" for name, value in parameters.items()]
    options.topModules = {module}
    compilation = pyslang.ast.Compilation(pyslang.Bag([options]))
    for path in sources():
        compilation.addSyntaxTree(pyslang.syntax.SyntaxTree.fromFile(str(path)))
    (top,) = compilation.getRoot().topInstances
    found = []
    for port in top.body.portList:
        if port.name not in ("clk", "rst"):
            direction = "input" if port.direction == pyslang.ast.ArgumentDirection.In else "output"
            found.append((direction, port.name, port.type.bitWidth))
    return tuple(found)


def job(unit: str, config: EngineConfig, target: Target = XC7) -> SynthJob:
    """A unit of the engine."""
    given = {**asdict(config), "use_primitives": target.vendor_cells}
    parameters = {name.upper(): given[name] for name in UNITS[unit]}
    return SynthJob(
        name=unit, module=unit, sources=sources(), parameters=parameters, inputs={}, outputs={},
        others=ports(unit, parameters),
    )  # fmt: skip


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--board", default="pynq-z2")
    for name in asdict(EngineConfig()):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--units", nargs="*", default=list(UNITS), choices=list(UNITS))
    given = vars(parser.parse_args())
    units, board = given.pop("units"), engine_of(load_board(given.pop("board")))
    config = replace(board, **{name: value for name, value in given.items() if value is not None})
    heads = "| unit | LUT | FF | BRAM18 | DSP | inside, ns | from | to |"
    print(f"{processor()}. {config}\n\n{heads}\n|{8 * '---|'}", flush=True)
    for unit in units:
        with tempfile.TemporaryDirectory() as work:
            found = analyse([job(unit, config)], target=XC7, work=Path(work), processes=1)[unit]
        count, inside = found.resources, found.timing.inside if found.timing is not None else None
        path = "- | - | -" if inside is None else f"{inside.ns:.2f} | `{inside.begin}` | `{inside.end}`"
        print(f"| `{unit}` | {count.lut:,.0f} | {count.ff:,.0f} | {count.bram18:,.0f} | {count.dsp:,.0f} | {path} |",
              flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
