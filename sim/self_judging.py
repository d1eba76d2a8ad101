"""Benches in SystemVerilog that judge by themselves: a module at many sets of parameters, side by side in one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import cocotb_model, simulate

from bvit_hw.rtl_library import source_paths


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
        f"  leaf_bench #({', '.join(f'.{k}({v})' for k, v in given.items())}) u_{n} (.clk, .judged(judged[{n}]));"
        for n, given in enumerate(instances)
    )
    top = folder / "leaf_top.sv"
    top.write_text(f"""
module leaf_bench #({parameters}) (input wire logic clk, output logic [31:0] judged);
  initial judged = 0;
{body}
endmodule

module leaf_top (
  input wire logic clk /*verilator public_flat_rw*/,
  output logic [{len(instances) - 1}:0][31:0] judged /*verilator public_flat_rw*/
);
{benches}
endmodule
""")
    model = cocotb_model([*source_paths([*needed, f"{name}.sv"]), top], "leaf_top", cycles=cycles)
    environment = {"BVIT_LEAF_CYCLES": str(cycles), "BVIT_LEAVES": str(len(instances))}
    simulate(model, top="leaf_top", module="leaves_cocotb", folder=folder, env=environment)
