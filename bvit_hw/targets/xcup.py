"""AMD's UltraScale+, as in the Zynq UltraScale+ and on the Alveo cards."""

from __future__ import annotations

from dataclasses import replace

from bvit_hw.targets import xc7
from bvit_hw.targets.target import Family, Target
from bvit_hw.targets.xilinx import CELLS, DSP48, MEMORIES, synthesis
from bvit_hw.targets.xilinx_delays import XCUP

TARGET = Target(
    name="xcup",
    families=(
        Family(name="zynq-ultrascale+", flow="vivado", ip_families=("zynquplus",)),
        Family(name="alveo", flow="vitis", ip_families=("virtexuplus", "virtexuplusHBM"), pixel_bytes=64),
    ),
    # UG573: 4096 x 72 and nothing else. Devices without UltraRAM have a board whose file counts none.
    memories=replace(MEMORIES, ultra_shape=(4096, 72)),
    dsp=DSP48,
    # LUT6_2 and CARRY8
    vendor_cells=2,
    synthesis=synthesis("xcup"),
    cells=CELLS,
    delays=XCUP,
    # The LUTs and registers of a slice are those of 7 series, so its coefficients hold here as well.
    coefficients=xc7.COEFFICIENTS,
)
