"""Delays of an ECP5 of speed grade 6, for the estimate of docs/timing.md.

Cells' are the largest of Project Trellis' (github.com/YosysHQ/prjtrellis-db, ECP5/timing/speed_6/cells.json), which are
those that nextpnr has; Yosys uses block RAMs and multipliers without their registers.
"""

from __future__ import annotations

from collections.abc import Mapping

from bvit_hw.targets.delays import CellDelays, Delays, crossed

_WORD, _ADDRESS = range(18), range(14)


def _block_ram() -> CellDelays:
    clocked: dict[str, float] = {}
    setup: dict[str, float] = {}
    for side, out, address, enable in (("A", 5.609, 0.251, 0.211), ("B", 5.83, 0.205, 0.34)):
        clocked |= dict.fromkeys([f"DO{side}{bit}" for bit in _WORD], out)
        setup |= dict.fromkeys([f"DI{side}{bit}" for bit in _WORD], 0.218)
        setup |= dict.fromkeys([f"AD{side}{bit}" for bit in _ADDRESS], address)
        setup |= {f"CE{side}": enable, f"OCE{side}": 0.253, f"WE{side}": 0.139, f"RST{side}": 0.585}
    return CellDelays(clocked=clocked, setup=setup)


def _fixed() -> dict[str, CellDelays]:
    carry = crossed("A0 B0 C0 D0", "S0", 0.236) | crossed("A0 B0 C0 D0", "S1", 0.714)
    carry |= crossed("A1 B1 C1 D1", "S1", 0.236) | crossed("A0 B0 C0 D0 A1 B1 C1 D1", "COUT", 0.447)
    carry |= {("CIN", "S0"): 0.443, ("CIN", "S1"): 0.474, ("CIN", "COUT"): 0.071}
    operands = [f"{side}{bit}" for side in "AB" for bit in _WORD]
    return {
        "LUT4": CellDelays(through=crossed("A B C D", "Z", 0.236)),
        "CCU2C": CellDelays(through=carry, direct=frozenset({"CIN"})),
        # behind the two lookup tables of a slice, and behind two slices
        "PFUMX": CellDelays(
            through=crossed("ALUT BLUT", "Z", 0.165) | {("C0", "Z"): 0.256}, direct=frozenset({"ALUT", "BLUT"})
        ),
        "L6MUX21": CellDelays(
            through=crossed("D0 D1", "Z", 0.242) | {("SD", "Z"): 0.252}, direct=frozenset({"D0", "D1"})
        ),
        "TRELLIS_FF": CellDelays(clocked={"Q": 0.525}, setup={"DI": 0.0, "M": 0.0, "CE": 0.0, "LSR": 0.424}),
        "TRELLIS_DPR16X4": CellDelays(
            clocked={"DO": 0.929}, setup={"DI": 0.0, "WAD": 0.0, "WRE": 0.392}, through={("RAD", "DO"): 0.236}
        ),
        "DP16KD": _block_ram(),
        "MULT18X18D": CellDelays(through={(pin, f"P{bit}"): 3.927 for pin in operands for bit in range(36)}),
        **dict.fromkeys(("VLO", "VHI", "INV"), CellDelays(through={("A", "Z"): 0.0}, direct=frozenset({"A"}))),
        # the clock's path has no data
        "EHXPLLL": CellDelays(),
    }


_FIXED = _fixed()


def delays_of(cell: str, parameters: Mapping[str, str]) -> CellDelays | None:
    """The delays of a cell; its parameters change none of them."""
    return _FIXED.get(cell)


ECP5 = Delays(
    of=delays_of,
    wire=0.6,
    wire_doubling=0.15,
    source=(
        "cells: Project Trellis' of speed grade 6, which nextpnr has; wires: set beforehand, and found within 4 % over "
        "the whole path in the four operators of docs/timing.md"
    ),
    controls={"TRELLIS_FF": ("CLK", "CE", "LSR")},
    # of a slice's two flip-flops both have the same clock, enable and reset (FPGA-DS-02012, 2.2)
    luts_per_control_set=2,
)
