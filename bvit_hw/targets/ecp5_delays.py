"""Delays of an ECP5 of speed grade 6, for the estimate of docs/timing.md."""

from __future__ import annotations

from collections.abc import Mapping

from bvit_hw.targets.delays import CellDelays, Delays, crossed

_PLAIN = "NONE"
_WORD = range(18)


def _fixed() -> dict[str, CellDelays]:
    lut = CellDelays(through=crossed("A B C D", "Z", 0.236))
    through = crossed("A0 B0 C0 D0", "S0", 0.447) | crossed("A0 B0 C0 D0 A1 B1 C1 D1", "S1", 0.698)
    through |= crossed("A0 B0 C0 D0 A1 B1 C1 D1", "COUT", 0.447)
    through |= {("CIN", "S0"): 0.443, ("CIN", "S1"): 0.443, ("CIN", "COUT"): 0.071}
    return {
        "LUT4": lut,
        "CCU2C": CellDelays(through=through, direct=frozenset({"CIN"})),
        "PFUMX": CellDelays(
            through=crossed("ALUT BLUT", "Z", 0.165) | {("C0", "Z"): 0.256}, direct=frozenset({"ALUT", "BLUT"})
        ),
        "L6MUX21": CellDelays(
            through=crossed("D0 D1", "Z", 0.165) | {("SD", "Z"): 0.256}, direct=frozenset({"D0", "D1"})
        ),
        "TRELLIS_FF": CellDelays(
            clocked={"Q": 0.525}, setup={"DI": 0.0, "M": 0.0, "CE": 0.0, "LSR": 0.42}
        ),
        "TRELLIS_DPR16X4": CellDelays(
            clocked={"DO": 0.85}, setup=dict.fromkeys(("DI", "WAD", "WRE"), 0.2), through={("RAD", "DO"): 0.236}
        ),
        "DP16KD": CellDelays(
            clocked={f"DO{side}{bit}": 5.609 for side in "AB" for bit in _WORD},
            setup=dict.fromkeys(
                [f"{pin}{side}{bit}" for pin in ("DI", "AD") for side in "AB" for bit in _WORD]
                + [f"{pin}{side}" for pin in ("CE", "OCE", "WE", "RST") for side in "AB"],
                0.1,
            ),
        ),
        **dict.fromkeys(("VLO", "VHI", "INV"), CellDelays(through={("A", "Z"): 0.0}, direct=frozenset({"A"}))),
        # the clock's path has no data
        "EHXPLLL": CellDelays(),
    }


_FIXED = _fixed()
_OPERANDS = [f"{side}{bit}" for side in "AB" for bit in _WORD]
_MULTIPLIER = CellDelays(through={(pin, f"P{bit}"): 3.564 for pin in _OPERANDS for bit in range(36)})


def delays_of(cell: str, parameters: Mapping[str, str]) -> CellDelays | None:
    """The delays of a cell; Yosys uses block RAMs and multipliers without their registers."""
    return _MULTIPLIER if cell == "MULT18X18D" else _FIXED.get(cell)


ECP5 = Delays(
    of=delays_of,
    wire=0.6,
    wire_doubling=0.15,
    source=(
        "cells: what nextpnr reports of the slowest paths of operators that it routed (lookup tables, registers, "
        "carries, block RAM), the multiplier as the last trial before had it; wires: the same reports"
    ),
    controls={"TRELLIS_FF": ("CLK", "CE", "LSR")},
    # of a slice's two flip-flops both have the same clock, enable and reset (FPGA-DS-02012, 2.2)
    luts_per_control_set=2,
)
