"""Commands and registers for the RTL: rtl/engine/bvit_engine_pkg.sv, from the places of their fields.

``python -m bvit_hw.engine.package`` writes it; tests/engine/test_package.py holds that it is up to date.
"""

from __future__ import annotations

from pathlib import Path

from bvit_hw.disk import write_aside
from bvit_hw.engine.commands import MATRIX, PLACES, PLAIN, WORDS, BitMode, Kind, Memory, Space
from bvit_hw.engine.config import COLUMNS, OCTET, OCTETS, VERSION
from bvit_hw.engine.machine import TABLE, Machine
from bvit_hw.resources import data_path
from bvit_hw.runtime.engine_registers import MAGIC, Control, Flag, Register, Status

PATH = Path("engine") / "bvit_engine_pkg.sv"


def package_text() -> str:
    """The package."""
    lines = [
        "// The engine's commands, where a field begins in a command's bits, and what its numbers mean; its registers.",
        "// Written by `python -m bvit_hw.engine.package` from bvit_hw/engine/; do not edit.",
        "`default_nettype none", "", "package bvit_engine_pkg;", "  // verilator lint_off UNUSEDPARAM",
    ]  # fmt: skip

    def constant(name: str, value: int) -> None:
        lines.append(f"  localparam int {name} = {value};")

    constant("VERSION", VERSION)
    constant("COMMAND_BITS", 64 * WORDS)
    constant("COLUMNS", COLUMNS)
    constant("OCTET", OCTET)
    constant("OCTETS", OCTETS)
    constant("TABLE", TABLE)
    for name in ("SUM", "FACTOR", "VECTOR", "RESULT", "COMPARE", "FOLD", "ENTRY", "THRESHOLD"):
        constant(f"{name}_BITS", getattr(Machine, f"{name}_BITS"))
    lines.append("  // A tap's source, and its coefficient where it has none.")
    constant("SOURCE_MATRIX", MATRIX)
    constant("COEF_PLAIN", PLAIN)
    lines.append("  // Fields of a command.")
    for name, (word, low, _) in PLACES.items():
        constant(f"AT_{name.upper()}", 64 * word + low)
    lines.append("  // What numbers mean.")
    for prefix, kinds in (("KIND", Kind), ("MEMORY", Memory), ("SPACE", Space), ("BIT", BitMode)):
        for kind in kinds:
            constant(f"{prefix}_{kind.name}", int(kind))
    lines.append("  // The registers, and bits of some.")
    constant("MAGIC", MAGIC)
    for register in Register:
        constant(f"REGISTER_{register.name}", int(register))
    for bits in (Control, Status, Flag):
        for bit in bits:
            constant(f"{bits.__name__.upper()}_{bit.name}", int(bit))
    return "\n".join([*lines, "  // verilator lint_on UNUSEDPARAM", "endpackage", "", "`default_nettype wire", ""])


def main() -> None:
    """Write the file."""
    write_aside(data_path("rtl") / PATH, package_text().encode())


if __name__ == "__main__":
    main()
