"""What Yosys counts of the single engine's units, each in a run of its own, and their longest paths by the estimate.

    python benchmarks/engine_area.py --board pynq-z2 --units bvit_engine    # a Markdown table on stdout

The engine is that of the board's file where nothing else is given, on the board's FPGA. The whole is counted with its
memories, at the depths that are given. Popcounts are of the vendor's cells, as for operators. Yosys maps to cells;
nothing is placed or routed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from machine import processor

from bvit_hw.boards import load_board
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.config import EngineConfig
from bvit_hw.flows.engine_area import WHOLE, unit_jobs, unit_modules
from bvit_hw.flows.yosys import analyse


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--board", default="pynq-z2")
    for name in asdict(EngineConfig()):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--units", nargs="*", default=[*unit_modules(), WHOLE], choices=[*unit_modules(), WHOLE])
    given = vars(parser.parse_args())
    units, board = given.pop("units"), load_board(given.pop("board"))
    config = replace(engine_of(board), **{name: value for name, value in given.items() if value is not None})
    heads = "| unit | LUT | FF | BRAM18 | DSP | inside, ns | from | to |"
    print(f"{processor()}. {config}\n\n{heads}\n|{8 * '---|'}", flush=True)
    for unit in units:
        with tempfile.TemporaryDirectory() as work:
            jobs = unit_jobs(config, Path(work), primitives=board.target.vendor_cells, modules=[unit])
            found = analyse(jobs, target=board.target, work=Path(work), processes=1)[unit]
        count, inside = found.resources, found.timing.inside if found.timing is not None else None
        path = "- | - | -" if inside is None else f"{inside.ns:.2f} | `{inside.begin}` | `{inside.end}`"
        print(f"| `{unit}` | {count.lut:,.0f} | {count.ff:,.0f} | {count.bram18:,.0f} | {count.dsp:,.0f} | {path} |",
              flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
