"""LUTs of bvit_binary_mvau for many foldings, counted by Yosys: which structure is cheapest, and is the model right?

    python benchmarks/popcount_structures.py [--processes 2] [--quick]

Writes its table between the markers of docs/binary_mvau.md. Results are cached by the contents of the sources.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import logging
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cost_samples import binary_mvaus  # noqa: E402

from bvit_hw.flows.cache import cache_folder  # noqa: E402
from bvit_hw.flows.yosys import SynthJob, synthesize  # noqa: E402
from bvit_hw.ops.base import Resources  # noqa: E402
from bvit_hw.ops.binary_mvau import PRIMITIVE_MODELS, PRIMITIVE_SOURCES, BinaryMVAU, pack_weights  # noqa: E402
from bvit_hw.ops.popcount import is_shared  # noqa: E402
from bvit_hw.rtl_library import source_paths  # noqa: E402
from bvit_hw.targets import XC7  # noqa: E402

DOC = ROOT / "docs" / "binary_mvau.md"
BEGIN, END = "<!-- table: benchmarks/popcount_structures.py -->\n", "<!-- end of table -->\n"
#: structure and USE_PRIMITIVES of the columns
VARIANTS = {"portable": ("shared_parity", 0), "primitives": ("shared_parity", 1), "plain": ("plain", 0)}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One folding of one shape, and the jobs that count its variants."""

    op: BinaryMVAU
    jobs: dict[str, SynthJob]


def job(op: BinaryMVAU, structure: str, primitives: int) -> SynthJob:
    """The Yosys job of one operator with random weights in the encoding of ``structure``."""
    weights = np.random.default_rng(0).choice(np.array([-1, 1], dtype=np.int8), (op.rows, op.cols))
    memory = pack_weights(weights, pe=op.pe, simd=op.simd, structure=structure)
    digits = (memory.width + 3) // 4
    file = f"w{op.rows}x{op.cols}_{op.pe}x{op.simd}_{structure}.mem"
    extra = (*PRIMITIVE_MODELS, *PRIMITIVE_SOURCES) if primitives else ()
    return SynthJob(
        name=f"{op.rows}x{op.cols} {op.pe}x{op.simd} {op.use_bram} {structure} {primitives}",
        module="bvit_binary_mvau",
        sources=tuple(source_paths((*extra, *BinaryMVAU.rtl_sources))),
        parameters={
            **op.rtl({"weights": weights}).parameters,
            "SHARED": int(is_shared(op.simd, structure)),
            "USE_PRIMITIVES": primitives,
            "MEM_FILE": file,
        },
        inputs={"s_axis": [op.simd]},
        outputs={"m_axis": [op.outputs[0].width]},
        memories={file: "".join(f"{word:0{digits}x}\n" for word in memory.words)},
        weight=2.0 * op.pe * op.simd + 150,
    )


def table_rows(quick: bool) -> list[Row]:
    """The foldings to be measured; ``quick`` keeps the small ones."""
    rows = []
    for op in binary_mvaus(256 if quick else 2048):
        products = op.pe * op.simd
        names = [v for v in VARIANTS if (op.simd > 2 or v == "plain") and (products <= 1024 or v != "plain")]
        rows.append(Row(op=op, jobs={name: job(op, *VARIANTS[name]) for name in names}))
    return rows


def render(rows: Iterable[Row], counts: dict[str, Resources]) -> str:
    """The Markdown table with its caption, and the largest errors of the cost model."""
    tools = f"pyosys {importlib.metadata.version('pyosys')}, `synth_xilinx -family xc7 -flatten`"
    lines = [
        f"{datetime.date.today().isoformat()}, {tools}; LUTs of the whole unit, in brackets per binary MAC and cycle. "
        "FF, BRAM18 and the model are those of the structure that auto chooses, in portable form.",
        "",
        "| rows x cols | SIMD | PE | portable | primitives | plain | FF | BRAM18 | model LUT | model error |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    worst = 0.0
    for row in rows:
        op = row.op
        cells = []
        for name in VARIANTS:
            if name in row.jobs:
                lut = counts[row.jobs[name].name].lut
                cells.append(f"{lut:.0f} ({lut / (op.pe * op.simd):.2f})")
            else:
                cells.append("")
        chosen = "portable" if is_shared(op.simd) else "plain"
        real = counts[row.jobs[chosen].name]
        model = op.resources().lut
        error = model / real.lut - 1
        worst = max(worst, abs(error))
        lines.append(
            f"| {op.rows} x {op.cols} | {op.simd} | {op.pe} | {' | '.join(cells)} | {real.ff:.0f} | {real.bram18:.0f} "
            f"| {model:.0f} | {error:+.1%} |"
        )
    return "\n".join([*lines, "", f"Largest error of the LUT model: {worst:.1%}.", ""])


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2, help="Yosys processes at a time (default 2)")
    parser.add_argument("--quick", action="store_true", help="foldings of up to 256 products a cycle; prints only")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    rows = table_rows(arguments.quick)
    with tempfile.TemporaryDirectory(prefix="mvau-luts-") as work:
        counts = synthesize(
            [each for row in rows for each in row.jobs.values()],
            target=XC7,
            work=Path(work),
            cache=cache_folder(),
            processes=arguments.processes,
            progress=lambda done, total: _log.info("%d of %d", done, total),
        )
    text = render(rows, counts)
    sys.stdout.write(text)
    if not arguments.quick:
        document = DOC.read_text()
        before, rest = document.split(BEGIN)
        _, after = rest.split(END)
        DOC.write_text(before + BEGIN + text + END + after)


if __name__ == "__main__":
    main()
