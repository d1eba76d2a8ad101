"""Delays of AMD's cells, for the estimate of docs/timing.md; speed grade -1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from bvit_hw.targets.delays import CellDelays, Delays, crossed, number

_CONTROLS = {
    "FDRE": ("C", "CE", "R"), "FDSE": ("C", "CE", "S"), "FDCE": ("C", "CE", "CLR"), "FDPE": ("C", "CE", "PRE"),
}  # fmt: skip
#: cells without a path: constants, and inverters that Vivado puts into the next lookup table
_FREE = {"GND", "VCC"}


@dataclass(frozen=True, kw_only=True)
class _Figures:
    """ns of one family: what the cells of 7 series and UltraScale+ have in common."""

    lut: float
    ff_out: float
    ff_enable: float
    ff_reset: float
    mux: float
    mux_select: float
    #: into a carry chain, from it, along one cell of it
    carry_in: float
    carry_out: float
    carry_on: float
    sum_of_own: float
    lut_ram_out: float
    lut_ram_setup: float
    ram_out: float
    ram_out_registered: float
    ram_setup: float
    ultra_out: float
    #: a DSP's registers, multiplier and adder
    dsp_in: float
    dsp_multiply: float
    dsp_add: float
    dsp_out: float
    dsp_cascade: float


def _dsp(f: _Figures, parameters: Mapping[str, str]) -> CellDelays:
    multiplies = parameters.get("USE_MULT", "MULTIPLY") != "NONE"
    multiplied = number(parameters, "MREG", 1) > 0 and multiplies
    last = number(parameters, "PREG", 1) > 0
    setup: dict[str, float] = {}
    through: dict[tuple[str, str], float] = {}
    arrival = f.dsp_out if last else 0.0
    to_m, m_to_p = f.dsp_multiply if multiplies else 0.0, f.dsp_add
    for port, default in (("A", 1), ("B", 1), ("C", 1), ("D", 1), ("PCIN", 0)):
        registered = port != "PCIN" and number(parameters, f"{port}REG", default) > 0
        via = 0.0 if port in ("C", "PCIN") else to_m
        if registered:
            setup[port] = f.dsp_in
            if not last:
                arrival = max(arrival, f.dsp_in + (0.0 if multiplied and via else via) + m_to_p)
        elif multiplied and via:
            setup[port] = via
        elif last:
            setup[port] = via + m_to_p
        else:
            through |= {(port, out): via + m_to_p + f.dsp_out for out in ("P", "PCOUT")}
    if multiplied and not last:
        arrival = max(arrival, f.dsp_in + m_to_p + f.dsp_out)
    for name in ("CEA1", "CEA2", "CEB1", "CEB2", "CEC", "CED", "CEM", "CEP", "CEAD", "RSTA", "RSTB", "RSTC", "RSTM",
                 "RSTP", "RSTD", "OPMODE", "ALUMODE", "INMODE", "CARRYIN"):  # fmt: skip
        setup[name] = f.dsp_in
    clocked = {"P": arrival, "PCOUT": arrival + f.dsp_cascade} if arrival else {}
    return CellDelays(clocked=clocked, setup=setup, through=through, direct=frozenset({"PCIN"}))


def _ram(f: _Figures, parameters: Mapping[str, str]) -> CellDelays:
    clocked: dict[str, float] = {}
    for side, outputs in (("A", "DOADO DOPADOP DOUTADOUT DOUTPADOUTP"), ("B", "DOBDO DOPBDOP DOUTBDOUT DOUTPBDOUTP")):
        ns = f.ram_out_registered if number(parameters, f"DO{side}_REG", 0) else f.ram_out
        clocked |= dict.fromkeys(outputs.split(), ns)
    inputs = (
        "ADDRARDADDR ADDRBWRADDR DIADI DIBDI DIPADIP DIPBDIP DINADIN DINBDIN DINPADINP DINPBDINP ENARDEN ENBWREN WEA "
        "WEBWE REGCEAREGCE REGCEB RSTRAMARSTRAM RSTRAMB RSTREGARSTREG RSTREGB"
    )
    return CellDelays(clocked=clocked, setup=dict.fromkeys(inputs.split(), f.ram_setup))


def _lut_ram(f: _Figures, cell: str) -> CellDelays:
    if cell.startswith("SRL"):
        return CellDelays(
            clocked={"Q": f.lut_ram_out, "Q31": f.lut_ram_out}, setup={"D": f.lut_ram_setup, "CE": f.lut_ram_setup},
            through=crossed("A A0 A1 A2 A3", "Q", f.lut),
        )  # fmt: skip
    letters = "ABCDEFGH"
    writes = ["WE", "D", "A", "ADDRD", "ADDRH", *(f"A{n}" for n in range(6)), *(f"DI{letter}" for letter in letters)]
    through = crossed("A A0 A1 A2 A3 A4 A5", "SPO", f.lut)
    through |= crossed("DPRA DPRA0 DPRA1 DPRA2 DPRA3 DPRA4 DPRA5", "DPO", f.lut)
    through |= {(f"ADDR{letter}", f"DO{letter}"): f.lut for letter in letters}
    outputs = ("SPO", "DPO", "O", *(f"DO{letter}" for letter in letters))
    return CellDelays(
        clocked=dict.fromkeys(outputs, f.lut_ram_out), setup=dict.fromkeys(writes, f.lut_ram_setup), through=through
    )


@cache
def _two_tables(ns: float, init: int) -> CellDelays:
    """A LUT6_2: O5 is its lower half, O6 the whole. An input that a table does not depend on is no way to it."""
    through = {}
    for out, inputs in (("O5", 5), ("O6", 6)):
        for place in range(inputs):
            if any(init >> at & 1 != init >> (at ^ 1 << place) & 1 for at in range(1 << inputs)):
                through[f"I{place}", out] = ns
    return CellDelays(through=through)


def _carry(f: _Figures) -> CellDelays:
    through = crossed("S DI CYINIT CI_TOP", "CO", f.carry_in) | {("CI", "CO"): f.carry_on}
    through |= crossed("S DI CYINIT CI_TOP", "O", f.sum_of_own) | {("CI", "O"): f.carry_out}
    # A carry cell lies behind the lookup tables of its own slice.
    return CellDelays(through=through, direct=frozenset({"CI", "S"}), rising=True)


def _of(f: _Figures) -> Callable[[str, Mapping[str, str]], CellDelays | None]:
    lut = {f"LUT{n}": CellDelays(through=crossed("I0 I1 I2 I3 I4 I5", "O", f.lut)) for n in range(1, 7)}
    lut["INV"] = CellDelays(through={("I", "O"): 0.0}, direct=frozenset({"I"}))
    mux = CellDelays(
        through={("I0", "O"): f.mux, ("I1", "O"): f.mux, ("S", "O"): f.mux_select}, direct=frozenset({"I0", "I1"})
    )
    fixed = lut | {"MUXF7": mux, "MUXF8": mux, "MUXF9": mux} | dict.fromkeys(_FREE, CellDelays())
    fixed |= dict.fromkeys(("CARRY4", "CARRY8"), _carry(f))
    for cell, (_, enable, reset) in _CONTROLS.items():
        fixed[cell] = CellDelays(clocked={"Q": f.ff_out}, setup={"D": 0.0, enable: f.ff_enable, reset: f.ff_reset})
    ultra = CellDelays(
        clocked=dict.fromkeys(("DOUT_A", "DOUT_B"), f.ultra_out),
        setup=dict.fromkeys(("ADDR_A", "ADDR_B", "DIN_A", "DIN_B", "EN_A", "EN_B", "BWE_A", "BWE_B", "RDB_WR_A",
                             "RDB_WR_B"), f.ram_setup),
    )  # fmt: skip

    def of(cell: str, parameters: Mapping[str, str]) -> CellDelays | None:
        if cell in fixed:
            return fixed[cell]
        if cell == "LUT6_2":
            return _two_tables(f.lut, number(parameters, "INIT", 0))
        if cell.startswith("DSP48"):
            return _dsp(f, parameters)
        if cell.startswith(("RAMB18", "RAMB36")):
            return _ram(f, parameters)
        if cell.startswith("URAM288"):
            return ultra
        if cell.startswith(("SRL", "RAM")):
            return _lut_ram(f, cell)
        return None

    return of


XC7 = Delays(
    of=_of(
        _Figures(
            lut=0.124, ff_out=0.456, ff_enable=0.205, ff_reset=0.524, mux=0.217, mux_select=0.296,
            carry_in=0.533, carry_out=0.334, carry_on=0.117, sum_of_own=0.642,
            lut_ram_out=1.163, lut_ram_setup=0.461,
            ram_out=2.454, ram_out_registered=0.882, ram_setup=0.566, ultra_out=2.454,
            dsp_in=0.324, dsp_multiply=1.416, dsp_add=1.325, dsp_out=0.329, dsp_cascade=0.106,
        )
    ),
    wire=0.53,
    wire_doubling=0.16,
    source=(
        "cells: Yosys' cells_sim.v (Project X-Ray, Artix-7) and, for lookup tables and flip-flops, routed timing "
        "reports of parts of speed grade -1; wires: twelve nets of such reports. Vivado has seen none of this RTL"
    ),
    controls=_CONTROLS,
    # a slice of four LUTs and eight flip-flops has one clock, one enable and one reset (UG474)
    luts_per_control_set=4,
)  # fmt: skip

XCUP = Delays(
    of=_of(
        _Figures(
            lut=0.107, ff_out=0.098, ff_enable=0.044, ff_reset=0.072, mux=0.082, mux_select=0.107,
            carry_in=0.245, carry_out=0.146, carry_on=0.03, sum_of_own=0.25,
            lut_ram_out=0.7, lut_ram_setup=0.15,
            ram_out=1.18, ram_out_registered=0.42, ram_setup=0.27, ultra_out=1.6,
            dsp_in=0.263, dsp_multiply=0.888, dsp_add=0.699, dsp_out=0.141, dsp_cascade=0.018,
        )
    ),
    wire=0.27,
    wire_doubling=0.075,
    source=(
        "cells: 96 routed reports by Vivado 2021.2 of small designs on an xczu3eg of speed grade -1 "
        "(github.com/gussmith23/lakeroad-evaluation); memories: those of 7 series, scaled as its adders' are; wires: "
        "215 nets of those reports, 0.18 ns and 0.049 more for each doubling of the fan-out, and half as much again "
        "for a full die. Vivado has seen none of this RTL"
    ),
    controls=_CONTROLS,
    # half a CLB, four LUTs and eight flip-flops, has an enable for each of its two columns and one reset (UG574)
    luts_per_control_set=4,
)  # fmt: skip
