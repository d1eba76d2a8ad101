"""The pass `dsp_sums`: what `xilinx_dsp` packs after it does what the RTL does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows.yosys import run_script

#: what the pass is for, and a sum that the multiplier alone reads; each has to go into a DSP block all the same
CIRCUITS = {
    "a running sum": "always_ff @(posedge clk) sum <= sum + 5'(a); assign other = '0;",
    "a sum that others read": "always_ff @(posedge clk) sum <= 5'(a) + 5'(b); assign other = sum;",
    "its own sum": "always_ff @(posedge clk) sum <= 5'(a) + 5'(b); assign other = '0;",
}


def circuit(text: str) -> str:
    """A sum times ``c``, plus the product before, with two registers' signs held more than once."""
    return f"""
    module circuit (
      input logic clk, input logic signed [3:0] a, b, c,
      output logic signed [4:0] other, output logic signed [13:0] p
    );
      logic signed [4:0] sum;
      logic signed [10:0] m;
      logic signed [13:0] total;
      {text}
      always_ff @(posedge clk) begin
        m <= 11'(9'(sum) * 9'(c));
        total <= 14'(12'(12'(m) + 12'(b)));
      end
      assign p = total;
    endmodule
    """


def pack(work: Path, text: str, guard: str, reduce: str = "") -> None:
    """Prove that for six cycles the circuit, mapped after the commands ``guard``, is the circuit; ToolError if not."""
    work.mkdir(exist_ok=True)
    (work / "circuit.sv").write_text(circuit(text))
    read = f"read_slang --top circuit circuit.sv\nhierarchy -top circuit\nproc\nopt\n{reduce}opt_clean\n"
    run_script(
        work,
        f"{read}rename circuit gold\nwrite_rtlil gold.il\ndesign -reset\n"
        "read_verilog -lib +/xilinx/cells_sim.v\n"
        f"{read}{guard}synth_xilinx -family xc7 -top circuit -noiopad -noclkbuf -run map_dsp:coarse\n"
        "select -assert-count 1 t:DSP48E1\nselect -assert-none t:DSP48E1 r:PREG=0 %i\n"
        "techmap -autoproc -map +/xilinx/cells_sim.v t:DSP48E1\nflatten\nopt_clean\n"
        "rename circuit gate\nread_rtlil gold.il\n"
        "miter -equiv -flatten gold gate miter\nhierarchy -top miter\n"
        "sat -verify -set-init-zero -seq 6 -prove trigger 0 miter\n",
        (),
    )


@pytest.mark.parametrize("reduce", ["", "wreduce\n"], ids=["as read", "reduced"])
@pytest.mark.parametrize("text", CIRCUITS.values(), ids=CIRCUITS.keys())
def test_the_packed_circuit_is_the_circuit(text: str, reduce: str, tmp_path: Path) -> None:
    pack(tmp_path, text, "dsp_sums\n", reduce)


@pytest.mark.parametrize("text", CIRCUITS.values(), ids=CIRCUITS.keys())
def test_it_is_not_without_the_pass(text: str, tmp_path: Path) -> None:
    """The proof notices; and once Yosys packs rightly by itself, the pass can go."""
    with pytest.raises(ToolError, match=r"yosys.log"):
        pack(tmp_path, text, "")
