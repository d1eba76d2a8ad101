"""AMD's 7 series, as in the Zynq-7000."""

from __future__ import annotations

from pathlib import Path

from bvit_hw.targets.target import Family, Target, read_coefficients
from bvit_hw.targets.xilinx import CELLS, DSP48, MEMORIES, synthesis
from bvit_hw.targets.xilinx_delays import XC7

#: fitted by benchmarks/fit_costs.py to what Yosys counts
COEFFICIENTS = read_coefficients(Path(__file__).with_suffix(".toml"))

TARGET = Target(
    name="xc7",
    families=(Family(name="zynq-7000", flow="vivado", ip_families=("zynq",)),),
    memories=MEMORIES,
    dsp=DSP48,
    # LUT6_2 and CARRY4
    vendor_cells=1,
    synthesis=synthesis("xc7"),
    cells=CELLS,
    delays=XC7,
    coefficients=COEFFICIENTS,
)
