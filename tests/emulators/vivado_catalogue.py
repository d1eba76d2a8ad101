"""Vivado's IP as the emulation knows it: parameters, pins and interfaces, typed from the product guides.

PG021 (AXI DMA), PG065 (clocking wizard), PG082 and UG585 (Zynq-7000), PG164 (processor system reset), PG201 (Zynq
UltraScale+), PG247 (SmartConnect); names of the processing systems' parameters from the board presets. Only what our
scripts use, and what could be mistaken for it, is here; what is not here is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Params = Mapping[str, str]


@dataclass(frozen=True)
class Pin:
    """A pin of a cell: ``out`` drives; ``kind`` is clock, reset, interrupt or data."""

    kind: str
    out: bool = False
    width: int = 1
    required: bool = True


@dataclass(frozen=True)
class Interface:
    """A bus interface: ``protocol`` is axi or axis, ``width`` of the data in bits (0: adapts itself)."""

    master: bool
    protocol: str
    clock: str
    width: int = 0


@dataclass(frozen=True)
class Segment:
    """What a slave answers to: a ``base`` where it has to lie (None: anywhere), ``size`` in bytes."""

    name: str
    interface: str
    size: int
    base: int | None = None


@dataclass(frozen=True)
class Ip:
    """One IP: its ``versions`` by release, ``parameters`` (default and pattern of legal values) and what they make.

    ``spaces`` maps address spaces to the master interface and the ranges that it can reach.
    """

    versions: Mapping[str, str]
    parameters: Mapping[str, tuple[str, str]]
    pins: Callable[[Params], dict[str, Pin]]
    interfaces: Callable[[Params], dict[str, Interface]]
    segments: Callable[[Params], list[Segment]] = lambda p: []
    spaces: Callable[[Params], dict[str, tuple[str, list[tuple[int, int]]]]] = lambda p: {}
    rule: str = ""
    #: interfaces that are no buses between cells and have to be made external
    external: tuple[str, ...] = ()
    #: what the board's preset switches on
    preset: Mapping[str, str] = field(default_factory=dict)


BOOL, NUMBER = r"[01]", r"\d+(\.\d+)?"
GIB = 1 << 30


def _on(p: Params, name: str) -> bool:
    return p[name] == "1"


def _ps7_pins(p: Params) -> dict[str, Pin]:
    pins = {}
    for gp in ("M_AXI_GP0", "M_AXI_GP1", "S_AXI_HP0"):
        if _on(p, f"PCW_USE_{gp}"):
            pins[f"{gp}_ACLK"] = Pin("clock")
    if _on(p, "PCW_EN_CLK0_PORT"):
        pins["FCLK_CLK0"] = Pin("clock", out=True)
    if _on(p, "PCW_EN_RST0_PORT"):
        pins["FCLK_RESET0_N"] = Pin("reset", out=True)
    if _on(p, "PCW_USE_FABRIC_INTERRUPT") and _on(p, "PCW_IRQ_F2P_INTR"):
        pins["IRQ_F2P"] = Pin("interrupt", width=0)
    return pins


def _ps7_interfaces(p: Params) -> dict[str, Interface]:
    found = {}
    for gp in ("M_AXI_GP0", "M_AXI_GP1"):
        if _on(p, f"PCW_USE_{gp}"):
            found[gp] = Interface(True, "axi", f"{gp}_ACLK", 32)
    if _on(p, "PCW_USE_S_AXI_HP0"):
        found["S_AXI_HP0"] = Interface(False, "axi", "S_AXI_HP0_ACLK", int(p["PCW_S_AXI_HP0_DATA_WIDTH"]))
    return found


def _ps7_segments(p: Params) -> list[Segment]:
    return [Segment("S_AXI_HP0/HP0_DDR_LOWOCM", "S_AXI_HP0", GIB // 2, 0)] if _on(p, "PCW_USE_S_AXI_HP0") else []


_HPM = {"GP0": ("M_AXI_HPM0_FPD", "maxihpm0_fpd_aclk"), "GP1": ("M_AXI_HPM1_FPD", "maxihpm1_fpd_aclk"),
        "GP2": ("M_AXI_HPM0_LPD", "maxihpm0_lpd_aclk")}  # fmt: skip


def _psu_pins(p: Params) -> dict[str, Pin]:
    pins = {clock: Pin("clock") for gp, (_, clock) in _HPM.items() if _on(p, f"PSU__USE__M_AXI_{gp}")}
    if _on(p, "PSU__USE__S_AXI_GP2"):
        pins["saxihp0_fpd_aclk"] = Pin("clock")
    if _on(p, "PSU__FPGA_PL0_ENABLE"):
        pins["pl_clk0"] = Pin("clock", out=True)
    if _on(p, "PSU__USE__FABRIC__RST"):
        pins |= {f"pl_resetn{n}": Pin("reset", out=True) for n in range(int(p["PSU__NUM_FABRIC_RESETS"]))}
    if _on(p, "PSU__USE__IRQ0"):
        pins["pl_ps_irq0"] = Pin("interrupt", width=0)
    return pins


def _psu_interfaces(p: Params) -> dict[str, Interface]:
    found = {n: Interface(True, "axi", c, 128) for gp, (n, c) in _HPM.items() if _on(p, f"PSU__USE__M_AXI_{gp}")}
    if _on(p, "PSU__USE__S_AXI_GP2"):
        width = int(p["PSU__SAXIGP2__DATA_WIDTH"])
        found["S_AXI_HP0_FPD"] = Interface(False, "axi", "saxihp0_fpd_aclk", width)
    return found


def _psu_segments(p: Params) -> list[Segment]:
    """Those of HP0. The upper stretch of DRAM is there where the board has more than 2 GiB (``_DDR``) and it is on."""
    if not _on(p, "PSU__USE__S_AXI_GP2"):
        return []
    port = "S_AXI_HP0_FPD"
    found = [
        Segment("SAXIGP2/HP0_DDR_LOW", port, 2 * GIB, 0),
        Segment("SAXIGP2/HP0_QSPI", port, GIB // 2, 0xC000_0000),
        Segment("SAXIGP2/HP0_LPS_OCM", port, 16 << 20, 0xFF00_0000),
    ]
    if int(p["_DDR"]) > 2 and _on(p, "PSU__DDR_HIGH_ADDRESS_GUI_ENABLE"):
        found.append(Segment("SAXIGP2/HP0_DDR_HIGH", port, (int(p["_DDR"]) - 2) * GIB, 0x8_0000_0000))
    return found


def _dma_interfaces(p: Params) -> dict[str, Interface]:
    found = {"S_AXI_LITE": Interface(False, "axi", "s_axi_lite_aclk", 32)}
    if _on(p, "c_include_mm2s"):
        found["M_AXI_MM2S"] = Interface(True, "axi", "m_axi_mm2s_aclk", int(p["c_m_axi_mm2s_data_width"]))
        found["M_AXIS_MM2S"] = Interface(True, "axis", "m_axi_mm2s_aclk", int(p["c_m_axis_mm2s_tdata_width"]))
    if _on(p, "c_include_s2mm"):
        found["M_AXI_S2MM"] = Interface(True, "axi", "m_axi_s2mm_aclk", int(p["c_m_axi_s2mm_data_width"]))
        found["S_AXIS_S2MM"] = Interface(False, "axis", "m_axi_s2mm_aclk", int(p["c_s_axis_s2mm_tdata_width"]))
    if _on(p, "c_include_sg"):
        found["M_AXI_SG"] = Interface(True, "axi", "m_axi_sg_aclk", 32)
    return found


def _dma_pins(p: Params) -> dict[str, Pin]:
    pins = {interface.clock: Pin("clock") for interface in _dma_interfaces(p).values()}
    pins["axi_resetn"] = Pin("reset")
    for way in ("mm2s", "s2mm"):
        if _on(p, f"c_include_{way}"):
            pins[f"{way}_introut"] = Pin("interrupt", out=True)
            # resets of whatever is on the stream: not used here
            pins[f"{way}_prmry_reset_out_n"] = Pin("reset", out=True, required=False)
    return pins


def _dma_spaces(p: Params) -> dict[str, tuple[str, list[tuple[int, int]]]]:
    reach = [(0, 1 << int(p["c_addr_width"]))]
    return {f"Data_{i[6:]}": (i, reach) for i, x in _dma_interfaces(p).items() if x.master and x.protocol == "axi"}


def _smartconnect(p: Params) -> dict[str, Interface]:
    found = {f"S{n:02}_AXI": Interface(False, "axi", "aclk") for n in range(int(p["NUM_SI"]))}
    return found | {f"M{n:02}_AXI": Interface(True, "axi", "aclk") for n in range(int(p["NUM_MI"]))}


def _wizard_pins(p: Params) -> dict[str, Pin]:
    pins = {"clk_in1": Pin("clock"), "clk_out1": Pin("clock", out=True)}
    if p["USE_RESET"] == "true":
        pins["resetn" if p["RESET_TYPE"] == "ACTIVE_LOW" else "reset"] = Pin("reset")
    if p["USE_LOCKED"] == "true":
        pins["locked"] = Pin("data", out=True)
    return pins


def _same(version: str) -> dict[str, str]:
    return {"2022.2": version, "2024.2": version}


_DDR_PARAMETERS = {
    "PSU__DDRC__MEMORY_TYPE": ("DDR 4", "DDR 4|LPDDR 4|DDR 3"),
    "PSU__DDRC__BUS_WIDTH": ("64 Bit", "(32|64) Bit"),
    "PSU__DDRC__DRAM_WIDTH": ("16 Bits", "(8|16|32) Bits"),
    "PSU__DDRC__DEVICE_CAPACITY": ("4096 MBits", r"\d+ MBits"),
    "PSU__DDRC__SPEED_BIN": ("DDR4_2133P", r"(LP)?DDR\d_\w+"),
    "PSU__DDRC__ROW_ADDR_COUNT": ("15", r"1\d"),
    "PSU__DDRC__BANK_ADDR_COUNT": ("2", r"[23]"),
    "PSU__DDRC__BG_ADDR_COUNT": ("1", r"[012]"),
}

CATALOGUE: dict[str, Ip] = {
    "processing_system7": Ip(
        _same("5.5"),
        {
            "PCW_USE_M_AXI_GP0": ("1", BOOL),
            "PCW_USE_M_AXI_GP1": ("0", BOOL),
            "PCW_USE_S_AXI_HP0": ("0", BOOL),
            "PCW_S_AXI_HP0_DATA_WIDTH": ("64", "32|64"),
            "PCW_EN_CLK0_PORT": ("0", BOOL),
            "PCW_EN_RST0_PORT": ("0", BOOL),
            "PCW_FPGA0_PERIPHERAL_FREQMHZ": ("50", NUMBER),
            "PCW_USE_FABRIC_INTERRUPT": ("0", BOOL),
            "PCW_IRQ_F2P_INTR": ("0", BOOL),
            "PCW_CRYSTAL_PERIPHERAL_FREQMHZ": ("33.333333", NUMBER),
            "PCW_UIPARAM_DDR_PARTNO": ("MT41J256M8 HX-15E", r"MT41\w+ [\w-]+"),
            "PCW_UIPARAM_DDR_BUS_WIDTH": ("32 Bit", "(16|32) Bit"),
        },
        _ps7_pins,
        _ps7_interfaces,
        _ps7_segments,
        lambda p: {"Data": ("M_AXI_GP0", [(0x4000_0000, 0x8000_0000)])},
        rule="xilinx.com:bd_rule:processing_system7",
        external=("FIXED_IO", "DDR"),
    ),
    "zynq_ultra_ps_e": Ip(
        {"2022.2": "3.4", "2024.2": "3.5"},
        {
            **{f"PSU__USE__M_AXI_{gp}": ("0", BOOL) for gp in _HPM},
            "PSU__USE__S_AXI_GP2": ("0", BOOL),
            "PSU__SAXIGP2__DATA_WIDTH": ("128", "32|64|128"),
            "PSU__FPGA_PL0_ENABLE": ("0", BOOL),
            "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ": ("100", NUMBER),
            "PSU__CRL_APB__PL0_REF_CTRL__SRCSEL": ("IOPLL", "IOPLL|RPLL|DPLL"),
            "PSU__USE__FABRIC__RST": ("0", BOOL),
            "PSU__NUM_FABRIC_RESETS": ("1", "[1-4]"),
            "PSU__USE__IRQ0": ("0", BOOL),
            "PSU__PSS_REF_CLK__FREQMHZ": ("33.333", NUMBER),
            "PSU__DDR_HIGH_ADDRESS_GUI_ENABLE": ("0", BOOL),
            **_DDR_PARAMETERS,
        },
        _psu_pins,
        _psu_interfaces,
        _psu_segments,
        lambda p: {"Data": ("M_AXI_HPM0_FPD", [(0xA000_0000, 0xB000_0000), (0x4_0000_0000, 0x5_0000_0000)])},
        rule="xilinx.com:bd_rule:zynq_ultra_ps_e",
        # as the presets of Ultra96-V2 and Kria do
        preset={"PSU__USE__M_AXI_GP0": "1", "PSU__USE__M_AXI_GP1": "1", "PSU__USE__IRQ0": "1"},
    ),
    "clk_wiz": Ip(
        _same("6.0"),
        {
            "PRIM_SOURCE": ("Single_ended_clock_capable_pin", "No_buffer|Global_buffer|\\w+_pin"),
            "CLKOUT1_REQUESTED_OUT_FREQ": ("100.000", NUMBER),
            "USE_RESET": ("true", "true|false"),
            "RESET_TYPE": ("ACTIVE_HIGH", "ACTIVE_HIGH|ACTIVE_LOW"),
            "USE_LOCKED": ("true", "true|false"),
        },
        _wizard_pins,
        lambda p: {},
    ),
    "proc_sys_reset": Ip(
        _same("5.0"),
        {},
        lambda p: {
            "slowest_sync_clk": Pin("clock"),
            "ext_reset_in": Pin("reset"),
            "dcm_locked": Pin("data"),
            "aux_reset_in": Pin("reset", required=False),
            "interconnect_aresetn": Pin("reset", out=True),
            "peripheral_aresetn": Pin("reset", out=True),
        },
        lambda p: {},
    ),
    "axi_dma": Ip(
        _same("7.1"),
        {
            "c_include_sg": ("1", BOOL),
            "c_sg_include_stscntrl_strm": ("1", BOOL),
            "c_sg_length_width": ("14", r"[89]|1\d|2[0-6]"),
            "c_addr_width": ("32", r"3[2-9]|[45]\d|6[0-4]"),
            "c_include_mm2s": ("1", BOOL),
            "c_include_s2mm": ("1", BOOL),
            "c_include_mm2s_dre": ("0", BOOL),
            "c_include_s2mm_dre": ("0", BOOL),
            "c_m_axi_mm2s_data_width": ("32", "32|64|128|256|512|1024"),
            "c_m_axi_s2mm_data_width": ("32", "32|64|128|256|512|1024"),
            "c_m_axis_mm2s_tdata_width": ("32", "8|16|32|64|128|256|512|1024"),
            "c_s_axis_s2mm_tdata_width": ("32", "8|16|32|64|128|256|512|1024"),
            "c_mm2s_burst_size": ("16", "2|4|8|16|32|64|128|256"),
            "c_s2mm_burst_size": ("16", "2|4|8|16|32|64|128|256"),
        },
        _dma_pins,
        _dma_interfaces,
        lambda p: [Segment("S_AXI_LITE/Reg", "S_AXI_LITE", 64 << 10)],
        _dma_spaces,
    ),
    "smartconnect": Ip(
        _same("1.0"),
        {"NUM_SI": ("1", r"[1-9]|1[0-6]"), "NUM_MI": ("1", r"[1-9]|1[0-6]"), "NUM_CLKS": ("1", "[1-9]")},
        lambda p: {"aclk": Pin("clock"), "aresetn": Pin("reset")},
        _smartconnect,
    ),
    "xlconcat": Ip(
        _same("2.1"),
        {"NUM_PORTS": ("2", r"[1-9]\d?")},
        lambda p: {
            **{f"In{n}": Pin("interrupt") for n in range(int(p["NUM_PORTS"]))},
            "dout": Pin("interrupt", out=True, width=int(p["NUM_PORTS"])),
        },
        lambda p: {},
    ),
}


def legal(ip: Ip, name: str, value: str) -> bool:
    """Whether the IP has a parameter of that name that takes that value."""
    return name in ip.parameters and re.fullmatch(ip.parameters[name][1], value) is not None
