"""Glue operators (Fifo, Duplicate, WidthConverter) against their golden functions, with mutations and cost models."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harness import Dut, DutStream, assert_caught, check_op, dut_of, mutant, random_frame
from late_reset import late

from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.flows.verilator import lint
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops.base import HwOp
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.width_converter import WidthConverter
from bvit_hw.rtl_library import source_paths
from bvit_hw.targets import XC7
from bvit_hw.targets.xcup import TARGET as XCUP


def fifo(depth: int, style: str = "small", *, pe: int = 4, bits: int = 7, tokens: int = 20) -> Fifo:
    target = XCUP if style == "ultra" else XC7
    return Fifo(tokens=tokens, channels=4 * pe, bits=bits, signed=True, pe=pe, depth=depth, style=style, target=target)


def wide_fifo(width: int, depth: int) -> Fifo:
    """One in UltraRAM."""
    return Fifo(tokens=4, channels=width, bits=1, signed=False, pe=width, depth=depth, style="ultra", target=XCUP)


def converter(lanes_in: int, lanes_out: int, *, bits: int = 3, tokens: int = 12) -> WidthConverter:
    channels = 2 * np.lcm(lanes_in, lanes_out)
    return WidthConverter(
        tokens=tokens, channels=int(channels), bits=bits, signed=False, lanes_in=lanes_in, lanes_out=lanes_out
    )


def duplicate(copies: int, pe: int = 3) -> Duplicate:
    return Duplicate(tokens=25, channels=2 * pe, bits=5, signed=True, copies=copies, pe=pe)


def frames_of(op: HwOp, count: int = 3, seed: int = 1) -> list[tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(seed)
    return [random_frame(op, rng) for _ in range(count)]


@pytest.mark.parametrize(
    ("depth", "style", "pe", "bits"),
    [(2, "small", 1, 2), (3, "small", 4, 7), (16, "small", 16, 9), (100, "small", 1, 8), (4, "large", 2, 8),
     (64, "large", 10, 8), (70, "large", 3, 3), (4, "ultra", 2, 8), (64, "ultra", 10, 8), (70, "ultra", 3, 3)],
)  # fmt: skip
def test_fifo(depth: int, style: str, pe: int, bits: int) -> None:
    op = fifo(depth, style, pe=pe, bits=bits)
    measured = check_op(op, {}, frames_of(op, seed=depth))
    assert measured.latency_first == (min(depth - 1, 2) if style == "small" else 3)
    # Full is what holds depth beats, not one less.
    assert (measured.capacity, measured.occupancy["held"]) == ((depth,), depth)


def test_banks_of_ultraram_side_by_side() -> None:
    """Deeper than one UltraRAM, of whose words a beat takes a small part: two banks, then what is behind the last."""
    op = fifo(5000, "ultra", pe=2, bits=5, tokens=1500)
    assert op.resources().uram == 1
    measured = check_op(op, {}, frames_of(op, 1), patterns=("full", "reset"))
    assert (measured.latency_first, measured.capacity) == (3, (5000,))


def test_fifo_occupancy_is_what_sizing_needs() -> None:
    """A FIFO that never fills up tells the depth that would have done."""
    op = fifo(1 << 16)
    seen = check_op(op, {}, frames_of(op)).occupancy
    beats = op.stream.beats * 4
    assert seen["full"] == 2 and 2 <= seen["starved"] <= 3
    assert 20 < seen["stalled"] <= beats
    tight = fifo(4)
    assert check_op(tight, {}, frames_of(tight), patterns=("stalled",)).occupancy == {"stalled": 4}


def test_another_device_with_other_ports(tmp_path: Path) -> None:
    """What comes from HLS: upper-case ports padded to bytes, reset active low."""
    op = fifo(8, pe=1, bits=10)
    (tmp_path / "foreign.sv").write_text("""
