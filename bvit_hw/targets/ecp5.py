"""Lattice's ECP5, for which Yosys and nextpnr know the whole way to a bitstream."""

from __future__ import annotations

from math import inf
from pathlib import Path

from bvit_hw.targets.ecp5_delays import ECP5
from bvit_hw.targets.memories import Memories
from bvit_hw.targets.target import CellCounts, DspShape, Family, Target, read_coefficients

_COMMAND = "synth_ecp5 -top {top} -run"
#: as far as memories that fit no block are still whole, then what is lookup tables (flows/lut_tables.py)
_TABLES = f"{_COMMAND} begin:map_ffram\nlut_tables -lattice\n{_COMMAND} map_ffram:"

TARGET = Target(
    name="ecp5",
    families=(Family(name="ecp5", flow="nextpnr", part="LFE5"),),
    memories=Memories(
        # FPGA-DS-02012, 2.3.2: a 16 x 4 RAM takes the LUTs of two slices, its write port a third slice
        lut_ram=((16, 4),),
        lut_ram_luts=6,
        # FPGA-TN-02204: blocks of 18 Kbit; up to 36 bits with one port writing and one reading
        block_shapes=tuple((512 << n, width, 1) for n, width in enumerate((36, 18, 9, 4, 2, 1))),
        byte_bits=9,
        table_words=16,
        # there are no shift registers in LUTs: a cycle of a bit takes a register
        shift_bits=1,
        # LUTs that an LFE5U-85F has for each block (83640 / 208)
        table_luts_per_half=400,
        buffer_luts_per_half=160,
        line_bit=0.9,
        line_bank=2.6,
        # PFUMX and L6MUX21 join the tables of 128 words, multiplexers of two those
        tables_joined=8,
        join_ways=2,
        table_excess=((8, 0.75), (1024, 1.0), (inf, 2.0)),
    ),
    dsp=DspShape(data=18, coef=18),
    vendor_cells=0,
    synthesis=f"{_TABLES}check",
    netlist=_TABLES,
    cells=CellCounts(
        # a CCU2C is both LUTs of its slice
        lut={"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
        ff={"TRELLIS_FF": 1},
        bram18={"DP16KD": 1, "PDPW16KD": 1},
        uram={},
        dsp={"MULT18X18D": 1},
        watched=("TRELLIS_DPR", "DP16", "PDPW", "MULT", "ALU", "$mem"),
    ),
    delays=ECP5,
    coefficients=read_coefficients(Path(__file__).with_suffix(".toml")),
    budget_kinds=("lut", "ff", "bram18", "dsp"),
)
