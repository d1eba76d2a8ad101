"""The pass `lut_tables`: what it writes holds the table's contents, and counts as what ABC makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows.yosys import run_script
from bvit_hw.rtl_library import source_paths
from bvit_hw.targets import XC7, Target
from bvit_hw.targets.ecp5 import TARGET as ECP5

SOURCES = source_paths(("bvit_rom.sv",))
#: by family: the pass' options, and where Yosys has the cells
FAMILIES = {"xilinx": ("", "+/xilinx/cells_sim.v"), "lattice": (" -lattice", "+/lattice/cells_sim_ecp5.v")}
#: words, bits: full and partly filled lookup tables, with MUXF7, with MUXF8
SHAPES = ((9, 3), (16, 6), (33, 5), (64, 9), (65, 4), (100, 3), (128, 4), (200, 3), (256, 5))


def words_of(words: int, width: int) -> list[str]:
    """Random lines of a memory of three columns or more; column 1 repeats column 0, the last is all ones."""
    bits = np.random.default_rng(words).integers(0, 2, (words, width))
    bits[:, 1] = bits[:, 0]
    bits[:, -1] = 1
    return ["".join(str(bit) for bit in word[::-1]) for word in bits]


def read(work: Path, words: int, width: int, lines: list[str]) -> str:
    """The command that reads a bvit_rom with these lines, and what it needs in ``work``."""
    work.mkdir(exist_ok=True)
    (work / "table.mem").write_text("".join(f"{int(line, 2):x}\n" for line in lines))
    return (
        f'read_slang --top bvit_rom -G WIDTH={width} -G DEPTH={words} -G INIT_FILE="table.mem" bvit_rom.sv\n'
        "hierarchy -top bvit_rom\nproc\nflatten\nopt\nmemory -nomap\nopt_clean\n"
    )


def prove(
    work: Path, words: int, width: int, lines: list[str], other: list[str], family: str = "xilinx"
) -> None:
    """Prove that the pass' cells for ``lines`` put out, for every address, what a memory of ``other`` does."""
    options, cells = FAMILIES[family]
    gate = read(work, words, width, lines)
    run_script(
        work,
        f"{gate}lut_tables{options}\nselect -assert-none t:$mem_v2\ntechmap -map {cells}\nproc\nopt_clean\n"
        "rename bvit_rom gate\nwrite_rtlil gate.il\n",
        SOURCES,
    )
    # Behind the last word a memory may hold anything.
    gold = read(work, words, width, other)
    run_script(
        work,
        f"{gold}memory_map\nopt_clean\nrename bvit_rom gold\nread_rtlil gate.il\n"
        "miter -equiv -flatten -ignore_gold_x gold gate miter\nhierarchy -top miter\n"
        "sat -verify -enable_undef -set-def-inputs -seq 2 -prove-skip 1 -set in_en 1 -prove trigger 0 miter\n",
        SOURCES,
    )


@pytest.mark.parametrize(
    ("family", "words", "width"),
    [*(("xilinx", *shape) for shape in SHAPES), ("lattice", 9, 3), ("lattice", 33, 4), ("lattice", 300, 3)],
)
def test_cells_hold_the_contents(family: str, words: int, width: int, tmp_path: Path) -> None:
    lines = words_of(words, width)
    prove(tmp_path, words, width, lines, lines, family)


@pytest.mark.parametrize(
    ("family", "words", "width"), [("xilinx", 9, 3), ("xilinx", 100, 3), ("xilinx", 256, 5), ("lattice", 300, 3)]
)
def test_other_contents_are_noticed(family: str, words: int, width: int, tmp_path: Path) -> None:
    """The proof fails for one bit of the last word: it is no proof of nothing."""
    lines = words_of(words, width)
    last = lines[-1]
    with pytest.raises(ToolError, match=r"yosys.log"):
        prove(tmp_path, words, width, lines, [*lines[:-1], ("1" if last[0] == "0" else "0") + last[1:]], family)


@pytest.mark.parametrize(
    ("family", "words", "kept"),
    [("xilinx", 8, True), ("xilinx", 9, False), ("xilinx", 256, False), ("xilinx", 257, True),
     ("lattice", 8, True), ("lattice", 1024, False), ("lattice", 1025, True)],
)  # fmt: skip
def test_what_is_taken(family: str, words: int, kept: bool, tmp_path: Path) -> None:
    check = "assert-any" if kept else "assert-none"
    script = read(tmp_path, words, 4, words_of(words, 4))
    run_script(tmp_path, f"{script}lut_tables{FAMILIES[family][0]}\nselect -{check} t:$mem_v2\n", SOURCES)


@pytest.mark.parametrize(
    ("target", "words", "luts"),
    [(XC7, 16, 1), (XC7, 64, 1), (XC7, 128, 2), (XC7, 256, 4),
     (ECP5, 16, 1), (ECP5, 64, 4), (ECP5, 128, 8), (ECP5, 256, 17), (ECP5, 512, 35)],
)  # fmt: skip
def test_no_more_lut_than_columns_that_differ(target: Target, words: int, luts: int, tmp_path: Path) -> None:
    """Of eight columns two are equal and one is constant; the way to the mapped netlist adds and saves nothing."""
    script = read(tmp_path, words, 8, words_of(words, 8))
    run_script(
        tmp_path, f"{script}{target.synthesis.format(top='bvit_rom')}\ntee -q -o stat.json stat -json\n", SOURCES
    )
    text = (tmp_path / "stat.json").read_text()
    cells = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]
    counted = sum(count for cell, count in cells.items() if cell.startswith("LUT"))
    # What joins more tables than the cells beside them can is left to ABC.
    assert counted == (pytest.approx(6 * luts, rel=0.03) if words == 512 else 6 * luts)
    assert luts == target.memories.table_luts(1, words), "what the cost model says"
    assert cells.get("MUXF8", 0) == (6 if target is XC7 and words == 256 else 0)
    muxes = 0 if target is XC7 else 6 * {64: 1, 128: 3, 256: 6, 512: 12}.get(words, 0)
    # Two halves of 512 words are joined by ABC, by one more of them or by lookup tables.
    assert cells.get("L6MUX21", 0) in ((muxes, muxes + 6) if words == 512 else (muxes,))
