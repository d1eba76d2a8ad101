"""What AMD's 7 series and UltraScale+ have in common: cells as Yosys maps them, and shapes of memories."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from bvit_hw.targets.memories import Memories
from bvit_hw.targets.target import CellCounts, DspShape


def synthesis(family: str) -> str:
    """The commands that map a design to a family of Yosys' ``synth_xilinx``."""
    command = f"synth_xilinx -family {family} -top {{top}} -flatten -noiopad -noclkbuf -run"
    # xilinx_dsp would leave readers of sums undriven (flows/dsp_sums.py).
    sums = f"{command} begin:map_dsp\ndsp_sums\n{command} map_dsp:coarse\nsetattr -unset keep a:kept_sum\n"
    # What is still a memory then fits no block and no LUT RAM, or is to be lookup tables (flows/lut_tables.py).
    return f"{sums}{command} coarse:map_ffram\nlut_tables\n{command} map_ffram:check"


#: LUTs that one cell occupies (UG474: a LUTRAM or shift register takes its LUT; MUXF7/8 and CARRY4 lie beside them)
LUTS_PER_CELL: Mapping[str, int] = {
    **{f"LUT{n}": 1 for n in range(1, 7)},
    "LUT6_2": 1,
    "INV": 0,
    "SRL16E": 1,
    "SRLC32E": 1,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
}

CELLS = CellCounts(
    lut=LUTS_PER_CELL,
    ff=dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "LDCE", "LDPE"), 1),
    bram18={"RAMB18E1": 1, "RAMB36E1": 2, "RAMB18E2": 1, "RAMB36E2": 2},
    uram=dict.fromkeys(("URAM288", "URAM288_BASE"), 1),
    dsp=dict.fromkeys(("DSP48E1", "DSP48E2"), 1),
    watched=("RAM", "SRL", "$mem", "DSP", "URAM"),
)

#: The DSP48E1's operands. The DSP48E2 takes 27 bits of data, of which the RTL makes no use.
DSP48 = DspShape(data=25, coef=18)

MEMORIES = Memories(
    # RAM32M holds 6 bits in four LUTs, RAM64M 3 (UG474)
    lut_ram=((32, 6), (64, 3)),
    lut_ram_luts=4,
    # UG473
    block_shapes=(
        *((512 << n, width, 1) for n, width in enumerate((36, 18, 9, 4, 2, 1))),
        *((512 << n, width, 2) for n, width in enumerate((72, 36, 18, 9, 4, 2, 1))),
    ),
    byte_bits=9,
    table_words=64,
    shift_bits=16,
    # LUTs that an XC7Z020 has for each half (53200 / 280)
    table_luts_per_half=190,
    buffer_luts_per_half=80,
    line_bit=0.44,
    line_bank=1.3,
    table_excess=((8, 0.75), (256, 1.0), (1024, 1.5), (inf, 3.0)),
)
