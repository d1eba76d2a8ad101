"""rtl/check_style.py: the style holds in rtl/, and each rule finds what breaks it."""

import importlib.util
from pathlib import Path

import pytest

from bvit_hw.resources import data_path
from bvit_hw.rtl_library import library

_SPEC = importlib.util.spec_from_file_location("check_style", data_path("rtl") / "check_style.py")
assert _SPEC is not None and _SPEC.loader is not None
check_style = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(check_style)

GOOD = """\
// A register that holds while it is not enabled.
`default_nettype none

module bvit_x #(
  parameter int W = 8
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic         en,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output      logic         s_axis_tready
);
  if (W < 1) begin : gen_illegal
    $error("bvit_x: W=%0d must be positive", W);
  end
  bvit_y #(
    .W(W)
  ) u_y (
    .clk
  );
endmodule

`default_nettype wire
"""


@pytest.mark.parametrize("name", sorted(library()))
def test_the_style_holds(name: str) -> None:
    assert check_style.faults(library()[name]) == []


def test_a_good_file_breaks_no_rule(tmp_path: Path) -> None:
    (tmp_path / "bvit_x.sv").write_text(GOOD)
    assert check_style.faults(tmp_path / "bvit_x.sv") == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("// A register", "// " + "long " * 30, "columns; allowed: 120"),
        ("  if (W", "\tif (W", "tab"),
        ("endmodule\n", "endmodule \n", "blank at the end"),
        ("logic         en,", "logic         ce,", "called en"),
        ("logic         en,", "logic         row_ce,", "called en"),
        ('$error("bvit_x: W=%0d', '$fatal(1, "bvit_x: W=%0d', "told by $error"),
        ('"bvit_x: W=%0d', '"W=%0d', "begins with the module's name"),
        ("input  wire logic         en", "input  logic         en", "inputs are"),
        ("output      logic", "output      reg", "outputs are"),
        ("parameter int W", "parameter W", "has a type"),
        ("parameter int W = 8", 'parameter string W = "8"', "has a type"),
        ("parameter int W", "parameter int w", "upper case"),
        (": gen_illegal", ": illegal", "blocks are called gen_"),
        (") u_y (", ") y (", "instances are called u_"),
        ("  parameter int W", "    parameter int W", "indented by 2"),
        ("    $error", "      $error", "indented by 2"),
        ("    .clk", "      .clk", "indented by 2"),
        (
            "logic         clk,\n  input  wire logic         rst",
            "logic         rst,\n  input  wire logic         clk",
            "ports begin with",
        ),
        ("`default_nettype wire\n", "", "at the end"),
        ("// A register that holds while it is not enabled.\n", "", "begins with the comment"),
        ("tready", "there", "tvalid without tready"),
        ("  bvit_y", "  reg z;\n  bvit_y", "no reg"),
        ("  bvit_y", "  assign y = {{(W - 8){x[7]}}, x};\n  bvit_y", "a difference may be 0"),
        ("  bvit_y", "  assign y = {W - 8 {1'b0}};\n  bvit_y", "a difference may be 0"),
        ("  bvit_y", "  always_ff @(posedge clk) mem[a][8*i+:8] <= d;\n  bvit_y", "only bvit_ram"),
    ],
)
def test_each_rule_finds_what_breaks_it(old: str, new: str, rule: str, tmp_path: Path) -> None:
    assert old in GOOD
    (tmp_path / "bvit_x.sv").write_text(GOOD.replace(old, new, 1))
    assert any(rule in fault for fault in check_style.faults(tmp_path / "bvit_x.sv"))
