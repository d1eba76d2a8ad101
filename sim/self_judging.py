"""Benches in SystemVerilog that judge by themselves: a module at many sets of parameters, side by side in one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import cocotb_model, simulate

from bvit_hw.rtl_library import source_paths

#: Of a bench of a unit with a receiver: reset, and a ready that is high, rare, behind valid, or low, by turns. It needs
#: rst, m_valid, m_ready and pace, whose bit 2 is the source's.
RESET_AND_RECEIVER = """
    if ($urandom_range(40) == 0) pace <= $urandom_range(15);
    rst <= $urandom_range(400) == 0 || (rst && $urandom_range(1) == 0);
    case (pace[1:0])
      0: m_ready <= 1'b1;
      1: m_ready <= $urandom_range(3) == 0;
      2: m_ready <= m_valid && !m_ready;  // only after something is on offer
      default: m_ready <= 1'b0;
    endcase"""


def judge(
    name: str,
    instances: Sequence[Mapping[str, int]],
    body: str,
    folder: Path,
    cycles: int,
    needed: Sequence[str] = (),
) -> None:
    """Run the module ``name`` with the bench ``body``, once for each set of parameters, all in one model.

    The bench counts in ``judged`` the cycles that it has judged. ``needed`` are files of rtl/ that the module needs.
    """
    parameters = ", ".join(f"parameter int {key} = 0" for key in instances[0])
    benches = "\n".join(
        f"  unit_bench #({', '.join(f'.{k}({v})' for k, v in given.items())}) u_{n} (.clk, .judged(judged[{n}]));"
        for n, given in enumerate(instances)
    )
    top = folder / "units_top.sv"
    top.write_text(f"""
module unit_bench #({parameters}) (input wire logic clk, output logic [31:0] judged);
  initial judged = 0;
{body}
endmodule

module units_top (
  input wire logic clk /*verilator public_flat_rw*/,
  output logic [{len(instances) - 1}:0][31:0] judged /*verilator public_flat_rw*/
);
{benches}
endmodule
""")
    model = cocotb_model([*source_paths([*needed, f"{name}.sv"]), top], "units_top", cycles=cycles)
    environment = {"BVIT_UNIT_CYCLES": str(cycles), "BVIT_UNITS": str(len(instances))}
    simulate(model, top="units_top", module="self_judging_cocotb", folder=folder, env=environment)