module foreign (
  input wire ap_clk, input wire ap_rst_n,
  input wire [15:0] in0_V_TDATA, input wire in0_V_TVALID, output wire in0_V_TREADY,
  output wire [15:0] out0_V_TDATA, output wire out0_V_TVALID, input wire out0_V_TREADY);
  wire [9:0] data;
  bvit_fifo #(.W(10), .DEPTH(8)) u_fifo (.clk(ap_clk), .rst(!ap_rst_n),
    .s_axis_tdata(in0_V_TDATA[9:0]), .s_axis_tvalid(in0_V_TVALID), .s_axis_tready(in0_V_TREADY),
    .m_axis_tdata(data), .m_axis_tvalid(out0_V_TVALID), .m_axis_tready(out0_V_TREADY));
  assign out0_V_TDATA = {6'h2a, data};
endmodule
""")
    device = Dut(
        module="foreign",
        sources=(*source_paths(["bvit_fifo.sv"]), tmp_path / "foreign.sv"),
        inputs=(DutStream(prefix="in0_V", width=10, port_width=16),),
        outputs=(DutStream(prefix="out0_V", width=10, port_width=16),),
        clock="ap_clk",
        reset="ap_rst_n",
        reset_active_low=True,
        upper=True,
    )
    check_op(op, {}, frames_of(op), dut=device)


@pytest.mark.parametrize("op", [fifo(2), fifo(5), fifo(70, "large"), fifo(70, "ultra")], ids=str)
def test_a_fifo_takes_nothing_in_reset(op: HwOp, tmp_path: Path) -> None:
    """Of two neighbours one may leave reset later: what the other one offers meanwhile must wait."""
    check_op(op, {}, frames_of(op), dut=late(dut_of(op, {}), tmp_path))


RULE_BREAKERS = {
    # name: (valid, data, ready, what the bench must say)
    "withdraws": ("s_axis_tvalid && odd_q", "s_axis_tdata", "m_axis_tready && odd_q", "was withdrawn"),
    "changes": ("s_axis_tvalid", "s_axis_tdata ^ 8'(waited_q)", "m_axis_tready", "tdata changed"),
    "waits for ready": ("s_axis_tvalid && m_axis_tready", "s_axis_tdata", "m_axis_tready", "hangs"),
    "talks in reset": ("s_axis_tvalid || rst", "s_axis_tdata", "m_axis_tready", "high during reset"),
    "loses a beat": ("s_axis_tvalid && count_q != 77", "s_axis_tdata", "m_axis_tready || count_q == 77", "hangs"),
    "adds a beat": ("s_axis_tvalid || count_q == 320", "s_axis_tdata", "m_axis_tready", "surplus"),
    "flips a bit": ("s_axis_tvalid", "s_axis_tdata ^ 8'(count_q == 319)", "m_axis_tready", "1 of 320 beats differ"),
    "half speed": ("s_axis_tvalid && (odd_q || waited_q)", "s_axis_tdata", "m_axis_tready && (odd_q || waited_q)",
                   "cycles a frame simulated"),
}  # fmt: skip


def rogue(name: str, folder: Path) -> Dut:
    """A device that breaks a rule of AXI-Stream, or a promise."""
    valid, data, ready, _ = RULE_BREAKERS[name]
    (folder / "rogue.sv").write_text(f"""
module rogue (
  input wire clk, input wire rst,
  input wire [7:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [7:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready);
  logic odd_q, waited_q;
  int count_q;
  assign m_axis_tvalid = {valid};
  assign m_axis_tdata = {data};
  assign s_axis_tready = {ready};
  always @(posedge clk) begin
    odd_q <= !rst && !odd_q;
    waited_q <= m_axis_tvalid && !m_axis_tready;
    count_q <= rst ? 0 : count_q + 32'(s_axis_tvalid && s_axis_tready);
  end
endmodule
""")
    return Dut(
        module="rogue",
        sources=(folder / "rogue.sv",),
        inputs=(DutStream(prefix="s_axis", width=8, port_width=8),),
        outputs=(DutStream(prefix="m_axis", width=8, port_width=8),),
    )


@pytest.mark.parametrize("name", RULE_BREAKERS)
def test_the_bench_finds_rule_breakers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my out's (1) $x [é]"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))  # failed runs keep their folders
    op = fifo(2, pe=1, bits=8)
    with pytest.raises(AssertionError, match=RULE_BREAKERS[name][3]):
        check_op(op, {}, frames_of(op), dut=rogue(name, tmp_path))


def test_what_the_checker_allows(tmp_path: Path) -> None:
    """A beat that waits may go in the cycle in which reset begins; the first may come in the cycle after the reset."""
    (tmp_path / "eager.sv").write_text("""
module eager (
  input wire clk, input wire rst,
  input wire [7:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [7:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready);
  int given_q;
  assign s_axis_tready = 1'b1;
  assign m_axis_tvalid = !rst && given_q != 320;
  assign m_axis_tdata = 8'd0;
  always @(posedge clk) given_q <= rst ? 0 : given_q + 32'(m_axis_tvalid && m_axis_tready);
endmodule
""")
    streams = {
        side: (DutStream(prefix=prefix, width=8, port_width=8),)
        for side, prefix in (("inputs", "s_axis"), ("outputs", "m_axis"))
    }
    device = Dut(module="eager", sources=(tmp_path / "eager.sv",), **streams)
    op = fifo(2, pe=1, bits=8)
    zeros = [np.zeros((s.tokens, s.channels), dtype=np.int64) for s in op.inputs]
    assert 4 * op.inputs[0].beats == 320
    check_op(op, {}, zeros, dut=device)


CHECKER_MUTATIONS = [
    ("bvit_axis_check.sv", "assert (tvalid) else", "assert (1'b1) else", "withdraws"),
    ("bvit_axis_check.sv", "assert (tdata == tdata_q)", "assert (tdata_q == tdata_q)", "changes"),
    ("bvit_axis_check.sv", "held_q <= tvalid && !tready && !rst", "held_q <= 1'b0", "withdraws"),
    ("bvit_axis_check.sv", "assert (!tvalid)", "assert (1'b1)", "talks in reset"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new", "name"), CHECKER_MUTATIONS)
def test_a_faulty_checker_is_noticed(
    file: str, old: str, new: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above would fail with it: what the rule breaker does is not named any more."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    op, device = fifo(2, pe=1, bits=8), rogue(name, tmp_path)
    device = replace(device, sources=(*device.sources, mutant(tmp_path, file, old, new) / file))
    said = ""
    try:
        check_op(op, {}, frames_of(op), dut=device)
    except AssertionError as error:
        said = str(error)
    assert RULE_BREAKERS[name][3] not in said


def test_fifo_at_network_size() -> None:
    op = Fifo(tokens=56 * 56, channels=64, bits=8, signed=True, pe=16, depth=1024, style="large")
    check_op(op, {}, frames_of(op, 1), patterns=("full", "both"))


@pytest.mark.parametrize(
    ("lanes_in", "lanes_out"), [(4, 4), (1, 2), (2, 10), (12, 3), (8, 1), (2, 3), (3, 2), (7, 5), (4, 6)]
)
def test_width_converter(lanes_in: int, lanes_out: int) -> None:
    op = converter(lanes_in, lanes_out)
    check_op(op, {}, frames_of(op))


def test_width_converter_at_network_size() -> None:
    op = WidthConverter(tokens=196, channels=384, bits=8, signed=True, lanes_in=24, lanes_out=16)
    check_op(op, {}, frames_of(op, 1), patterns=("full", "both"))


@pytest.mark.parametrize("copies", range(2, 9))
def test_duplicate(copies: int) -> None:
    op = duplicate(copies)
    check_op(op, {}, frames_of(op))


@pytest.mark.parametrize("ops", [
    [fifo(d, s) for d, s in ((2, "small"), (3, "small"), (33, "small"), (100, "small"), (64, "large"), (700, "large"),
                             (64, "ultra"), (5000, "ultra"))] + [wide_fifo(64, 25_090)],
    [converter(a, b) for a, b in ((4, 4), (1, 2), (2, 10), (12, 3), (2, 3), (7, 5))],
    [duplicate(n) for n in range(2, 9)],
], ids=["fifo", "width_converter", "duplicate"])  # fmt: skip
def test_lint(ops: list[HwOp]) -> None:
    for op in ops:
        instance = op.rtl({})
        lint(source_paths(op.rtl_sources), instance.module, instance.parameters)


def test_a_beat_left_in_a_fifo_that_stood_is_caught(tmp_path: Path) -> None:
    """Only a reset that meets a full FIFO leaves one: at full rate the skid register is empty."""
    fault = mutant(tmp_path, "bvit_fifo.sv", "        skid_valid_q <= 1'b0;\n      end", "      end")
    assert_caught(fifo(2), {}, frames_of(fifo(2)), fault)


def deep_ultra() -> Fifo:
    """Its banks lie side by side."""
    return fifo(4200, "ultra", pe=1, bits=5, tokens=1200)


#: block RAM and UltraRAM have the same lines: these are the latter's
ULTRA_MEMORY = """(* ram_style = "ultra" *)
          logic [W-1:0] mem[Size];
          always_ff @(posedge clk) begin
            if (push) mem[write_q] <= s_axis_tdata;
            if (read) latch_q <= mem[read_q];"""

MUTATIONS = [
    (fifo(8), "!(last_q && push && !pop)", "1'b1"),
    (fifo(8), "count_q == CountW'(DEPTH - 2)", "count_q == CountW'(DEPTH - 3)"),
    (fifo(8), "if (push != pop) last_q", "if (push) last_q"),
    (fifo(8), "last_q <= 1'b1;", "last_q <= 1'b0;"),
    (fifo(8), "if (!ready_q) last_q <= pop;", "if (!ready_q) last_q <= 1'b0;"),
    (fifo(2), "free || !(push || skid_valid_q)", "free || !push"),
    (fifo(2), "free || !(push || skid_valid_q)", "!(push || skid_valid_q)"),
    (fifo(5), "free = !valid_q || m_axis_tready", "free = m_axis_tready"),
    (fifo(5), "else if (free) valid_q <= stored;", "else valid_q <= stored;"),
    (fifo(2), "skid_valid_q ? skid_q : s_axis_tdata", "s_axis_tdata"),
    (fifo(70, "large"), "(!latch_valid_q || free)", "1'b1"),
    (fifo(70, "large"), "write_q == AddrW'(Size - 1)", "write_q == AddrW'(Size - 2)"),
    (fifo(70, "large"), "latch_valid_q <= 1'b0;", "latch_valid_q <= latch_valid_q;"),
    (fifo(70, "ultra"), "(!latch_valid_q || free)", "1'b1"),
    (fifo(70, "ultra"), "write_q == AddrW'(Size - 1)", "write_q == AddrW'(Size - 2)"),
    (fifo(70, "ultra"), ULTRA_MEMORY, ULTRA_MEMORY.replace("mem[read_q]", "s_axis_tdata")),
    (fifo(70, "ultra"), ULTRA_MEMORY, ULTRA_MEMORY.replace("if (read) ", "")),
    (fifo(70, "ultra"), ULTRA_MEMORY, ULTRA_MEMORY.replace("mem[write_q]", "mem[read_q]")),
    (deep_ultra(), "bank_q <= read_q[AddrW-1:RowW]", "bank_q <= '0"),
    (deep_ultra(), "write_q[AddrW-1:RowW] == ", "'0 == "),
    (deep_ultra(), "bank*Column+:Column] <=", "bank+:Column] <="),
    (converter(2, 10), "PartW'(Parts - 1)", "PartW'(Parts - 2)"),
    (converter(2, 10), "!last || m_axis_tready", "!last"),
    (converter(2, 10), "if (rst) part_q <= '0;\n      else if", "if"),
    (converter(2, 10), "{s_axis_tdata, kept_q} >> W_IN", "{s_axis_tdata, kept_q}"),
    (converter(12, 3), "last && m_axis_tready", "last"),
    (converter(2, 3), "count_q <= UnitsW'(Units - In)", "count_q <= UnitsW'(Units)"),
    (converter(2, 3), "count_q >= UnitsW'(Out)", "count_q >= UnitsW'(1)"),
    (converter(3, 2), "count_q <= UnitsW'(Units - In)", "count_q == '0"),
    (duplicate(3), "s_axis_tready = &has", "s_axis_tready = |has"),
    (
        duplicate(5),
        "taken_q | m_axis_tready;",
        "taken_q | {m_axis_tready[3], m_axis_tready[4], m_axis_tready[2:0]};",
    ),
    (converter(2, 3), "count_q <= UnitsW'(Units - In)", "count_q < UnitsW'(Units - In)"),
    (duplicate(3), "if (rst) taken_q <= '0;\n    else if", "if"),
    (duplicate(3), "s_axis_tready ? '0 : has", "'0"),
    (duplicate(3), "{COPIES{s_axis_tvalid}} & ~taken_q", "{COPIES{s_axis_tready}} & ~taken_q"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("op", "old", "new"), MUTATIONS)
def test_mutations_are_caught(op: HwOp, old: str, new: str, tmp_path: Path) -> None:
    assert_caught(op, {}, frames_of(op), mutant(tmp_path, op.rtl_sources[-1], old, new))


def test_cost_models(tmp_path: Path) -> None:
    """Predicted against Yosys: 15 % or 5 LUTs, registers and block RAMs exact."""
    ops: list[HwOp] = [
        *(fifo(depth, pe=8, bits=8) for depth in (2, 16, 64)),
        fifo(512, "large", pe=8, bits=9),
        fifo(1000, "large", pe=8, bits=8),
        *(converter(a, b, bits=8) for a, b in ((1, 4), (8, 1), (6, 2), (2, 3), (4, 3))),
        *(duplicate(n) for n in (2, 4, 8)),
    ]  # fmt: skip
    jobs = [job_of(str(n), op, {}) for n, op in enumerate(ops)]
    counts = synthesize(jobs, target=XC7, work=tmp_path / "work", processes=1)
    for n, op in enumerate(ops):
        counted, predicted = counts[str(n)], op.resources()
        assert predicted.lut == pytest.approx(counted.lut, rel=0.15, abs=5), op
        assert (predicted.ff, predicted.bram18) == (pytest.approx(counted.ff, abs=2), counted.bram18), op


#: width and depth of a FIFO, and the UltraRAMs that it takes
URAMS = {
    # one; just too wide, or too deep for it; hardly used
    (72, 4096): 1, (73, 4096): 2, (72, 4097): 2, (72, 64): 1,
    # the full-size network's, no multiples: behind one another, side by side as bytes of 8 and of 9 bits
    (64, 25_090): 7, (9, 8192): 1, (16, 24_962): 2, (96, 12_545): 6, (33, 9000): 2,
}  # fmt: skip


def test_ultraram_is_inferred(tmp_path: Path) -> None:
    """Yosys makes URAM288 of it and no other memory, as many as predicted; LUTs and registers as for block RAM."""
    ops = {shape: wide_fifo(*shape) for shape in URAMS}
    jobs = [job_of(str(shape), op, {}) for shape, op in ops.items()]
    found = synthesize(jobs, target=XCUP, work=tmp_path / "work", processes=1)
    for shape, op in ops.items():
        counted, predicted = found[str(shape)], op.resources()
        assert (counted.uram, counted.bram18, counted.dsp) == (URAMS[shape], 0, 0), op
        assert (predicted.uram, predicted.bram18) == (URAMS[shape], 0), op
        assert predicted.lut == pytest.approx(counted.lut, rel=0.15, abs=5), op
        assert predicted.ff == pytest.approx(counted.ff, abs=2), op


def test_what_is_there_at_power_up_is_not_in_ultraram() -> None:
    """It has no initial contents: no module that has such a memory reads a file, or sets one up."""
    sources = {path.name: path.read_text() for path in (Path(__file__).parents[1] / "rtl").rglob("*.sv")}
    ultra = {name for name, text in sources.items() if '"ultra"' in text}
    assert ultra == {"bvit_engine_ram.sv", "bvit_fifo.sv", "bvit_ram.sv"}
    for name in ultra:
        assert "$readmem" not in sources[name] and "initial" not in re.sub(r"//.*", "", sources[name])


def test_bram18s_by_hand() -> None:
    shapes = ((36, 512), (36, 513), (18, 1024), (9, 4096), (8, 20000))
    assert [XC7.memories.halves(*shape) for shape in shapes] == [1, 2, 1, 2, 10]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: fifo(1), ConfigError, "depth=1"),
        (lambda: fifo(3, "large"), ConfigError, "4 or more"),
        (lambda: fifo(8, "uram"), ConfigError, "small, large, ultra"),
        (lambda: fifo(3, "ultra"), ConfigError, "4 or more"),
        (lambda: fifo(8, "ultra").on(XC7).resources(), ConfigError, "in UltraRAM: the target has none"),
        (lambda: duplicate(9), ConfigError, "copies=9"),
        (lambda: converter(2, 4).fold(lanes_in=3), FoldingError, "lanes=3"),
        (lambda: duplicate(2).fold(pe=4), FoldingError, "lanes=4"),
        (lambda: fifo(2).check_params({"weights": np.zeros(1)}), ConfigError, "weights"),
    ],
)
def test_illegal_configurations_name_what_is_allowed(make, error: type[Exception], words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=words):
        make()
