"""The processing systems of AMD's Zynq chips, as Vivado's block designs see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: what the processing system gives the clock generator, in MHz
PS_CLOCK_MHZ = 100


@dataclass(frozen=True, kw_only=True)
class PsPorts:
    """What a processing system calls the ports that the block design uses (UG585, PG082; PG201).

    ``settings`` switch them on, and off what a board's preset may have switched on besides; ``high_memory`` are those
    without which DRAM above 4 GiB has no segment. ``more_than_dram`` says whether on-chip memory and the like lie
    behind the memory port, ``registers`` where the processor sees the DMA and the accelerator.
    """

    automation: str
    settings: Mapping[str, str]
    control: str
    control_clock: str
    memory: str
    memory_clock: str
    clock: str
    reset: str
    interrupt: str
    high_memory: Mapping[str, str]
    more_than_dram: bool
    registers: tuple[str, str]


#: by the name of Vivado's IP of the processing system
PS_PORTS: Mapping[str, PsPorts] = {
    "processing_system7": PsPorts(
        automation='make_external "FIXED_IO, DDR" Master "Disable" Slave "Disable"',
        settings={
            "PCW_USE_M_AXI_GP0": "1",
            "PCW_USE_M_AXI_GP1": "0",
            "PCW_USE_S_AXI_HP0": "1",
            "PCW_S_AXI_HP0_DATA_WIDTH": "64",
            "PCW_EN_CLK0_PORT": "1",
            "PCW_EN_RST0_PORT": "1",
            "PCW_FPGA0_PERIPHERAL_FREQMHZ": str(PS_CLOCK_MHZ),
            "PCW_USE_FABRIC_INTERRUPT": "1",
            "PCW_IRQ_F2P_INTR": "1",
        },
        control="M_AXI_GP0",
        control_clock="M_AXI_GP0_ACLK",
        memory="S_AXI_HP0",
        memory_clock="S_AXI_HP0_ACLK",
        clock="FCLK_CLK0",
        reset="FCLK_RESET0_N",
        interrupt="IRQ_F2P",
        high_memory={},
        more_than_dram=False,
        registers=("0x40400000", "0x43C00000"),
    ),
    "zynq_ultra_ps_e": PsPorts(
        automation="",
        settings={
            # The Vivado names count all ports of a kind: GP0 and GP1 are HPM0 and HPM1 of the full-power domain, GP2
            # is that of the low-power one; among the slaves GP2 is HP0.
            "PSU__USE__M_AXI_GP0": "1",
            "PSU__USE__M_AXI_GP1": "0",
            "PSU__USE__M_AXI_GP2": "0",
            "PSU__USE__S_AXI_GP2": "1",
            "PSU__SAXIGP2__DATA_WIDTH": "128",
            "PSU__FPGA_PL0_ENABLE": "1",
            "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": str(PS_CLOCK_MHZ),
            "PSU__USE__FABRIC__RST": "1",
            "PSU__NUM_FABRIC_RESETS": "1",
            "PSU__USE__IRQ0": "1",
        },
        control="M_AXI_HPM0_FPD",
        control_clock="maxihpm0_fpd_aclk",
        memory="S_AXI_HP0_FPD",
        memory_clock="saxihp0_fpd_aclk",
        clock="pl_clk0",
        reset="pl_resetn0",
        interrupt="pl_ps_irq0",
        high_memory={"PSU__DDR_HIGH_ADDRESS_GUI_ENABLE": "1"},
        more_than_dram=True,
        registers=("0xA0000000", "0xA0010000"),
    ),
}
